"""The schema's history, every step reversible."""
