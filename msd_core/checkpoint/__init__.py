"""Adapter files: recognised by their content, checked, read, and converted (SPEC 1)."""

from .convert import DTYPES, Conversion, convert_adapter
from .names import DUMMY_TOKENS, HEAD_DIM, HEAD_DIM_KEY
from .read import AdapterFile, read_adapter
from .shapes import check_shapes

__all__ = [
    "DTYPES", "DUMMY_TOKENS", "HEAD_DIM", "HEAD_DIM_KEY", "AdapterFile", "Conversion", "check_shapes",
    "convert_adapter", "read_adapter",
]
