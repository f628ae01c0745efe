"""Events, and the durable deliveries of what follows from them: the mechanism that keeps the promise."""
