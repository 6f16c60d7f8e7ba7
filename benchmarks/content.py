"""What content is worth: none, text, pictures and both, fused early, late and hybrid.

python benchmarks/content.py [--folder FOLDER] [--limit N] [--json]
python benchmarks/content.py --rows bonus
python benchmarks/content.py --rows crowd --limit 30000

MovieLens 100K with plots and posters: a folder with events.parquet (user_id, item_id, value, ts)
and items.parquet (item_id, title, year, genres, text, image). Posters are not shipped with this.
Categories and years count in every row but `none`. `bonus` is what young items cost and bring;
`crowd` puts 10,000 made-up items, each between two of the catalogue's, behind those.
"""

import dataclasses
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args

import click
import msgspec
import numpy as np
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a file, too

from benchmarks.report import answer, run
from benchmarks.rig import say
from millstream.models.content import Fusion
from millstream.models.embedding import Embedding, Modality, Part, unit_vector
from millstream.streams.assembly import warm_up
from millstream.streams.cli.progress import progress
from millstream.streams.collector import calm_collector
from millstream.streams.datasets import EventTable, Reading, read_events
from millstream.streams.describe_file import describe_file
from millstream.streams.described import DescribedItem, DescribedItems
from millstream.streams.errors import WorldMissing
from millstream.streams.evaluate import Plan, evaluate
from millstream.streams.evaluation import FUSED
from millstream.streams.settings import Settings
from millstream.streams.settings_reader import cache_dir, load_settings, with_setting

ATTRIBUTES: Final[tuple[Modality, ...]] = ("categories", "numbers")
CONTENTS: Final[Mapping[str, tuple[Modality, ...]]] = {
    "text": ("text", *ATTRIBUTES),
    "image": ("image", *ATTRIBUTES),
    "text+image": ("text", "image", *ATTRIBUTES),
}
ALL: Final = CONTENTS["text+image"]
MADE_UP: Final = 10_000


class Row(NamedTuple):
    """One measurement: which modalities, with which settings, among how many made-up items."""

    name: str
    modalities: tuple[Modality, ...]
    settings: Mapping[str, str]
    made_up: int = 0


def _fused(how: Fusion) -> Mapping[str, str]:
    return {"content.fusion": how}


ROWS: Final[Mapping[str, Sequence[Row]]] = {
    "contents": [
        Row("none", (), _fused("late")),
        Row("categories, years", ATTRIBUTES, _fused("late")),
        *(
            Row(f"{name}, {how}", of, _fused(how))
            for name, of in CONTENTS.items()
            for how in get_args(Fusion)
        ),
    ],
    "bonus": [
        Row(bonus, ALL, {"newcomers.after": "0", "content.young_bonus": bonus})
        for bonus in ("0", "0.25", "0.5", "0.75", "1", "1.5", "2")
    ],
    "crowd": [
        Row("nobody else", ALL, {}),
        Row("cells", ALL, {}, MADE_UP),
        Row("all looked at", ALL, {"content.young_max": "100000"}, MADE_UP),
    ],
}
EVENT_COLUMNS: Final = {"user": "user_id", "item": "item_id", "ts": "ts", "value": "value"}
ITEM_COLUMNS: Final = {
    "item": "item_id",
    "title": "title",
    "description": "text",
    "categories": "genres",
    "image": "image",
}
FIGURES: Final = ("recall@10", "mrr@20", "first_event@10", "first_event@50", "items_1_5@10")
HEADS: Final = ("R@10", "MRR@20", "first event, R@10", "R@50", "items 1-5, R@10", "µs an event")


def measure(folder: Path, rows: Sequence[Row], limit: int | None, every: int) -> dict[str, object]:
    """Return the figures of every row. Raises WorldMissing where the data are not here."""
    events, items = folder / "events.parquet", folder / "items.parquet"
    for file in (events, items):
        if not file.is_file():
            raise WorldMissing(
                f"{file} is not here: MovieLens 100K with plots and posters; --folder says where"
            )
    settings = load_settings()
    reading = Reading(columns=EVENT_COLUMNS, positive="value>=4", limit=limit)
    table = read_events(str(events), reading, settings.data_path, say)
    catalogue = describe_file(str(items), ITEM_COLUMNS, settings, cache_dir(), say, progress)
    found = {}
    for row in rows:
        figures = found[row.name] = _figures(table, settings, catalogue, row, every)
        say(f"{row.name}: {', '.join(f'{figure} {figures[figure]:.4f}' for figure in FIGURES)}")
    return {
        "events": len(table),
        "items": msgspec.to_builtins(catalogue.found()),
        "rows": found,
    }


def crowded(catalogue: DescribedItems, made_up: int) -> DescribedItems:
    """Return a catalogue with so many items behind it that lie between two of its own."""
    chance, entries = np.random.default_rng(0), catalogue.entries
    behind = []
    for n, (a, b) in enumerate(chance.integers(0, len(entries), (made_up, 2)).tolist()):
        one, other = entries[a].embedding, entries[b].embedding
        parts = {
            modality: between(part, other.parts.get(modality, part))
            for modality, part in one.parts.items()
        }
        behind.append(DescribedItem(f"made-up {n}", entries[a].gate, Embedding(parts)))
    return dataclasses.replace(catalogue, entries=[*entries, *behind])


def between(one: Part, other: Part) -> Part:
    """Return what lies half way between two parts of one modality."""
    mean = one.vector.astype(np.float32) + other.vector.astype(np.float32)
    length = np.linalg.norm(mean)
    # Two that are opposites have nothing between them.
    return Part(unit_vector(mean / length), one.version, one.digest) if length > 1e-3 else one


def _figures(
    table: EventTable, settings: Settings, catalogue: DescribedItems, row: Row, every: int
) -> dict[str, float]:
    for key, value in row.settings.items():
        settings = with_setting(settings, key, value, "--rows")
    items = crowded(catalogue.only(row.modalities), row.made_up) if row.modalities else None
    warm_up(settings)
    calm_collector()
    found = evaluate(table, settings, Plan(every=every, sources=False), items=items)
    fused, (_, first) = found.figures(FUSED), found.slice("first_event")
    _, few = found.slice("item_events_1_5")
    return {
        "scored": found.scored,
        "recall@10": fused["recall@10"],
        "mrr@20": fused["mrr@20"],
        "first_event@10": first["recall@10"],
        "first_event@50": first["recall@50"],
        "items_1_5@10": few["recall@10"],
        "us_per_event": found.us_per_event,
    }


def default_folder() -> Path:
    """Return where the tests' data are looked for."""
    data = os.environ.get("MILLSTREAM_TEST_DATA")
    root = Path(__file__).resolve().parent.parent
    return (Path(data) if data else root.parent / "shared" / "data") / "movielens100k"


@click.command(help=(__doc__ or "").splitlines()[0])
@click.option("--folder", type=click.Path(path_type=Path), help="Where the data are.")
@click.option(
    "--rows", "which", type=click.Choice(list(ROWS)), default="contents", help="What to compare."
)
@click.option("--limit", type=click.IntRange(1), help="So many events, the earliest.")
@click.option("--every", type=click.IntRange(1), default=1, help="Score every Nth event only.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON instead of a table.")
def command(folder: Path | None, which: str, limit: int | None, every: int, as_json: bool) -> int:
    where = folder or default_folder()
    return answer("content", lambda: measure(where, ROWS[which], limit, every), _tables, as_json)


def _tables(found: Mapping[str, Any]) -> list[Table]:
    table = Table("", *HEADS, title=f"{found['events']:,} events")
    for name, row in found["rows"].items():
        figures = [f"{row[figure]:.4f}" for figure in FIGURES]
        table.add_row(name, *figures, f"{row['us_per_event']:,.0f}")
    return [table]


if __name__ == "__main__":
    sys.exit(run(command))
