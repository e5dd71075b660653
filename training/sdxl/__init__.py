"""Training an adapter for SDXL: a frozen base, shards of samples, one process per GPU (paper 3.1, 3.4, 3.5, C)."""
