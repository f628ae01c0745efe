"""Personal data: export, erasure, and encryption with a new key."""
