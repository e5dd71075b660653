"""MS-Diffusion in plain PyTorch: what the adapter computes, with no knowledge of the program that hosts it."""
