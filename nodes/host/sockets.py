"""Subjects as sockets bring them: whose box each takes, and what is said where the two don't match."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from ...msd_core.layout import Layout
from ...msd_core.subject import Subject

logger = logging.getLogger("MS-Diffusion")

MAX_SUBJECTS = 32


def by_socket(linked: Mapping[str, Subject | None] | None) -> dict[int, Subject]:
    """The subjects by the number of their socket; a muted one leaves its socket out."""
    linked = linked or {}
    return {k: linked[f"subject{k}"] for k in range(MAX_SUBJECTS) if linked.get(f"subject{k}") is not None}


def check_counts(layout: Layout, subjects: Mapping[int, Subject]) -> None:
    """Say who stands where if a box is left over.

    Raises:
        ValueError: no subject, or one without a box.
    """
    if not subjects:
        raise ValueError("There are 0 subjects but 1 or more are needed: link an MS-Diffusion Subject.")
    boxes = len(layout.regions)
    without = min((socket for socket in subjects if socket >= boxes), default=None)
    if without is not None:
        raise ValueError(
            f"Subject {without + 1}, {subjects[without].phrase!r}, takes box {without + 1} but there are {boxes} "
            "boxes: draw one for it in MS-Diffusion Layout."
        )
    unused = [str(number + 1) for number in range(boxes) if number not in subjects]
    if unused:
        taken = ", ".join(f"{subject.phrase!r} in box {socket + 1}" for socket, subject in sorted(subjects.items()))
        logger.info(
            "Of %d boxes these have no subject and are unused: %s. The subjects: %s.", boxes, ", ".join(unused), taken
        )
