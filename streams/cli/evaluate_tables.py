"""What `millstream evaluate` and `tune` show on a terminal."""

from collections.abc import Sequence

from rich.table import Table

from millstream.streams.breakdown import drifts
from millstream.streams.cli.output import stdout
from millstream.streams.compare import Change, Comparison
from millstream.streams.described import items_sentence
from millstream.streams.evaluation import SLICES, Evaluation, Figures
from millstream.streams.tune import Tuned

SLICE_TITLES = {
    "user_events_2_6": "a person's 2nd to 6th event",
    "item_events_1_5": "items with 1 to 5 events before",
    "first_event": "an item's first event",
}
COLUMNS = ("recall@10", "95 %", "recall@50", "mrr@20")


def show_evaluation(source: str, found: Evaluation, machine: str) -> None:
    """Print the figures: fused, by source, by slice, and what they cost."""
    table = Table("", *COLUMNS, "scored", title_justify="left")
    table.title = f"{_plain(source)}: {found.scored:,} of {found.events:,} events scored"
    for name in found.ranks:
        table.add_row(name, *_row(found.figures(name)), f"{found.scored:,}")
    table.add_section()
    for name in SLICES:
        scored, figures = found.slice(name)
        table.add_row(SLICE_TITLES[name], *_row(figures), f"{scored:,}")
    console = stdout()
    console.print(table)
    for drift in drifts(found):
        became = "worse" if drift.is_loss else "better"
        console.print(
            f"Near event {drift.at + 1:,} the lists became {became}: they hit {drift.before:.3f} "
            f"more often than popularity before, {drift.after:.3f} after.",
            markup=False,
        )
    console.print(
        f"{found.us_per_event} µs an event ({found.us_score} to retrieve and score, "
        f"{found.us_learn} to learn); {machine}",
        markup=False,
    )
    if found.items is not None:
        console.print(
            f"{items_sentence(found.items)}; {found.us_per_item} µs an item", markup=False
        )


def show_comparison(a: str, b: str, result: Comparison) -> None:
    """Print b held against a."""
    title = f"{_plain(b)} against {_plain(a)}: {result.scored:,} events of {result.users:,} people"
    table = Table("", "a", "b", "difference", "95 %", "p (sign-flip by person)", title=title)
    table.title_justify = "left"
    for name, change in (("recall@10", result.recall), ("mrr@20", result.mrr)):
        table.add_row(name, *_change(change))
    console = stdout()
    console.print(table)
    console.print(
        f"hit by a only {result.only_a_hit:,}, by b only {result.only_b_hit:,}: "
        f"McNemar p = {result.p_mcnemar:g}. {result.verdict[0].upper()}{result.verdict[1:]}.",
        markup=False,
    )


def show_tuned(source: str, answer: Tuned) -> None:
    """Print the best settings met and what they are worth on events that no trial saw."""
    console = stdout()
    console.print(
        f"{source}: {answer.trials} trials on the first {answer.searched_events:,} events, "
        f"recall@10 there {answer.base:.4f} before, {answer.best:.4f} at best",
        markup=False,
    )
    if answer.rest is not None:
        show_comparison("as they are", "tuned", answer.rest)
    if answer.toml:
        console.print(answer.toml, markup=False, soft_wrap=True)
    console.print(f"{answer.verdict[0].upper()}{answer.verdict[1:]}.", markup=False)


def _row(figures: Figures) -> Sequence[str]:
    low, high = figures["ci95"]
    return (
        f"{figures['recall@10']:.4f}",
        f"{low:.4f} to {high:.4f}",
        f"{figures['recall@50']:.4f}",
        f"{figures['mrr@20']:.4f}",
    )


def _change(change: Change) -> Sequence[str]:
    low, high = change.ci95
    return (
        f"{change.a:.4f}",
        f"{change.b:.4f}",
        f"{change.difference:+.4f}",
        f"{low:+.4f} to {high:+.4f}",
        f"{change.p_sign_flip:g}",
    )


def _plain(text: str) -> str:
    """Return text that Rich takes for no markup."""
    return text.replace("[", r"\[")
