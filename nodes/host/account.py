"""What a sampling run says when it ends: one line of what was done, and a warning for each setting that did nothing."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .auto_layout import Paper, Steady
    from .run import Patch

logger = logging.getLogger("MS-Diffusion")


class RunAccount:
    """What happened in one sampling run."""

    def __init__(
        self, patch: Patch, windows: Sequence[tuple[float, float]], sigmas: Sequence[float],
        size: tuple[int, int, int] | None, auto_layout: Paper | Steady | None = None,
    ) -> None:
        """
        Args:
            patch: what was asked for.
            windows: noise levels between which each subject acts, from and to.
            sigmas: the run's own noise levels, one per step and the last one's end.
            size: images, height and width of the latent.
            auto_layout: what follows the prompt, or None.
        """
        self._patch, self._windows, self._size, self._follower = patch, windows, size, auto_layout
        self._levels = list(sigmas[:-1])
        self._unplaced: tuple[int, int] | None = None
        self._unwatched = 0
        self.reached: set[int] = set()

    def unplaced(self, size: Sequence[int]) -> None:
        """The model was shown a part of the latent whose place is not known."""
        self._unplaced = tuple(size)

    def unwatched(self) -> None:
        """An attention was not watched, since it showed a part of the frame."""
        self._unwatched += 1

    def close(self) -> None:
        """Say it."""
        auto_layout = [] if self._follower is None else [self._follower.account(self._levels)]
        done = ", ".join([f"{len(self.reached)} of {self._patch.layers} cross-attentions", *self._subjects(),
                          *auto_layout])
        logger.info("MS-Diffusion: %s.", done)
        for warning in self._warnings():
            logger.warning("%s", warning)

    def _subjects(self) -> list[str]:
        """Who acted, and when."""
        application = self._patch.application
        if application is None:
            return ["no subjects"]
        said = []
        for subject, window in zip(application.embeds.subjects, self._windows, strict=True):
            steps = self._steps(window)
            share = len(steps) / max(len(self._levels), 1)
            when = f"in steps {steps[0]} to {steps[-1]} of {len(self._levels)} ({share:.0%})" if steps else "in no step"
            said.append(f"{subject.phrase!r} {when}")
        return said

    def _warnings(self) -> list[str]:
        application = self._patch.application
        said = []
        if not self.reached:
            said.append(
                f"None of the model's {self._patch.layers} cross-attentions was reached: a patch in front of Apply "
                "MS-Diffusion evaluates options that it had copied before, put Apply in front of it."
            )
        elif len(self.reached) < self._patch.layers:
            said.append(
                f"Only {len(self.reached)} of the model's {self._patch.layers} cross-attentions were reached: a patch "
                "behind Apply MS-Diffusion has replaced the others, put Apply behind it."
            )
        if self._unplaced is not None:
            said.append(
                f"The model was shown {self._unplaced[1]}x{self._unplaced[0]} of the {self._size[2]}x{self._size[1]} "
                "latent and nothing tells which part, so the whole layout was laid over it: use Crop MS-Diffusion "
                "Embeds for tiles."
            )
        if self._unwatched:
            said.append("Attribution watches whole frames only: what was sampled in tiles or areas is not in its maps.")
        if application is None:
            return said
        for subject, (start, end) in zip(application.embeds.subjects, self._windows, strict=True):
            if self._levels and not self._steps((start, end)):
                said.append(
                    f"{subject.phrase!r} never acted: it acts at noise levels from {start:.4g} to {end:.4g}, the run "
                    f"went from {self._levels[0]:.4g} to {self._levels[-1]:.4g}: set its start and end, which are "
                    "shares of the whole noise schedule, to include these."
                )
        why = self._follower and self._follower.warning(self._levels)
        if why:
            said.append(why)
        said.extend(self._aspect(application.embeds.frame, application.embeds.window))
        return said

    def _aspect(self, frame: tuple[int, int] | None, window: Sequence[float]) -> list[str]:
        """A latent of another shape than the layout's frame is usually a crop of it."""
        if frame is None or self._size is None:
            return []
        width, height = frame[0] * (window[2] - window[0]), frame[1] * (window[3] - window[1])
        rows, columns = self._size[1:]
        # Latents have whole cells of 8 pixels, so sides may differ by one of them.
        if abs(columns * height - rows * width) <= max(width, height):
            return []
        return [
            f"The latent is {columns}x{rows} but the layout's frame has the shape {width:g}x{height:g}, and the whole "
            "layout was laid over it: for crops (Ultimate SD Upscale, detailers) give them the model from before Apply "
            "MS-Diffusion, or use Crop MS-Diffusion Embeds."
        ]

    def _steps(self, window: tuple[float, float]) -> list[int]:
        """The steps, from 1, that begin within two noise levels."""
        return [step for step, level in enumerate(self._levels, 1) if window[1] <= level <= window[0]]
