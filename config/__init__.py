"""Configuration and observation of a process: settings, keys, logging and metrics."""
