"""Which of a file's columns is what: as it was said, else by names that people use."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from millstream.models.event import EVENT_TYPES, TYPE_CODES
from millstream.streams.errors import BadUsage
from millstream.streams.origins import Head

# fmt: off
ITEM_NAMES: Final = (
    "item", "itemid", "movieid", "productid", "product", "sku", "parentasin", "asin", "articleid",
    "newsid", "businessid", "contentid", "videoid", "trackid", "songid", "bookid",
)
EVENT_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "user": (
        "user", "userid", "uid", "customer", "customerid", "visitor", "visitorid", "reviewerid",
        "memberid", "session", "sessionid",
    ),
    "item": ITEM_NAMES,
    "ts": (
        "ts", "timestamp", "time", "datetime", "date", "eventtime", "unixtime", "unixreviewtime",
        "createdat",
    ),
    "value": ("value", "rating", "stars", "overall"),
    "type": ("type", "event", "eventtype", "behavior", "behaviortype", "action"),
}
"""What a column may be called, best first, without capitals and marks."""

USUAL_WORDS: Final[Mapping[str, str]] = {
    "pv": "view", "pageview": "view", "impress": "impression", "shown": "impression",
    "buy": "purchase", "transaction": "purchase", "order": "purchase", "bought": "purchase",
    "addtocart": "cart", "basket": "cart", "fav": "like", "favorite": "like", "bookmark": "like",
    "follow": "like", "share": "like", "comment": "like",
}
"""What other words for types are likely to mean; only ever proposed."""
# fmt: on

PLAIN: Final = {"user": ("user", "userid"), "item": ("item", "itemid"), "ts": ("ts", "timestamp")}
"""Names that need no word about them."""


def parse_columns(
    text: str | None, allowed: Sequence[str] | None = None, flag: str = "--columns"
) -> dict[str, str]:
    """Return `user=user_id,item=item_id` as a mapping. Raises BadUsage, which names the flag."""
    names = list(allowed or EVENT_NAMES)
    columns: dict[str, str] = {}
    for ours, theirs in _pairs(text, flag, f"OURS=THEIRS, such as {names[0]}={names[0]}_id"):
        if ours not in names:
            raise BadUsage(f"{flag} '{ours}={theirs}': {ours} is none of {', '.join(names)}")
        if ours in columns:
            raise BadUsage(f"{flag} names {ours} twice: {columns[ours]} and {theirs}")
        columns[ours] = theirs
    return columns


def parse_types(text: str | None) -> dict[str, str]:
    """Return `addtocart=cart,pv=view` as a mapping of their words to our types. Raises BadUsage."""
    types = {}
    for theirs, ours in _pairs(text, "--types", "THEIRS=OURS, such as addtocart=cart"):
        if ours not in TYPE_CODES:
            raise BadUsage(f"--types '{theirs}={ours}': {ours} is none of {', '.join(EVENT_TYPES)}")
        types[theirs] = ours
    return types


def _pairs(text: str | None, flag: str, form: str) -> Iterable[tuple[str, str]]:
    for part in (text or "").split(","):
        if part.strip():
            left, equals, right = (piece.strip() for piece in part.partition("="))
            if not (equals and left and right):
                raise BadUsage(f"{flag} {part!r}: write {form}")
            yield left, right


def find_column(
    head: Head, ours: str, named: str | None, guesses: Sequence[str], names: Sequence[str] = ()
) -> str | None:
    """Return the file's column for one of our fields; BadUsage if the one named is missing."""
    names = names or head.names
    if named is None:
        return guessed(names, guesses)
    if named not in names:
        raise BadUsage(f"{head.origin} has no column {named!r} for {ours}; {listed(names)}")
    return named


def guessed(names: Sequence[str], guesses: Sequence[str]) -> str | None:
    """Return the column with the best of these names."""
    by_plain: dict[str, str] = {}
    for name in names:
        # RecBole writes `item_id:token`.
        by_plain.setdefault(re.sub(r"[^a-z0-9]", "", name.partition(":")[0].lower()), name)
    return next((by_plain[guess] for guess in guesses if guess in by_plain), None)


def listed(names: Sequence[str]) -> str:
    """Return the columns that there are, as a sentence says them."""
    return f"it has {', '.join(names)}"


def proposed(words: Iterable[str]) -> str:
    """Return a --types for words that are not ours, to be corrected by whoever knows them."""
    pairs = []
    for word in words:
        low = re.sub(r"[^a-z]", "", word.lower())
        pairs.append(f"{word}={low if low in TYPE_CODES else USUAL_WORDS.get(low, 'click')}")
    text = ",".join(pairs)
    return f"--types '{text}'" if " " in text else f"--types {text}"
