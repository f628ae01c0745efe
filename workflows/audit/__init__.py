"""The audit: who did what to which subject, from where and with what result."""
