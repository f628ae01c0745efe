"""The ways out of the house. Each prepares a message and settles its outcome; the transport is handed in."""
