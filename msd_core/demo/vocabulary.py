"""The world's words in CLIP's byte-pair vocabulary, and the compact table the text encoders were trained with."""

from __future__ import annotations

WORD_TOKENS: dict[str, tuple[int, ...]] = {
    "a": (320,), "an": (550,), "and": (537,), "at": (536,), "beach": (2117,), "blue": (1746,), "bow": (4040,),
    "brick": (9518,), "by": (638,), "car": (1615,), "cat": (2368,), "crown": (6902,), "cyan": (1470, 550),
    "fish": (2759,), "grass": (5922,), "green": (1901,), "hat": (3801,), "house": (1212,), "in": (530,),
    "mug": (9722,), "mushroom": (13011,), "night": (930,), "on": (525,), "orange": (4287,), "pink": (3360,),
    "plain": (10709,), "purple": (5496,), "red": (736,), "robot": (8797,), "rocket": (8383,), "sea": (2102,),
    "snow": (2583,), "spotted": (4533,), "striped": (22192,), "the": (518,), "wall": (2569,), "with": (593,),
    "yellow": (4481,),
}
PADDING_G = 0
START, END = 49406, 49407
LENGTH = 77

KNOWN_TOKENS: tuple[int, ...] = (
    PADDING_G, *sorted({token for tokens in WORD_TOKENS.values() for token in tokens}), START, END
)
"""CLIP's id of every row of the compact embedding table; one more row stands for all other tokens."""

OTHER_ROW = len(KNOWN_TOKENS)
ROWS = {token: row for row, token in enumerate(KNOWN_TOKENS)}


def caption_rows(text: str, padding: int) -> list[int]:
    """Compact rows of a caption of the world's words (others take the shared row), padded to 77 with `padding`'s."""
    tokens = [ROWS.get(token, OTHER_ROW)
              for word in text.split() for token in WORD_TOKENS.get(word, (-1,))]
    tokens = [ROWS[START], *tokens[: LENGTH - 2], ROWS[END]]
    return tokens + [ROWS[padding]] * (LENGTH - len(tokens))
