"""The parts that routes are made of: guards and loaders, lists, reports, and what they document."""
