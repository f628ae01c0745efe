"""Tests that hold the shape of the harness: who imports whom, what is consumed, how large things grow."""
