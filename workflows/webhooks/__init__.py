"""Webhooks: where partners listen, for what, and by which secret they know us."""
