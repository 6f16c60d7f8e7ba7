"""What the embedding side of ENCODE has done, for whoever tells it to the metrics."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class EmbedCounts:
    """What has been done, and how long each stage of each batch took."""

    outcomes: dict[tuple[str, str], int] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    seconds: list[tuple[str, float]] = field(default_factory=list)

    def outcome(self, modality: str, outcome: str) -> None:
        """Count one input of a modality: encoded, cached, kept, empty or failed."""
        key = (modality, outcome)
        self.outcomes[key] = self.outcomes.get(key, 0) + 1
