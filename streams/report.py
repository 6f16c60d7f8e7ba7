"""`evaluate --report`: one page that needs nothing else: text, plots, and every plot's numbers."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from millstream.streams.breakdown import (
    Part,
    by_item_age,
    by_item_count,
    by_profile_length,
    drifts,
    windows,
)
from millstream.streams.described import items_sentence
from millstream.streams.errors import WorldMissing
from millstream.streams.evaluation import FUSED, SLICES, Evaluation, Figures
from millstream.streams.evaluation_json import Asked
from millstream.streams.listed import Lists, mean
from millstream.streams.report_page import figure, page, table
from millstream.streams.svg import Bar, Line, bar_plot, line_plot

LINES_MOST: Final = 5
LORENZ_POINTS: Final = 21
LEARNT: Final = {
    "prequential": "before the model learnt it",
    "leave-last-out": "when the model had learnt all that was not held out",
}
AXIS: Final = "events replayed"
HEADINGS: Final = ("recall@10", "95 % from", "to", "recall@50", "mrr@20", "scored")


def write_report(path: Path, dataset: str, found: Evaluation, asked: Asked, machine: str) -> None:
    """Write the page. Raises WorldMissing when the file cannot be written."""
    whole = report(dataset, found, asked, machine)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_text(whole, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise WorldMissing(f"--report {path} cannot be written: {error.strerror}") from error


def report(dataset: str, found: Evaluation, asked: Asked, machine: str) -> str:
    """Return the page as HTML."""
    sections = [_summary(found), _by_source(found)]
    if found.scored:
        sections += [_over_time(found)]
        sections += [_parts(found, *one) for one in PARTS]
        sections += [_lists(found), _cost(found)]
    sections.append(_run(found, asked, machine))
    return page(f"Evaluation of {dataset}", sections)


def _summary(found: Evaluation) -> str:
    fused = found.figures(FUSED)
    low, high = fused["ci95"]
    text = (
        f"<p>Of {found.events:,} events {found.scored:,} were scored: each was ranked against the "
        f"whole catalogue {LEARNT[found.protocol]}. In "
        f"<strong>{100 * fused['recall@10']:.1f} %</strong> of them the item that was "
        f"chosen stood among the first ten (95 % interval, by person: {100 * low:.1f} to "
        f"{100 * high:.1f} %). Ties are broken at random and nothing is sampled.</p>"
    )
    if not found.scored:
        text = (
            f"<p>Nothing was scored: of {found.events:,} events none had an earlier one of its "
            "person and an item that was new to them.</p>"
        )
    for drift in drifts(found):
        became = "worse" if drift.is_loss else "better"
        text += (
            f"<p>Near event {drift.at + 1:,} the lists became {became}: they hit "
            f"{drift.before:.3f} more often than popularity before, {drift.after:.3f} after "
            "(ADWIN).</p>"
        )
    rows = [["all", *_cells(fused, found.scored)]]
    for name in SLICES:
        scored, figures = found.slice(name)
        rows.append([name, *_cells(figures, scored)])
    note = (
        "<p>user_events_2_6: the event is its person's 2nd to 6th. item_events_1_5: its item had "
        "one to five events before. first_event: it had none, so that nothing but content could "
        "have listed it.</p>"
    )
    return f"<h2>Summary</h2>{text}{table(['', *HEADINGS], rows)}{note}"


def _by_source(found: Evaluation) -> str:
    bars, rows = [], []
    for name in found.ranks:
        figures = found.figures(name)
        low, high = figures["ci95"]
        bars.append(Bar(name, figures["recall@10"], low, high, name == FUSED))
        rows.append([name, *_cells(figures, found.scored)])
    title = "Recall@10, fused and by source"
    note = (
        "The fused list is ranked among what production would have listed; each source alone over "
        "the whole catalogue. Whiskers are 95 % intervals, clustered by person."
    )
    return figure(title, bar_plot(title, bars), note, ["", *HEADINGS], rows)


def _over_time(found: Evaluation) -> str:
    parts = windows(found)
    best = sorted(
        (name for name in found.ranks if name != FUSED),
        key=lambda name: -found.figures(name)["recall@10"],
    )
    shown = [FUSED, *best[: LINES_MOST - 1]]
    recalls = {name: _recalls(found, name, parts) for name in shown}
    band = [part.figures["ci95"] for part in parts]
    lines = [Line(name, recalls[name], band if name == FUSED else ()) for name in shown]
    rows = [
        [part.name, str(part.scored), *(f"{recalls[name][n]:.4f}" for name in shown)]
        for n, part in enumerate(parts)
    ]
    title = "Recall@10 over time"
    return figure(
        title,
        line_plot(title, lines, [part.name for part in parts], AXIS),
        "Windows of as many scored events each. The band is the fused list's 95 % interval.",
        ["to event", "scored", *shown],
        rows,
    )


PARTS: Final[Sequence[tuple[str, str, Callable[[Evaluation], list[Part]]]]] = (
    ("profile length", "How many events the person had before.", by_profile_length),
    ("item age", "How long before the item had had its first event.", by_item_age),
    ("item count", "How many events the item had had before.", by_item_count),
)


def _parts(
    found: Evaluation, by: str, note: str, divide: Callable[[Evaluation], list[Part]]
) -> str:
    parts = divide(found)
    bars = [
        Bar(
            part.name,
            part.figures["recall@10"],
            *part.figures["ci95"],
            strong=True,
            note=f"of {part.scored:,}",
        )
        for part in parts
    ]
    others = [name for name in found.ranks if name != FUSED]
    recalls = {name: _recalls(found, name, parts) for name in others}
    rows = [
        [
            part.name,
            *_cells(part.figures, part.scored),
            *(f"{recalls[name][n]:.4f}" for name in others),
        ]
        for n, part in enumerate(parts)
    ]
    title = f"Recall@10 by {by}"
    return figure(title, bar_plot(title, bars), note, [by, *HEADINGS, *others], rows)


def _lists(found: Evaluation) -> str:
    lists = found.lists
    if lists is None or not len(lists.covered):
        return ""
    parts = windows(found)
    labels = [part.name for part in parts]
    rows = [
        [name.replace("_", " "), "–" if value is None else f"{value:.4f}"]
        for name, value in lists.figures().items()
    ]
    note = (
        "<p>Of the first ten of every list. Coverage: the share of the items met that were listed "
        "at all. Gini: of how often each was listed, 0 when all alike. Intra-list distance: 1 − "
        "cosine, the mean over a list's pairs. Novelty: bits, −log2 of an item's share of the "
        "events so far.</p>"
    )
    out = [f"<h2>What the lists are like</h2>{table(['', 'all lists'], rows)}{note}"]
    for title, line in (
        ("Coverage over time", Line("coverage", [_last(lists.covered, part) for part in parts])),
        ("Intra-list distance", Line("distance", [_mean(lists.distance, part) for part in parts])),
        ("Novelty, in bits", Line("novelty", [_mean(lists.novelty, part) for part in parts])),
    ):
        numbers = [
            [label, "–" if value is None else f"{value:.4f}"]
            for label, value in zip(labels, line.values, strict=True)
        ]
        plot = line_plot(title, [line], labels, AXIS)
        out.append(figure(title, plot, "", ["to event", line.name], numbers, level=3))
    return "".join([*out, _lorenz(lists)])


def _lorenz(lists: Lists) -> str:
    counts = lists.counts()
    share = np.concatenate(([0.0], np.cumsum(counts) / max(int(counts.sum()), 1)))
    items = np.linspace(0.0, 1.0, LORENZ_POINTS)
    listed = np.interp(items * len(counts), np.arange(len(counts) + 1), share).tolist()
    labels = [f"{100 * item:.0f} %" for item in items.tolist()]
    title = "How evenly items are listed"
    lines = [Line("listings", listed), Line("if all alike", items.tolist())]
    return figure(
        title,
        line_plot(title, lines, labels, "items, the most often listed first"),
        "The share of all listings that goes to so many of the items.",
        ["items", "share of listings"],
        [[label, f"{value:.4f}"] for label, value in zip(labels, listed, strict=True)],
        level=3,
    )


def _cost(found: Evaluation) -> str:
    parts = windows(found)
    score = np.array(found.score_ns, np.float64) / 1000
    learn = np.array(found.learn_ns, np.float64) / 1000
    # Learning is timed for every event, scoring for the scored ones: cut into as many windows.
    learning = [_middle(lot) for lot in np.array_split(learn, len(parts))]
    scoring = [_middle(score[part.of]) for part in parts]
    title = "Time an event"
    quantiles = [
        [name, *(f"{value:.1f}" for value in (lot.mean(), *np.quantile(lot, (0.5, 0.99))))]
        for name, lot in (("retrieve and score", score), ("learn", learn))
        if len(lot)
    ]
    lines = [Line("score", scoring), Line("learn", learning)]
    rows = [[part.name, _micros(scoring[n]), _micros(learning[n])] for n, part in enumerate(parts)]
    plot = line_plot(title, lines, [part.name for part in parts], AXIS)
    note = "Median thread CPU in microseconds, one event at a time; production works in batches."
    return figure(title, plot, note, ["to event", "score", "learn"], rows) + table(
        ["µs", "mean", "median", "99 % below"], quantiles
    )


def _run(found: Evaluation, asked: Asked, machine: str) -> str:
    rows = [
        ["protocol", found.protocol],
        ["--positive", asked.positive or "–"],
        ["--targets", asked.targets or "–"],
        ["--limit", "–" if asked.limit is None else f"{asked.limit:,}"],
        ["--every", str(asked.every)],
        ["--seed", str(asked.seed)],
        ["--set", ", ".join(asked.set) or "–"],
        ["--items", asked.items or "–"],
        ["items", items_sentence(found.items) if found.items else "–"],
        ["machine", machine],
        ["events scored", found.fingerprint],
    ]
    return f"<h2>The run</h2>{table(['', ''], rows)}"


def _recalls(found: Evaluation, name: str, parts: Sequence[Part]) -> list[float]:
    return [found.figures(name, part.of)["recall@10"] for part in parts]


def _cells(figures: Figures, scored: int) -> list[str]:
    low, high = figures["ci95"]
    numbers = [figures["recall@10"], low, high]
    numbers += [figures["recall@50"], figures["mrr@20"]]
    return [*(f"{number:.4f}" for number in numbers), f"{scored:,}"]


def _mean(values: Sequence[float], part: Part) -> float | None:
    return mean(np.array(values, np.float64)[part.of].tolist())


def _last(values: Sequence[float], part: Part) -> float | None:
    return float(values[part.last()])


def _middle(lot: npt.NDArray[np.float64]) -> float | None:
    return float(np.median(lot)) if len(lot) else None


def _micros(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"
