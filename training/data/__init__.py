"""Data sets for training adapters, by the paper's pipeline (3.3, appendix A).

Two frames of a clip, one the reference and one the target, are described by models that are each one step, and matched.
`construct(clips, steps, settings, writer)` builds a set of any clips with any five steps; `python -m training.data`
does so with the paper's.
"""

from .clips import Clip, FrameFolder, Still, Unreadable, View
from .construction import construct
from .find import find_clips
from .make import Stuck
from .settings import Settings
from .statistics import Statistics
from .steps import StepFailed, Steps
from .video import Video

__all__ = ["Clip", "FrameFolder", "Settings", "Statistics", "StepFailed", "Steps", "Still", "Stuck", "Unreadable",
           "Video", "View", "construct", "find_clips"]
