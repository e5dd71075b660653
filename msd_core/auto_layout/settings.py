"""How auto layout takes over from the boxes."""

from __future__ import annotations

from dataclasses import dataclass

METHODS = ("steady", "paper")

START = {True: 0.2, False: 0.4}
"""Share of the noise schedule at which `steady` begins, where boxes rule before it and where nothing does. Earlier maps
say little of where a subject will be; where nothing has drawn it yet, later ones keep more of the picture's own
composition."""

TRUST = {True: 0.3, False: 0.03}
"""What the boxes count as a prior (see `Fit`), where they rule before the start and where nothing does: there the
picture's own composition shows in the maps, and rough boxes give way to it."""

FOLLOWED = 0.15
"""Share of the noise schedule after that for which regions still follow the maps; then they are kept."""


@dataclass(frozen=True)
class AutoLayoutSettings:
    """When and how auto layout takes over.

    Attributes:
        threshold: `paper`: share of a map's range above which a cell belongs to the subject, 0..1.
        start_step: `paper`: first sampling step, counted from 1, on which the maps rule.
        boxes_before: whether the boxes rule before that, or no subject acts.
        keep_absent: whether a phrase that is not in the prompt keeps its box, or gets no region (as the original).
        method: `steady` fits one region of the box's size to each subject, for all layers; `paper` cuts each layer's
            own map at the threshold (appendix M).
        layers: `steady`: which of the adapter's layers are read, None for `layers_read`'s choice.

    Raises:
        ValueError: an unknown method, threshold or start step out of range, no layer to read.
    """

    threshold: float = 0.5
    start_step: int = 5
    boxes_before: bool = True
    keep_absent: bool = True
    method: str = "steady"
    layers: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"The method is {self.method!r} but must be one of {', '.join(METHODS)}: choose one.")
        if not 0.0 <= self.threshold < 1.0:
            raise ValueError(f"The threshold is {self.threshold:g} but must be from 0 to below 1: 0.5 is the paper's.")
        if self.start_step < 1:
            raise ValueError(f"start_step is {self.start_step} but steps count from 1: 5 is the paper's.")
        if self.layers == ():
            raise ValueError("layers is empty but auto layout reads 1 or more layers: None is its own choice.")

    @property
    def start(self) -> float:
        """`steady`: the share of the noise schedule at which it begins, 0..1."""
        return START[self.boxes_before]

    @property
    def trust(self) -> float:
        """`steady`: what the boxes count (see `Fit`)."""
        return TRUST[self.boxes_before]

    @property
    def kept(self) -> float:
        """`steady`: the share of the noise schedule from which places no longer change, 0..1."""
        return self.start + FOLLOWED
