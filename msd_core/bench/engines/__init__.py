"""What makes the pictures: diffusers in this process, or ComfyUI through its API."""

from .engine import Engine, Gone, Order, Settings

__all__ = ["Engine", "Gone", "Order", "Settings"]
