"""Tests of the benchmark's own arithmetic and tools; what it measures is measured by itself alone."""
