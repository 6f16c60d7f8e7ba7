"""Which interactions are repeats: so that every event is learnt once, whoever published it."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from millstream.models.interaction import Interaction

RECENT_KEYS: Final = 65_536
"""Event ids remembered: two workers that meet one id at once publish it from two places."""

Keys = npt.NDArray[np.uint64]


class Repeats:
    """Part of the fold of `interactions`: a function of the records met, bounded.

    Every publisher goes forward from acknowledged progress, so the first copies of a topic
    partition's events come in order, and one at or below the highest met is a repeat.
    """

    def __init__(self) -> None:
        self.highest: dict[str, int] = {}  # "topic_id:partition" -> highest source offset met
        self._recent: dict[int, None] = {}  # event keys, oldest first

    def is_repeat(self, interaction: Interaction, topic_id: str) -> bool:
        """Return whether this was met before, and remember it."""
        at = f"{topic_id}:{interaction.partition}"
        if interaction.offset <= self.highest.get(at, -1):
            return True
        self.highest[at] = interaction.offset
        key = (interaction.user ^ (interaction.key * 0x9E3779B97F4A7C15)) & 0xFFFFFFFFFFFFFFFF
        if key in self._recent:
            return True
        self._recent[key] = None
        if len(self._recent) > RECENT_KEYS:
            del self._recent[next(iter(self._recent))]
        return False

    def recent(self) -> Keys:
        """Return the remembered event keys, oldest first."""
        return np.fromiter(self._recent, np.uint64, len(self._recent))

    def load(self, partitions: Sequence[str], offsets: Sequence[int], recent: Keys) -> None:
        """Replace what is remembered."""
        self.highest = dict(zip(partitions, offsets, strict=True))
        self._recent = dict.fromkeys(recent.tolist())
