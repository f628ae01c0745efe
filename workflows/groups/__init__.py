"""Group sessions: weekly templates, the dates they are scheduled for, and who sees what of a group."""
