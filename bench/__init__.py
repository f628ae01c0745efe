"""Measurements of what Tutelage promises, each a script of its own."""
