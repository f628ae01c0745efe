"""What the API promises as a whole: every route guarded, every code produced, everything documented."""
