"""What everybody shares in Redis: popular, trending, and the neighbours of items."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec
import numpy as np

from millstream.exporters.store import Store
from millstream.models.decayed import Decayed
from millstream.models.histories import Histories, Rows
from millstream.models.item_model import LearnedModel
from millstream.models.pop import Pop
from millstream.streams.catalogue_follower import CatalogueFollower
from millstream.streams.listing import Entry, Listing, encode_listing, listing_id
from millstream.streams.log import Log
from millstream.streams.patience import Patience
from millstream.streams.settings import Settings

EVERY_MS: Final = 1_000
LIST_LENGTH: Final = 100
NEIGHBOURS: Final = 20
NEIGHBOURS_A_TICK: Final = 200


class SharedLists:
    """Written by the owner of the item model, at most once a second, for what has changed."""

    def __init__(
        self,
        settings: Settings,
        log: Log,
        store: Store,
        patience: Patience,
        clock_ms: Callable[[], int],
    ) -> None:
        self._settings_hash = settings.shape_hash()
        self._store = store
        self._patience = patience
        self._clock_ms = clock_ms
        self._catalogue = CatalogueFollower(settings, log)
        self._due_ms = 0
        self._written = -1
        self._changed: dict[int, None] = {}

    def open(self) -> None:
        """Begin to follow the catalogue."""
        self._catalogue.open()

    def close(self) -> None:
        """Stop following."""
        self._catalogue.close()

    def changed(self, rows: Iterable[int]) -> None:
        """Note items whose neighbours may have changed; the oldest wait longest, none twice."""
        self._changed.update(dict.fromkeys(rows))

    def tick(self, model: LearnedModel) -> None:
        """Write what is due."""
        now_ms = self._clock_ms()
        if now_ms < self._due_ms:
            return
        self._due_ms = now_ms + EVERY_MS
        read = self._patience.call(self._catalogue.catch_up)
        if model.offset != self._written or read:
            self._write_heads(model, now_ms)
            self._written = model.offset
        self.changed(model.take_touched())
        rows = list(self._changed)[:NEIGHBOURS_A_TICK]
        for row in rows:
            del self._changed[row]
        self._write_neighbours(model, [r for r in rows if model.rows.item(r)], now_ms)

    def _write_heads(self, model: LearnedModel, now_ms: int) -> None:
        pop = model.sources.get("pop")
        if not isinstance(pop, Pop):
            return
        self._write_head("popular", pop.popular, model, now_ms)
        self._write_head("trending", pop.trending, model, now_ms)

    def _write_head(self, name: str, counts: Decayed, model: LearnedModel, now_ms: int) -> None:
        rows = counts.top(2 * LIST_LENGTH)
        scores = counts.read(rows[None, :])[0].tolist()
        entries = [
            Entry(item, round(score, 5), name)
            for row, score in zip(rows.tolist(), scores, strict=True)
            if (item := model.rows.item(row)) and self._shown(item, now_ms)
        ][:LIST_LENGTH]
        listing = Listing(
            listing_id(name, b"", model.offset, now_ms),
            "",
            now_ms,
            {},
            model.offset,
            self._settings_hash,
            list(self._catalogue.catalogue.versions),
            entries,
        )
        value = encode_listing(listing)
        self._patience.call(lambda: self._store.write_shared(name, value))  # type: ignore[arg-type]

    def _write_neighbours(self, model: LearnedModel, rows: Sequence[int], now_ms: int) -> None:
        source = model.sources.get("pairs")
        if source is None or not rows:
            return
        alone = _alone(rows, now_ms)
        found: Rows = source.retrieve(alone, NEIGHBOURS + 1)
        scores = source.score(alone, found)[0]
        similar = {}
        for row, others, worth in zip(rows, found.tolist(), scores.tolist(), strict=True):
            entries = [
                Entry(item, round(score, 5), "co")
                for other, score in zip(others, worth, strict=True)
                if other >= 0
                and other != row
                and (item := model.rows.item(other))
                and self._shown(item, now_ms)
            ]
            entries.sort(key=lambda entry: -entry.score)  # proposals by rules stand in between
            similar[model.rows.item(row)] = msgspec.json.encode({"items": entries[:NEIGHBOURS]})
        self._patience.call(lambda: self._store.write_similar(similar))

    def _shown(self, item: str, now_ms: int) -> bool:
        return self._catalogue.catalogue.shown(item, now_ms)


def _alone(rows: Sequence[int], now_ms: int) -> Histories:
    """Return histories that hold one item each."""
    n = len(rows)
    return Histories(
        np.arange(n + 1, dtype=np.int64),
        np.array(rows, np.int32),
        np.ones(n, np.float32),
        np.full(n, now_ms, np.int64),
        np.full(n, now_ms, np.int64),
        np.zeros(n, np.uint64),
    )
