"""What `millstream tune` may turn, and how far: one table, and how it steps within it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from millstream.models.registry import SOURCES
from millstream.streams.settings import Settings
from millstream.streams.settings_reader import with_setting

DIGITS: Final = 3
"""Figures that count in a tuned number: more would be chance."""


@dataclass(frozen=True, slots=True)
class Range:
    """A numeric setting between two bounds; `log`: its steps are factors, so low is above 0."""

    key: str
    low: float
    high: float
    log: bool = False
    whole: bool = False

    def stepped(self, value: float, by: float) -> float:
        """Return the value moved by a share of the range, -1 to 1, and held within it."""
        moved = self.at(self.place(value) + by)
        if self.whole and moved == value:
            moved = value + math.copysign(1.0, by)
        return min(max(moved, self.low), self.high)

    def at(self, place: float) -> float:
        """Return the value at a place, 0 the lowest and 1 the highest."""
        place = min(max(place, 0.0), 1.0)
        if self.log:
            value = self.low * (self.high / self.low) ** place
        else:
            value = self.low + (self.high - self.low) * place
        return float(round(value)) if self.whole else float(f"{value:.{DIGITS}g}")

    def place(self, value: float) -> float:
        """Return where a value lies, 0 to 1; one that is outside counts as the bound."""
        value = min(max(value, self.low), self.high)
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def of(self, settings: Settings) -> float:
        """Return what the settings say."""
        section, _, name = self.key.partition(".")
        return float(getattr(getattr(settings, section), name))

    def put(self, settings: Settings, value: float) -> Settings:
        """Return settings with this one changed."""
        return with_setting(settings, self.key, self.text(value), "tune")

    def text(self, value: float) -> str:
        """Return the value as TOML has it."""
        return str(int(value)) if self.whole else repr(float(value))


RANGES: Final[Sequence[Range]] = (
    Range("pairs.pair_decay", 0.7, 0.999),
    Range("pairs.pair_items", 5, 100, log=True, whole=True),
    Range("pairs.rule_decay", 0.1, 0.95),
    Range("pairs.rule_items", 1, 50, log=True, whole=True),
    Range("pairs.near_s", 1.0, 100_000.0, log=True),
    Range("pairs.near_short_s", 1.0, 100_000.0, log=True),
    Range("pop.half_life", 200, 200_000, log=True),
    Range("mf.unobserved_weight", 0.01, 1.0, log=True),
    Range("fusion.rate", 0.0001, 0.01, log=True),
    Range("fism.rate", 0.02, 0.5, log=True),
    Range("mf.ridge", 0.3, 30.0, log=True),
    Range("mf.profile_decay", 0.5, 0.99),
)


def ranges_of(settings: Settings) -> list[Range]:
    """Return the ranges that matter: those of the sources in use, and of what is no source."""
    sections = {one.key.partition(".")[0] for one in RANGES}
    idle = {name for name in sections if name in SOURCES and name not in settings.model.sources}
    return [one for one in RANGES if one.key.partition(".")[0] not in idle]
