"""One encoder's vectors made short: mean away, principal axes, and eight bits a number.

    code = round(127 r / max|r|),   r = unit(axes (unit(v) - mean))

Encoders put everything into a narrow cone: without its mean, what is left tells items apart. Mean
and axes are fitted to the first vectors, anew whenever there are twice as many, and frozen at
`FIT_MAX`: from then on a vector's code never changes (principal components: Hotelling 1933).
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int8]
Halves = npt.NDArray[np.float16]

DIM: Final = 64
FIT_MAX: Final = 2048
TINY: Final = 1e-9
AT_MEAN: Final = 1e-3
"""Nearer to the mean, float16 tells nothing apart: there an item has hardly a direction."""


class Space:
    """Mean, axes and, until they are frozen, what they were fitted to."""

    def __init__(self, version: str = "", width: int = 0) -> None:
        """Begin empty, for vectors (width,) of one version of an encoder."""
        self.version = version
        self.width = width
        self.count = 0
        self.mean: Floats = np.zeros(width, np.float32)
        self.axes: Floats = np.zeros((width, DIM), np.float32)
        self.kept: dict[int, Halves] = {}  # by row, while not frozen

    @property
    def frozen(self) -> bool:
        """Return whether mean and axes stay as they are."""
        return self.count >= FIT_MAX

    def add(self, row: int, vector: Halves) -> tuple[list[int], Codes, Floats]:
        """Take in an item's vector; return rows, codes (N, DIM) and scales (N,) that are new.

        Of this row alone, or of all that are kept where mean and axes were fitted anew.
        """
        if self.frozen:
            return [row], *self.encode(vector[None, :])
        is_new = row not in self.kept
        self.count += is_new
        self.kept[row] = vector
        if not is_new or self.count & (self.count - 1):
            return [row], *self.encode(vector[None, :])
        self._fit()
        rows = list(self.kept)
        encoded = self.encode(np.stack(list(self.kept.values())))
        if self.count >= FIT_MAX:
            self.kept.clear()
        return rows, *encoded

    def forget(self, rows: Sequence[int]) -> None:
        """Drop what is kept of rows; what was fitted to them stays."""
        for row in rows:
            self.kept.pop(row, None)

    def encode(self, vectors: npt.NDArray[np.floating]) -> tuple[Codes, Floats]:
        """Return codes (N, DIM) and scales (N,): code x scale is the short unit vector, or 0."""
        short = _unit((_unit(vectors) - self.mean) @ self.axes, AT_MEAN)
        most = np.abs(short).max(axis=1, initial=0.0)
        scales = (most / 127.0).astype(np.float32)
        codes = np.rint(short / np.maximum(scales, TINY)[:, None]).astype(np.int8)
        return codes, scales

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the state."""
        kept = np.stack(list(self.kept.values())) if self.kept else np.zeros((0, self.width))
        return {
            "version": np.frombuffer(self.version.encode(), np.uint8),
            "count": np.array([self.count], np.int64),
            "mean": self.mean,
            "axes": self.axes,
            "kept": kept.astype(np.float16),
            "kept_rows": np.array(list(self.kept), np.int32),
        }

    @classmethod
    def loaded(cls, arrays: Mapping[str, npt.NDArray[np.generic]]) -> "Space":
        """Return the space whose `arrays` these are."""
        version = np.asarray(arrays["version"], np.uint8).tobytes().decode()
        space = cls(version, len(arrays["mean"]))
        space.count = int(np.asarray(arrays["count"], np.int64)[0])
        space.mean = np.array(arrays["mean"], np.float32)
        space.axes = np.array(arrays["axes"], np.float32)
        rows = np.asarray(arrays["kept_rows"], np.int32).tolist()
        space.kept = dict(zip(rows, np.array(arrays["kept"], np.float16), strict=True))
        return space

    def _fit(self) -> None:
        """Set mean and axes by what is kept."""
        vectors = _unit(np.stack(list(self.kept.values())))
        self.mean = vectors.mean(axis=0)
        centred = vectors - self.mean
        few = len(centred) < self.width
        square = (centred @ centred.T if few else centred.T @ centred).astype(np.float64)
        values, found = np.linalg.eigh(square)
        kept = [n for n in np.argsort(-values, kind="stable")[:DIM] if values[n] > 1e-6]
        axes = centred.T.astype(np.float64) @ found[:, kept] if few else found[:, kept]
        axes /= np.maximum(np.linalg.norm(axes, axis=0), TINY)
        turned = axes[np.abs(axes).argmax(axis=0), np.arange(len(kept))] < 0
        axes[:, turned] *= -1.0  # an axis has no sign of its own
        self.axes = np.zeros((self.width, DIM), np.float32)
        self.axes[:, : len(kept)] = axes


def _unit(vectors: npt.NDArray[np.floating], least: float = TINY) -> Floats:
    """Return rows at length 1; what is shorter than `least` stays shorter than 1."""
    rows = np.asarray(vectors, np.float32)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(norms, least), np.float32)
