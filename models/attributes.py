"""What an item is by its fields alone: vectors of categories and of numbers, by hashing.

No encoder is needed, and nothing is fitted: a vector is a function of its item's message. What is
alike gets a like vector: the same category, a price within a third, a year or two apart.
"""

import math
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

DIM: Final = 256
VERSION: Final = "attributes-1"
YEARS_NEAR: Final = 2.0
"""Two years apart count e^-1."""
PRICES_NEAR: Final = 4.0
"""Steps of a price to its double; as many apart count e^-2."""
REACH: Final = 12
"""How many steps away a number still counts."""


def categories_vector(categories: Iterable[str], language: str = "") -> Floats | None:
    """Return a unit vector (DIM,) of a set of categories and tags; None where there are none."""
    named = dict.fromkeys(one.strip().casefold() for one in categories)
    tokens = [f"category {one}" for one in named if one]
    if language:
        tokens.append(f"language {language.casefold()}")
    return _unit((token, 1.0) for token in tokens)


def numbers_vector(year: float | None = None, price: float | None = None) -> Floats | None:
    """Return a unit vector (DIM,) of when an item came out (a year, whole or not) and its price.

    None where neither is known; a price that is not above 0 is not known.
    """
    tokens: list[tuple[str, float]] = []
    if year is not None and math.isfinite(year):
        tokens += _about("year", year, YEARS_NEAR)
    if price is not None and math.isfinite(price) and price > 0:
        tokens += _about("price", PRICES_NEAR * math.log2(price), PRICES_NEAR / 2)
    return _unit(tokens)


def _about(name: str, value: float, near: float) -> list[tuple[str, float]]:
    """Return the steps around a value, each worth less the further it is."""
    at = round(value)
    return [
        (f"{name} {step}", math.exp(-abs(step - value) / near))
        for step in range(at - REACH, at + REACH + 1)
    ]


def _unit(tokens: Iterable[tuple[str, float]]) -> Floats | None:
    """Return the sum of hashed tokens at length 1 (feature hashing, Weinberger et al. 2009)."""
    vector = np.zeros(DIM, np.float32)
    for token, worth in tokens:
        bits = int.from_bytes(blake2b(token.encode(), digest_size=8).digest(), "little")
        vector[bits % DIM] += worth if bits >> 63 else -worth
    norm = float(np.linalg.norm(vector))
    return vector / np.float32(norm) if norm > 0 else None
