"""Benchmarks that anyone can repeat: each against a peer or a limit in the same run, as a ratio."""
