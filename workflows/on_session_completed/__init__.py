"""What follows when the mentor closed the meeting. Each file is found, not imported."""
