"""Head to head: other recommenders and ours over the same events, by one protocol.

python benchmarks/quality.py [DATASET|FILE] [--every N] [--json]

The protocol is that of docs/quality.md. What peers need is installed by this script alone, into a
cache of its own.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click
import msgspec
import numpy as np
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a file, too

from benchmarks.orders import DATASET
from benchmarks.peers.apart import Found, PeerFailed, run_peer
from benchmarks.peers.install import NotInstalled
from benchmarks.peers.prequential import Stream, numbered
from benchmarks.peers.registry import PEERS
from benchmarks.report import answer, run
from benchmarks.rig import BenchmarkFailed, say
from millstream.streams.assembly import warm_up
from millstream.streams.cli.reading import reading_options
from millstream.streams.collector import calm_collector
from millstream.streams.compare import compare_ranks
from millstream.streams.datasets import EventTable, Reading, read_events
from millstream.streams.errors import BadUsage
from millstream.streams.evaluate import evaluate
from millstream.streams.evaluation import FUSED, figures
from millstream.streams.settings import Settings
from millstream.streams.settings_reader import cache_dir, load_settings

OURS: Final = "millstream"


def head_to_head(
    table: EventTable, settings: Settings, names: Sequence[str], every: int, seed: int
) -> dict[str, object]:
    """Return each one's figures over the same scored events, and how far ours are ahead."""
    say(f"{OURS}: {len(table)} events")
    warm_up(settings)
    calm_collector()
    ours = evaluate(table, settings, every=every, seed=seed)
    users = np.array(ours.scored_events.users, np.int32)
    ranks = np.array(ours.ranks[FUSED], np.int32)
    found: dict[str, dict[str, object]] = {OURS: {"label": OURS, **ours.figures(FUSED)}}
    # Scored rarely, evaluate's own time an event would flatter.
    found[OURS]["us_per_event"] = ours.us_per_event if every == 1 else None
    stream = Stream(numbered(table.users), numbered(table.items), table.ts_ms)
    for name in names:
        found[name] = {"label": PEERS[name].label}
        try:
            peer = run_peer(name, stream, every, seed, cache_dir(), say)
        except (NotInstalled, PeerFailed) as error:
            say(f"{name} is not compared: {error}")
            found[name]["not_compared"] = str(error)
            continue
        if len(peer.ranks) != ours.scored:
            raise BenchmarkFailed(
                f"{name} scored {len(peer.ranks)} events and {OURS} {ours.scored}"
            )
        theirs = np.array(peer.ranks, np.int32)
        found[name] |= {**figures(theirs, users), **_costs(peer)}
        apart = compare_ranks(theirs, ranks, users, seed)
        found[name]["ours_minus_theirs"] = msgspec.to_builtins(apart)
    return {
        "dataset": table.name,
        "events": len(table),
        "scored": ours.scored,
        "every": every,
        "recommenders": found,
    }


def _costs(peer: Found) -> dict[str, float]:
    return {
        "score_us": round(peer.score_us, 1),
        "learn_us": round(peer.learn_us, 1),
        "us_per_event": round(peer.score_us + peer.learn_us, 1),
    }


@click.command(help=(__doc__ or "").splitlines()[0])
@click.argument("source", metavar="[DATASET|FILE]", default=DATASET)
@reading_options
@click.option("--every", type=click.IntRange(1), default=1, help="Score every Nth event only.")
@click.option("--seed", type=int, default=0, help="Of the random choice among ties.")
@click.option("--peers", metavar="NAME,…", help=f"Some of {', '.join(PEERS)}; default: all.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON instead of a table.")
def command(
    reading: Reading, source: str, every: int, seed: int, peers: str | None, as_json: bool
) -> int:
    names = list(PEERS) if peers is None else [name for name in peers.split(",") if name]
    for name in names:
        if name not in PEERS:
            raise BadUsage(f"--peers {name}: it must be one of {', '.join(PEERS)}")

    def measure() -> dict[str, object]:
        settings = load_settings()
        table = read_events(source, reading, settings.data_path, say)
        return head_to_head(table, settings, names, every, seed)

    return answer("quality", measure, _tables, as_json)


def _tables(found: Mapping[str, Any]) -> list[Table]:
    title = f"{found['dataset']}: {found['events']:,} events, {found['scored']:,} scored"
    table = Table(
        "", "Recall@10", "MRR@20", "ours − theirs, Recall@10", "µs an event", title=title
    )  # fmt: skip
    ranked = sorted(
        found["recommenders"].values(), key=lambda row: row.get("recall@10", -1.0), reverse=True
    )
    for row in ranked:
        if "not_compared" in row:
            table.add_row(row["label"], f"not compared: {row['not_compared']}")
            continue
        apart = row.get("ours_minus_theirs")
        cost = row["us_per_event"]
        table.add_row(
            row["label"],
            f"{row['recall@10']:.4f}",
            f"{row['mrr@20']:.4f}",
            _difference(apart["recall@10"]) if apart else "",
            "" if cost is None else f"{cost:,.0f}",
        )
    return [table]


def _difference(recall: Mapping[str, Any]) -> str:
    low, high = recall["ci95"]
    return f"{recall['difference']:+.4f} ({low:+.4f} to {high:+.4f})"


if __name__ == "__main__":
    sys.exit(run(command))
