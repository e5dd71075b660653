"""What a pickle would call and build, read off its instructions without running any."""

from __future__ import annotations

import pickletools
import re
from io import BufferedReader
from typing import NamedTuple
from zipfile import ZipExtFile

_MOST_PICKLES = 5
_PUTS = ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE")
_GETS = ("GET", "BINGET", "LONG_BINGET")
_TENSOR_PARTS = re.compile(
    r"torch\._utils\._rebuild_\w+|torch\._tensor\._rebuild_from_type_v2|torch\.(\w+\.)*\w+Storage|"
    r"torch\.(Size|Tensor|device|nn\.parameter\.Parameter|serialization\._get_layout)|"
    r"torch\.(bool|(b?float|u?int|complex|quint|qint|bits)\w+|per_\w+|sparse_\w+)|"
    r"collections\.(OrderedDict|Counter)|_codecs\.encode|(builtins|__builtin__)\.(set|bytearray|complex)"
)


class PickleFacts(NamedTuple):
    """What is known of a file's pickles.

    Attributes:
        foreign: the functions and classes that they name, `module.name`, and that tensors don't need.
        protocol: the highest protocol that they use.
        whole: they can be followed to their ends.
    """

    foreign: tuple[str, ...]
    protocol: int
    whole: bool


def facts_of(stream: BufferedReader | ZipExtFile) -> PickleFacts:
    """Follow the pickles at the start of a stream; `torch.save`'s older format has five in a row."""
    names: list[str] = []
    protocol, whole = 0, False
    try:
        for _ in range(_MOST_PICKLES):
            if not stream.peek(1):
                break
            protocol = max(protocol, _follow(stream, names))
        whole = True
    # No pickle, or one that breaks off: what it has named before that counts.
    except Exception:
        pass
    foreign = tuple(name for name in names if not _TENSOR_PARTS.fullmatch(name))
    return PickleFacts(foreign, protocol, whole)


def _follow(stream: BufferedReader | ZipExtFile, names: list[str]) -> int:
    """Collect the names of one pickle and return its protocol."""
    protocol, texts, memo, before = 0, [], {}, None
    for opcode, value, _ in pickletools.genops(stream):
        text = None
        if opcode.name == "PROTO":
            protocol = value
        elif opcode.name in ("GLOBAL", "INST"):
            names.append(value.replace(" ", "."))
        elif opcode.name == "STACK_GLOBAL":
            names.append(".".join(texts[-2:]))
        elif opcode.name in _PUTS:
            memo[len(memo) if value is None else value] = text = before
        elif opcode.name in _GETS:
            text = memo.get(value)
            texts += [text] if text is not None else []
        elif isinstance(value, str):
            text = value
            texts.append(text)
        before = text
    return protocol
