"""Tests of the files in deploy/: dashboard, alert rules and Prometheus's settings."""
