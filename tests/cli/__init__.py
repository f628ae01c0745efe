"""Tests of the command line: the embedded servers, `tutelage up`, and the smaller commands."""
