"""Tests of the benchmark's own arithmetic and tools; no test measures."""
