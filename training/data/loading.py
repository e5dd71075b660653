"""Models from folders on this machine; nothing is downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msd_core.headless.tensor_files import check_folder
from msd_core.packages import require_package


def load_model(
    folder: str | Path, what: str, kinds: tuple[str, ...], class_name: str, remedy: str, device: str = "cpu",
    dtype: str = "auto",
) -> tuple[Any, Any]:
    """A model of transformers, ready to be asked, and its folder's path as transformers wants it.

    Args:
        folder: as transformers keeps it.
        what: what the model is for.
        kinds: the model types that will do.
        class_name: the class of transformers that reads it.
        remedy: what to do about another kind.
        dtype: what it computes in; "auto" is what its file is in.

    Raises:
        ValueError: transformers is missing, or the folder missing or another model.
    """
    transformers = require_package("transformers", "transformers", f"the {what}", "training")
    check_folder(folder, what, "config.json", "model_type", kinds, remedy)
    model = getattr(transformers, class_name).from_pretrained(str(folder), dtype=dtype, local_files_only=True)
    return model.to(device).eval().requires_grad_(False), str(folder)
