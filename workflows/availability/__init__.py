"""When a mentor has time: the hours that they have said, and which times are taken."""
