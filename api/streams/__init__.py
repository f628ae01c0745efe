"""Live updates as server-sent events: the hub of changes, and the connections to clients."""
