"""Benchmarks: their samples, a runner that can be killed, and what is made of its results."""
