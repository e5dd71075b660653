"""What MS-Diffusion costs: counted, timed and measured by `python benchmarks`."""
