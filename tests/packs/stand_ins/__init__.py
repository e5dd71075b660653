"""Nodes that only the tests need."""

from .models import StandInClipVision, StandInEvaClip, StandInQuantized
from .observers import StandInRecorded, StandInRecorder, StandInSaidProjections

NODES = (
    StandInClipVision, StandInEvaClip, StandInQuantized, StandInRecorded, StandInRecorder, StandInSaidProjections,
)  # fmt: skip
NODE_CLASS_MAPPINGS = {node.__name__: node for node in NODES}
