"""The actor of a request, who may do what, and the parties of a booking."""
