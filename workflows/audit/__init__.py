"""The audit: what operators did, and why."""
