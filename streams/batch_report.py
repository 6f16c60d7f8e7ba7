"""What became of some records, and where the time went."""

import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Report:
    """What became of some records; seconds by stage, and what each list waited for."""

    outcomes: dict[tuple[str, str], int] = field(default_factory=dict)  # (type, outcome)
    rejects: dict[str, int] = field(default_factory=dict)
    batches: list[int] = field(default_factory=list)
    lists: int = 0
    conflicts: int = 0
    profile_bytes: int = 0
    progress_moved: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    waits_s: list[float] = field(default_factory=list)  # append time -> list written, by event

    def count(self, type_: str, outcome: str) -> None:
        """Count one event."""
        key = (type_, outcome)
        self.outcomes[key] = self.outcomes.get(key, 0) + 1


class Stopwatch:
    """Adds up seconds by stage."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds = seconds
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        """Add the time since the last lap to a stage."""
        now = time.perf_counter()
        self._seconds[stage] = self._seconds.get(stage, 0.0) + now - self._last
        self._last = now
