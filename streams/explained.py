"""Why an entry is in a list, in a few words for people."""

from typing import Final

ALIKE: Final = {
    "text": "reads like {}",
    "image": "looks like {}",
    "audio": "sounds like {}",
    "categories": "same kind as {}",
    "numbers": "about the same year or price as {}",
}
TOGETHER: Final = ("co", "co_short", "co_long", "near", "near_short", "walk")
AFTER: Final = ("sr", "sr_short", "sr_soon")
ALONE: Final = {
    "new": "new",
    "trending": "trending",
    "popular": "popular",
    "pop": "popular",
    "trend": "trending",
    "mf": "people like you took it",
    "fism": "fits what you took",
}


def in_words(source: str, modality: str | None, because: str | None) -> str:
    """Return why an entry is listed; `because` is the title of what spoke for it.

    >>> in_words("image", "image", "Toy Story")
    'looks like Toy Story'
    >>> in_words("new", "text", "Toy Story")
    'new, reads like Toy Story'
    >>> in_words("co", None, "Toy Story")
    'people who took Toy Story took it'
    """
    said = ALONE.get(source, source)
    if because is None:
        return said
    if modality is not None:
        alike = ALIKE.get(modality, f"{modality} like {{}}").replace("{}", because)
        return f"{said}, {alike}" if source == "new" else alike
    if source in TOGETHER:
        return f"people who took {because} took it"
    if source in AFTER:
        return f"people took it after {because}"
    return f"{said}, after {because}"
