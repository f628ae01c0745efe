"""Tests; their shared fixtures are in tests/conftest.py."""
