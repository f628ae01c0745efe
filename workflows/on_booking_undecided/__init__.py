"""What follows when nobody has decided a request for a day. Each file is found, not imported."""
