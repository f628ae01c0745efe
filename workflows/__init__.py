"""The business: one function per business action, and one file per thing that follows from an event."""
