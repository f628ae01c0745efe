"""Live updates as server-sent events: what is handed on, and the connections that it is written to."""
