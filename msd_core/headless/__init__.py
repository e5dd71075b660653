"""MS-Diffusion without a graph: the same attention and resampler driven through Hugging Face diffusers.

```python
from msd_core.headless import MSDiffusionPipeline, load_subject

pipeline = MSDiffusionPipeline.from_files(
    base="sd_xl_base_1.0.safetensors", adapter="ms_adapter.bin", image_encoder="CLIP-ViT-bigG-14.safetensors"
)
embeds = pipeline.encode([load_subject("dog.png", "dog")], [(0.1, 0.2, 0.5, 0.8)])
pipeline("a dog on a beach", embeds).images[0].save("dog.png")
```

diffusers, transformers and Pillow are imported when they are first needed, and nothing else in `msd_core` needs them.
"""

from ..auto_layout import AutoLayoutSettings
from ..boxes import Box
from ..subject import Subject
from .pictures import load_subject
from .pipeline import MSDiffusionOutput, MSDiffusionPipeline
from .png import save_png

__all__ = [
    "AutoLayoutSettings", "Box", "MSDiffusionOutput", "MSDiffusionPipeline", "Subject", "load_subject", "save_png",
]
