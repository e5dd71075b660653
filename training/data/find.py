"""Clips below folders: each video file, each folder of frames, each picture."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from msd_core.bench.samples import PICTURE_SUFFIXES

from .clips import Clip, FrameFolder, Still, as_text
from .video import Video

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg", ".ts", ".wmv", ".flv", ".gif")


def find_clips(
    videos: Iterable[str | Path] = (), frames: Iterable[str | Path] = (), stills: Iterable[str | Path] = ()
) -> list[Clip]:
    """All clips below some folders, by name.

    Args:
        videos: folders in which each video file is a clip, or such files.
        frames: folders in which each folder that holds pictures is a clip.
        stills: folders in which each picture is a clip, or such files.

    Raises:
        ValueError: a folder is missing or has none, or two clips have one name.
    """
    found: dict[str, Clip] = {}
    for roots, suffixes, kind, what in (
        (videos, VIDEO_SUFFIXES, Video, "videos"), (frames, PICTURE_SUFFIXES, FrameFolder, "folders of frames"),
        (stills, PICTURE_SUFFIXES, Still, "pictures"),
    ):
        for root in map(Path, roots):
            if not root.exists():
                raise ValueError(f"{root} is named for {what} but there is no such file or folder: check the path.")
            # resolve() names a folder that is given as "." or "clips/"; a file has the name that it has in its folder.
            root = root.resolve()
            start = root.parent.parent if root.is_file() else root.parent
            paths = [path for path in ([root] if root.is_file() else root.rglob("*"))
                     if path.suffix.lower() in suffixes and path.is_file()]
            paths = sorted({path.parent for path in paths} if kind is FrameFolder else paths)
            if not paths:
                raise ValueError(f"{root} is named for {what} but has none: name another folder.")
            for path in paths:
                clip = kind(as_text(path.relative_to(start).as_posix()), path)
                if found.setdefault(clip.name, clip) != clip:
                    raise ValueError(f"Two clips are named {clip.name!r}: rename one of their folders.")
    return [found[name] for name in sorted(found)]
