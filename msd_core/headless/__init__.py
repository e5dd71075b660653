"""MS-Diffusion without a graph: the same attention and resampler driven through Hugging Face diffusers."""
