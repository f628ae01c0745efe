"""Tests of the API as a whole: every route guarded, every code produced, everything documented."""
