"""The same set by Ray Data: by a stand-in that hands rows out of order, and by Ray itself where it is installed."""

import importlib.util
import os
import pickle
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from tests.training import drawn_clips
from tests.training.test_construct import build, content
from training import shards
from training.data import Stuck
from training.data.with_ray import make_with_ray

PACK = Path(shards.__file__).parents[1]


class Iterable:
    def __init__(self, rows):
        self.rows = rows

    def __iter__(self):
        yield from self.rows


class Rows:
    """What is used of a data set of Ray's."""

    def __init__(self, rows):
        self.rows = rows

    def map(self, kind, *, fn_constructor_args, num_cpus, num_gpus, compute):
        assert (num_cpus, num_gpus, compute) == (1, None, ("actors", 2))
        try:
            workers = [kind(*pickle.loads(pickle.dumps(fn_constructor_args))) for _ in range(2)]
        except ValueError as error:
            failed = sys.modules["ray"].exceptions.RayError(f"The actor died\nTraceback:\nValueError: {error}")
            return Rows(_raise(failed))
        return Rows([workers[number % 2](row) for number, row in reversed(list(enumerate(self.rows)))])

    def iter_rows(self):
        # Something to iterate over, which is no iterator itself.
        return Iterable(self.rows)


def _raise(error):
    raise error
    yield


@pytest.fixture
def stand_in(monkeypatch):
    ray, data = ModuleType("ray"), ModuleType("ray.data")
    ray.exceptions = SimpleNamespace(RayError=type("RayError", (Exception,), {}))
    ray.cloudpickle, ray.data = pickle, data

    def from_items(rows, *, override_num_blocks):
        assert override_num_blocks == min(len(rows), 32)
        return Rows(rows)

    data.from_items, data.ActorPoolStrategy = from_items, lambda size: ("actors", size)
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setitem(sys.modules, "ray.data", data)


@pytest.fixture
def real():
    import ray

    paths = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(PACK)]))
    ray.init(num_cpus=2, include_dashboard=False, runtime_env={"env_vars": {"PYTHONPATH": paths}})
    ray.cloudpickle.register_pickle_by_value(drawn_clips)
    yield
    ray.cloudpickle.unregister_pickle_by_value(drawn_clips)
    ray.shutdown()


@pytest.mark.parametrize("ray", [
    "stand_in", *([pytest.param("real", marks=pytest.mark.slow)] if importlib.util.find_spec("ray") else []),
])
def test_a_set_made_by_ray_is_the_same_to_the_byte(tmp_path, ray, request):
    request.getfixturevalue(ray)
    # Several samples of a clip.
    settings = replace(drawn_clips.SETTINGS, frames_per_clip=4)
    one_by_one = build(tmp_path / "a", settings=settings)
    by_ray = build(tmp_path / "b", settings=settings, steps=drawn_clips.steps, make=make_with_ray(2))
    assert content(tmp_path / "a") == content(tmp_path / "b") and by_ray.as_json() == one_by_one.as_json()
    # Nothing to do: no worker is asked for.
    again = build(tmp_path / "b", settings=settings, steps=drawn_clips.no_steps, make=make_with_ray(2))
    assert again.as_json() == one_by_one.as_json()
    with pytest.raises(Stuck, match="The workers of Ray ended: ValueError: The captioner is x but there is no such"):
        build(tmp_path / "c", steps=drawn_clips.no_steps, make=make_with_ray(2))


def test_without_ray_its_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match=r"ray\[data\] is not installed but --ray needs it: pip install .*\[ray\]"):
        build(tmp_path, steps=drawn_clips.steps, make=make_with_ray(2))
