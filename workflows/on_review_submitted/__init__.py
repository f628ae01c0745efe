"""What follows when a mentee reviews a session."""
