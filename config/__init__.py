"""Settings, logging and nothing else: what the outside decides about this process."""
