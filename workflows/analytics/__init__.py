"""Reports, read from the rows of bookings, sessions and reviews; and what is recorded of each completed session."""
