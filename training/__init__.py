"""Training of the demo's tiny set: plain PyTorch, not shipped with the pack."""
