"""Numbers: what happened on which day."""
