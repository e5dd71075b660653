"""Values as scripts and files hand them over: numbers of any type, and how messages tell a value."""

from __future__ import annotations

import math
from numbers import Real
from reprlib import Repr
from typing import Any

_CUT = Repr()
_CUT.maxlevel, _CUT.maxdict, _CUT.maxlist, _CUT.maxstring, _CUT.maxother = 3, 8, 8, 60, 60


def real_number(value: Any) -> float | None:
    """A real number of any type as Python's float, endless where it is too large for one; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def whole_number(value: Any, low: int, high: int) -> int | None:
    """A whole number from `low` to `high` of any type as Python's int; None for anything else."""
    number = real_number(value)
    # The comparison comes first: neither NaN nor an endless number has an int.
    if number is None or not low <= number <= high or number != int(number):
        return None
    return int(number)


def shown(value: Any) -> str:
    """A value as messages tell it: in one line, cut where it is long or deep."""
    try:
        text = _CUT.repr(value)
    except ValueError:
        return f"a {type(value).__name__}"
    return text if len(text) <= 160 else f"{text[:157]}..."
