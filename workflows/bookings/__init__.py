"""Bookings: requests for a mentor's time, and the decisions about them."""
