"""Two described frames of a clip become one sample: the target's words and boxes, the reference's pictures."""

from __future__ import annotations

from collections import Counter

from ..shards import Sample, Subject
from .crops import at_most, crop
from .describe import Description, Thing
from .filters import alike
from .matching import match
from .settings import Settings


def assemble(
    key: str, target: Description, reference: Description | None, settings: Settings, counts: Counter[str]
) -> Sample | None:
    """Make a sample, or count why there is none.

    Things that are found again in the reference are shown as they look there; the others as they are cut from the
    target (the paper's appendix A). Of more than there may be, those that are found again come first, then those of
    which the detector is surer.

    Args:
        reference: the other frame, None for a still image.
    """
    counts["pairs"] += 1
    if not target.things:
        counts["pairs without a thing in the target"] += 1
        return None
    if reference is not None and alike(target.view.pixels, reference.view.pixels) < settings.alike:
        counts["pairs too much alike"] += 1
        return None
    pairs = {} if reference is None else {
        place: (reference.things[other], cosine)
        for other, place, cosine in _matched(target, reference, settings.similar)
    }
    if reference is not None and len(pairs) < settings.found_again:
        counts["pairs with too few found again"] += 1
        return None
    things = target.things
    ranked = sorted(range(len(things)), key=lambda place: (place not in pairs, -things[place].score, place))
    chosen = sorted(ranked[: settings.subjects])
    counts["subjects over the most"] += len(things) - len(chosen)
    subjects, told = [], []
    for place in chosen:
        again, cosine = pairs.get(place, (None, None))
        source = "target" if again is None else "reference"
        counts[f"subjects from the {source}"] += 1
        frame, thing = (target, things[place]) if again is None else (reference, again)
        subjects.append(_subject(things[place], frame, thing, source, settings))
        told.append({"score": round(things[place].score, 4)} | (
            {} if again is None else {"similar": round(cosine, 4), "called": again.phrase}
        ))
    origin = {
        "clip": target.view.clip.name, "target": round(target.view.place, 6),
        "reference": None if reference is None else round(reference.view.place, 6), "subjects": told,
    }
    counts["samples"] += 1
    return Sample(key, target.caption, target.view.pixels, tuple(subjects), origin)


def _matched(target: Description, reference: Description, least: float) -> list[tuple[int, int, float]]:
    if not reference.things:
        return []
    import numpy as np

    return match(np.stack([thing.embedding for thing in reference.things]),
                 np.stack([thing.embedding for thing in target.things]), least)


def _subject(target: Thing, frame: Description, shown: Thing, source: str, settings: Settings) -> Subject:
    picture = at_most(crop(frame.view.pixels, shown.box), settings.subject_side)
    mask = at_most(crop(shown.mask, shown.box), settings.subject_side)
    return Subject(target.phrase, tuple(float(edge) for edge in target.box), picture, mask, source)
