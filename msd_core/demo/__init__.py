"""The demo: a drawn world of sprites and scenes, and the tiny SDXL-shaped set that was trained on it."""
