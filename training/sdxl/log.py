"""What a run says: lines on the screen, a table of losses that can be read by anything, and TensorBoard."""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

COLUMNS = ("step", "loss", "diffusion", "image_attention", "text_attention", "rate", "gradient", "seconds")


class Log:
    """One process's; only the first says anything."""

    def __init__(self, folder: Path, step: int, speaks: bool) -> None:
        """
        Args:
            step: where the run begins or goes on; what was said of later steps is forgotten.

        Raises:
            ValueError: TensorBoard is not installed.
        """
        self._board, self._table, self.speaks, self._lost = None, folder / "losses.csv", speaks, False
        if not speaks:
            return
        kept = []
        if self._table.exists():
            with self._table.open(encoding="utf-8", newline="") as file:
                rows = [row for row in csv.DictReader(file) if (row["step"] or "").isdigit()]
            kept = [row for row in rows if int(row["step"]) <= step]
        part = self._table.with_suffix(".part")
        with part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(kept)
        os.replace(part, self._table)
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise ValueError(
                'tensorboard is not installed but the losses go there: pip install -e ".[training]" in the folder of '
                "MS-Diffusion."
            ) from None
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def say(self, text: str) -> None:
        """A line on the screen."""
        if self.speaks:
            print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)

    def losses(self, step: int, values: Mapping[str, float]) -> None:
        """A row of the table: values by the names of its columns."""
        if not self.speaks:
            return
        with self.going_on():
            with self._table.open("a", encoding="utf-8", newline="") as file:
                row = {key: repr(value) for key, value in values.items()}
                csv.DictWriter(file, COLUMNS).writerow({"step": step, **row})
            for name, value in values.items():
                self._board.add_scalar(f"training/{name}", value, step)

    def look(self, step: int, loss: float | None, grid: Tensor | None) -> None:
        """The loss of held-out samples, and a picture `[3, H, W]` in 0..1."""
        if self._board is None:
            return
        with self.going_on():
            if loss is not None:
                self._board.add_scalar("held_out/loss", loss, step)
            if grid is not None:
                self._board.add_image("held_out/pictures", grid, step)

    def settings(self, values: Mapping[str, Any]) -> None:
        """What the run was told."""
        if self._board is not None:
            with self.going_on():
                self._board.add_text("settings", "\n".join(f"    {name}: {value}" for name, value in values.items()))

    def close(self) -> None:
        """All is said."""
        if self._board is not None:
            with self.going_on():
                self._board.close()

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """What can't be written of a run's progress is said once, and no reason to end the run."""
        try:
            yield
        except OSError as error:
            if not self._lost:
                self._lost = True
                self.say(f"{self._table.parent} can't take losses and pictures ({error.strerror}): make room. Training "
                         "goes on.")
