"""Contenders: each starts its own servers, and all that serve bookings over HTTP are spoken to in the same way."""
