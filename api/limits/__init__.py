"""Rate limits: how often a caller, a key and an address may ask."""
