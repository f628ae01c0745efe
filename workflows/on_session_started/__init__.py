"""What follows when one of the parties opened the meeting. Each file is found, not imported."""
