"""Bookings: the decision about a mentor's time, up to its acceptance. What follows is for the effects."""
