"""Reminders: of a session that is about to begin, and of a request that nobody has decided."""
