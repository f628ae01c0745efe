"""When a mentor can be booked: weekly hours, and blocks in the calendar."""
