"""Audit entries of requests: of changes and of refused accesses."""
