"""Step 2, entities: spaCy finds the things that a caption names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msd_core.packages import require_package

DROPPED = {"DET", "PRON", "NUM", "PUNCT", "SPACE", "CCONJ", "SCONJ", "ADP"}
"""What a phrase does not begin with: "the dog", "her dog" and "two dogs" are a dog, a dog and dogs."""
NO_THINGS = frozenset((
    "image", "picture", "photo", "photograph", "video", "screenshot", "view", "scene", "background",
    "foreground", "front", "back", "side", "top", "bottom", "left", "right", "middle", "center", "centre",
    "corner", "edge", "end", "part", "piece", "bunch", "group", "couple", "pair", "set", "variety", "lot",
    "number", "row", "line", "distance", "way", "time", "day", "night", "morning", "evening", "camera",
))
"""Heads of noun phrases that captions have and that no detector finds as a thing."""
NAMES = {"PERSON", "PRODUCT", "ORG", "WORK_OF_ART"}
"""Kinds of names that a frame can show."""


class SpacyEntities:
    """Reads captions."""

    def __init__(self, pipeline: Any) -> None:
        """
        Args:
            pipeline: spaCy's, with a parser (and tagger) or a named entity recogniser.

        Raises:
            ValueError: it has neither.
        """
        self.pipeline = pipeline
        parts = set(pipeline.pipe_names)
        if not parts & {"parser", "ner"}:
            raise ValueError(
                f"The pipeline has {', '.join(pipeline.pipe_names) or 'nothing'} but needs a parser or ner: take "
                "en_core_web_trf or en_core_web_sm."
            )
        self.parses = "parser" in parts

    def __call__(self, caption: str) -> list[str]:
        """The things that a caption names, in its own words and order, each once."""
        read = self.pipeline(caption)
        found = [span for span in read.ents if span.label_ in NAMES or not self.parses]
        if self.parses:
            found += list(read.noun_chunks)
        phrases = {}
        for span in sorted(found, key=lambda span: (span.start, -span.end)):
            while len(span) and (span[0].pos_ in DROPPED or span[0].is_stop or not span[0].text[0].isalnum()):
                span = span[1:]
            if not len(span) or span.root.lemma_.lower() in NO_THINGS or span.root.text.lower() in NO_THINGS:
                continue
            phrases.setdefault(span.text.lower(), span.text)
        return list(phrases.values())


def load_entities(pipeline: str | Path) -> SpacyEntities:
    """A pipeline of spaCy, from a folder or by the name of an installed package.

    Raises:
        ValueError: spaCy or the pipeline is missing, or finds no entities.
    """
    spacy = require_package("spacy", "spacy", "finding entities", "training")
    try:
        read = spacy.load(pipeline)
    except OSError as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise ValueError(
            f"The entities' pipeline is {pipeline} but can't be loaded ({reason}): name a folder, or an installed "
            "package such as en_core_web_sm."
        ) from None
    return SpacyEntities(read)
