"""Photos of one subject as the image encoder sees them, and what models have made of them for as long as they live."""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from torch import Tensor

Result = TypeVar("Result")

RECENT = 4
"""How many results of one model are kept: enough to go back and forth, or to be used in several places at once."""


@dataclass(frozen=True, eq=False)
class Features:
    """What an image encoder sees in a photo.

    Attributes:
        states: the penultimate hidden states of its views, `[v, patches + 1, width]`.
        mark: stands for them where they need not be held.
    """

    states: Tensor
    mark: object = field(default_factory=object)


class Origin:
    """What views were cut from and what came of it; it holds no tensor.

    Two origins with equal keys are the same while all their tensors live. A digest of the views is part of the key, so
    that a tensor whose pixels are written anew, as a camera's may be, is another origin.
    """

    def __init__(self, views: Tensor, *tensors: Tensor | None) -> None:
        """
        Args:
            views: what was cut, `[v, 512, 512, 3]`.
            tensors: what it was cut from: the image, and the mask if there is one.
        """
        self._tensors = tuple(weakref.ref(tensor) for tensor in tensors if tensor is not None)
        pixels = views.detach().cpu().contiguous().numpy()
        self.key = (*(id(tensor) for tensor in tensors), hashlib.blake2b(pixels).digest())

    @property
    def lives(self) -> bool:
        return all(tensor() is not None for tensor in self._tensors)

    def when_it_ends(self, then: Callable[[], Any]) -> tuple[weakref.ref, ...]:
        """Call `then` as soon as a tensor is gone, while the returned references are held."""
        return tuple(weakref.ref(tensor(), lambda _: then()) for tensor in self._tensors)


class Photo:
    """Views `[v, 512, 512, 3]` of one subject, and the latest results of each model that was given them.

    Results go with the photo, and with the model that made them. A copy is the photo itself; a pickled one starts anew.
    """

    def __init__(self, views: Tensor, origin: Origin | None = None) -> None:
        self.views, self.origin = views, origin
        self.made: WeakKeyDictionary[Any, tuple[tuple[Hashable, Any], ...]] = WeakKeyDictionary()

    def result(self, model: Any, key: Hashable, make: Callable[[], Result]) -> Result:
        """What a model makes of the photo, made once.

        Args:
            model: what makes it; a result is kept no longer than it lives.
            key: all else that the result depends on.
            make: makes it.
        """
        # Replaced as a whole, so that threads at worst make a result twice.
        recent = self.made.get(model, ())
        found = next((entry for entry in recent if entry[0] == key), None) or (key, make())
        self.made[model] = (found, *(entry for entry in recent if entry is not found))[:RECENT]
        return found[1]

    def __deepcopy__(self, memo: dict) -> Photo:
        return self

    def __reduce__(self) -> tuple:
        return Photo, (self.views,)


class KnownPhotos:
    """Photos that come again with every change of their subject, told by what they were cut from.

    It belongs to a model that outlives such changes, and forgets a photo as soon as what it was cut from is gone.
    """

    def __init__(self) -> None:
        self._made: dict[tuple, tuple[tuple[weakref.ref, ...], WeakKeyDictionary]] = {}

    def __len__(self) -> int:
        return len(self._made)

    def meet(self, photo: Photo) -> None:
        """Let a photo have what was made of an earlier one of the same origin."""
        if photo.origin is None or not photo.origin.lives:
            return
        key = photo.origin.key
        if key in self._made:
            photo.made = self._made[key][1]
            return
        known = weakref.ref(self)

        def forget() -> None:
            if (photos := known()) is not None:
                photos._made.pop(key, None)

        self._made[key] = photo.origin.when_it_ends(forget), photo.made
