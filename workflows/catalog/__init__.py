"""Courses and listings: what can be booked."""
