"""When a mentor has time: so far, which times are taken."""
