"""Clips made on many machines by Ray Data: the same function for each clip, each worker with steps of its own."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from msd_core.packages import require_package

from ..shards import Pictures
from .clips import Clip
from .make import Made, Stuck, make_clip
from .settings import Settings
from .steps import Steps


class MadeByRay:
    """What a worker does: loads the steps once, then makes clip after clip."""

    def __init__(self, load_steps: Callable[[], Steps], settings: Settings, pictures: Pictures) -> None:
        self.steps, self.settings, self.pictures = load_steps(), settings, pictures

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        made = make_clip(pickle.loads(row["clip"]), self.steps, self.settings, self.pictures)
        return {"record": json.dumps(made.record), "keys": json.dumps([[key, len(part)] for key, part in made.parts]),
                "parts": b"".join(part for _, part in made.parts)}


def make_with_ray(workers: int, gpus: float = 0, cpus: float = 1) -> Callable[..., Iterator[Made]]:
    """A maker for `construct`, to which steps are then given as what loads them.

    Args:
        workers: how many make clips at a time.
        gpus, cpus: what each of them needs; less than one GPU where several share it.
    """

    def make(
        clips: Sequence[Clip], load_steps: Callable[[], Steps], settings: Settings, pictures: Pictures
    ) -> Iterator[Made]:
        """
        Raises:
            Stuck: the workers ended, for example because the steps could not be loaded.
        """
        if not clips:
            return
        ray, data = (require_package(module, "ray[data]", "--ray", "ray") for module in ("ray", "ray.data"))
        # A row each, few to a block, so that a slow clip holds up few others.
        given = data.from_items([{"clip": ray.cloudpickle.dumps(clip)} for clip in clips],
                                override_num_blocks=min(len(clips), 16 * workers))
        made = given.map(MadeByRay, fn_constructor_args=(load_steps, settings, pictures), num_gpus=gpus or None,
                         num_cpus=cpus, compute=data.ActorPoolStrategy(size=workers))
        rows = iter(made.iter_rows())
        while True:
            try:
                row = next(rows)
            except StopIteration:
                return
            except ray.exceptions.RayError as error:
                # Its last line is that of the worker's own error.
                raise Stuck(f"The workers of Ray ended: {str(error).strip().splitlines()[-1]}") from error
            yield _made(row)

    return make


def _made(row: dict[str, Any]) -> Made:
    whole, parts, start = row["parts"], [], 0
    for key, size in json.loads(row["keys"]):
        parts.append((key, whole[start : start + size]))
        start += size
    return Made(json.loads(row["record"]), tuple(parts))
