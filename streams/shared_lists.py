"""What everybody shares in Redis: popular, trending, and the neighbours of items."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, islice
from typing import Final

import msgspec

from millstream.exporters.store import Store
from millstream.models.decayed import Decayed
from millstream.models.embedding import MODALITIES
from millstream.models.learned_model import LearnedModel
from millstream.models.pop import Pop
from millstream.models.similar import Neighbour, affordable, neighbours
from millstream.streams.catalogue_follower import CatalogueFollower
from millstream.streams.listing import Entry, Listing, encode_listing, listing_id
from millstream.streams.log import Log
from millstream.streams.patience import Patience
from millstream.streams.settings import Settings

EVERY_MS: Final = 1_000
LIST_LENGTH: Final = 100
NEIGHBOURS: Final = 20
NEIGHBOURS_A_TICK: Final = 200
BY_BEHAVIOUR: Final = "co"
BY_CONTENT: Final = "content"
"""What is said of a neighbour: that people met both, or that both are alike."""


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
        self._changed: dict[int, bool] = {}  # and whether its neighbours are to hear of it

    def open(self) -> None:
        """Begin to follow the catalogue."""
        self._catalogue.open()

    def close(self) -> None:
        """Stop following."""
        self._catalogue.close()

    def changed(self, rows: Iterable[int]) -> None:
        """Note items whose neighbours may have changed."""
        self._changed.update(dict.fromkeys(rows, True))

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
        model.follow_likeness()
        rows = affordable(model, self._next())
        told = [row for row in rows if self._changed.pop(row)]
        found = self._write_neighbours(model, [r for r in rows if model.rows.item(r)], now_ms)
        if len(self._changed) < NEIGHBOURS_A_TICK:
            self._tell(model, told, found)

    def _next(self) -> list[int]:
        """Return whose neighbours are next: the newest, for new items are, and the oldest in turn.

        So an item that comes behind a whole catalogue does not wait for it, and nothing for ever.
        """
        both = chain.from_iterable(zip(reversed(self._changed), self._changed, strict=True))
        return list(dict.fromkeys(islice(both, NEIGHBOURS_A_TICK)))

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

    def _tell(
        self, model: LearnedModel, rows: Sequence[int], found: Mapping[int, Sequence[Neighbour]]
    ) -> None:
        """Have those that new items are like written again, so that they name the new ones.

        In idle time only: where a whole catalogue comes, most are written after it came.
        """
        content = model.content
        if content is None:
            return
        for row in rows:
            if row in content.unmet:
                for other in found.get(row, ()):
                    self._changed.setdefault(other.row, False)

    def _write_neighbours(
        self, model: LearnedModel, rows: Sequence[int], now_ms: int
    ) -> dict[int, list[Neighbour]]:
        if not rows:
            return {}
        closed = self._catalogue.catalogue.closed_rows(model.rows, model.rows.changes, now_ms)
        item = model.rows.item
        similar = {}
        by_row = dict(zip(rows, neighbours(model, rows, closed, now_ms, NEIGHBOURS), strict=True))
        for row, found in by_row.items():
            entries = [
                Entry(item(other), round(score, 5), BY_BEHAVIOUR)
                if modality < 0
                else Entry(item(other), round(score, 5), BY_CONTENT, modality=MODALITIES[modality])
                for other, score, modality in found
                if item(other)
            ]
            similar[item(row)] = msgspec.json.encode({"items": entries})
        self._patience.call(lambda: self._store.write_similar(similar))
        return by_row

    def _shown(self, item: str, now_ms: int) -> bool:
        return self._catalogue.catalogue.shown(item, now_ms)
