"""MIND, Microsoft's news: what was shown to whom, and which of it was clicked."""

import re
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from millstream.streams.delimited import Dialect
from millstream.streams.loaders.format import Dataset, Format, ItemLayout, Layout, Rows
from millstream.streams.origins import Head

DATASETS: Final = {
    "mind": Dataset(
        "MIND: news, impressions and clicks",
        None,
        161_013,
        "Microsoft Research License Terms: research, non-commercial; name it when you publish "
        "(Wu et al. 2020).",
        "https://msnews.github.io",
        "behaviors.tsv",
        form=True,
    )
}
_NAMES: Final = ("impression", "user", "time", "history", "impressions")
_LINE: Final = re.compile(
    r"[^\t]+\t[^\t]+\t\d+/\d+/\d{4} \d+:\d\d:\d\d [AP]M\t[^\t]*\t[^\t]+", re.ASCII
)
_NEWS: Final = (
    "item", "categories", "subcategory", "title", "abstract", "url", "title_entities",
    "abstract_entities",
)  # fmt: skip
_NEWS_LINE: Final = re.compile(r"N\d+\t[^\t]*\t[^\t]*\t[^\t]+\t[^\t]*\t[^\t]*\t[^\t]*\t[^\t]*")


def layout(head: Head) -> Layout | None:
    """Return how impressions are read: a row for each piece of news that was clicked."""
    if not _LINE.fullmatch(head.first):
        return None
    return Layout(
        {name: name for name in ("user", "item", "ts", "type")},
        Dialect(_NAMES, "\t", quoted=False),
        reshape=_rows,
        remark=f"{head.origin.name}: the history before a person's first impression is left out; "
        "its clicks have no times",
    )


def _rows(shown: bool) -> Rows:
    def rows(part: pa.Table) -> pa.Table:
        """Return `N1-1 N2-0` as rows of their own: clicks, and impressions if they are wanted."""
        listed = pc.split_pattern(part.column("impressions").combine_chunks(), " ")
        parents = pc.list_parent_indices(listed)
        entries = pc.list_flatten(listed)
        clicked = pc.ends_with(entries, "-1")
        wanted = pc.or_(clicked, pc.ends_with(entries, "-0")) if shown else clicked
        entries, parents = entries.filter(wanted), parents.filter(wanted)
        words = pa.array(["click", "impression"]).dictionary_encode()
        types = words.take(pc.if_else(pc.ends_with(entries, "-1"), 0, 1))
        users = part.column("user").dictionary_encode().combine_chunks()
        times = pc.strptime(
            part.column("time"), format="%m/%d/%Y %I:%M:%S %p", unit="s", error_is_null=True
        )
        return pa.table(
            {
                "user": users.take(parents),
                "item": pc.utf8_slice_codeunits(entries, 0, -2).dictionary_encode(),
                "ts": times.take(parents),
                "type": types,
            }
        )

    return rows


def item_layout(head: Head) -> ItemLayout | None:
    """Return how the file of news is read."""
    if not _NEWS_LINE.fullmatch(head.first):
        return None
    return ItemLayout(
        {name: name for name in ("item", "title", "categories")}, Dialect(_NEWS, "\t", quoted=False)
    )


FORMAT: Final = Format("mind", DATASETS, ("behaviors.tsv",), layout, ("news.tsv",), item_layout)
