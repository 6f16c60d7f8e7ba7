"""What a text encoder reads of an item: one text, always composed in the same way."""

import html
import re
from collections.abc import Sequence
from typing import Final

TITLE_CHARACTERS: Final = 300
DESCRIPTION_CHARACTERS: Final = 2000
WORDS_MAX: Final = 20
WORD_CHARACTERS: Final = 60
MARKUP: Final = 5
"""So many times a part's cap are looked at, for much of it may be markup or space."""
_MARKUP: Final = re.compile(
    r"<!--.*?-->|<(script|style)\b.*?</\1\s*>|</?[a-z][^<>]*>", re.IGNORECASE | re.DOTALL
)
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")


def item_text(
    title: str, description: str = "", categories: Sequence[str] = (), tags: Sequence[str] = ()
) -> str:
    """Return title, description, categories and tags, a line each, "" if there is nothing.

    In this order, for encoders cut what is too long at its end. White space is made single;
    each part is cut to its cap, and of categories and tags the first 20 count, none twice.
    Of HTML the words are taken.

    >>> item_text("Heat", "A  thief\\nand a cop.", ["crime", "drama"], ["pacino"])
    'Heat\\nA thief and a cop.\\ncrime, drama\\npacino'
    """
    lines = (
        _single(title, TITLE_CHARACTERS),
        _single(description, DESCRIPTION_CHARACTERS),
        _listed(categories),
        _listed(tags),
    )
    return "\n".join(line for line in lines if line)


def _listed(words: Sequence[str]) -> str:
    kept = dict.fromkeys(_single(word, WORD_CHARACTERS) for word in words[:WORDS_MAX])
    return ", ".join(word for word in kept if word)


def _single(text: str, characters: int) -> str:
    text = text[: MARKUP * characters]
    if "<" in text:
        text = _MARKUP.sub(" ", text)
    if "&" in text:
        text = html.unescape(text)
    return " ".join(_CONTROL.sub(" ", text).split())[:characters]
