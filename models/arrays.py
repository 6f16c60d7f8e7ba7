"""Arrays over item rows that grow by doubling."""

from typing import TypeVar

import numpy as np
import numpy.typing as npt

Scalar = TypeVar("Scalar", bound=np.generic)


def grown(array: npt.NDArray[Scalar], rows: int) -> npt.NDArray[Scalar]:
    """Return the array itself, or a copy of at least twice its length, zeros behind."""
    if rows <= len(array):
        return array
    longer = np.zeros((max(rows, 2 * len(array), 64), *array.shape[1:]), array.dtype)
    longer[: len(array)] = array
    return longer
