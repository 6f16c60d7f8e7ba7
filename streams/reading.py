"""How a file is to be read: which columns, which rows, what they mean."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from millstream.streams.columns import TsUnit


@dataclass(frozen=True, slots=True)
class Reading:
    """What a person says of a file; what is left open is guessed from the file, aloud."""

    columns: Mapping[str, str] = field(default_factory=dict)
    type: str | None = None
    """What the rows are; None: what a type column says, else ratings where `targets` chooses some
    of them and there is a value, else clicks."""
    positive: str | None = None
    ts_unit: TsUnit | None = None
    limit: int | None = None
    targets: str | None = None
    """Which rows are to be ranked; all teach."""
    types: Mapping[str, str] = field(default_factory=dict)
    """Words of a type column to our types."""
    impressions: bool = False
    """Whether what was shown and not clicked is read too, where a file tells."""
