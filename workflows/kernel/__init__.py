"""Beneath all areas: errors, records and lists, transitions, quotas, times and zones, and the operator's policy."""
