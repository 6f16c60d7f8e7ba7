"""One micro-batch of items: each encoder is called once for all of them."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from millstream.models.embedding import (
    MODALITIES,
    BadVector,
    Embedding,
    Mark,
    Modality,
    Part,
    unit_vector,
)
from millstream.models.encoders import Vectors
from millstream.models.errors import EncoderRefused
from millstream.models.vector_cache import VectorCache
from millstream.streams.embed_index import Fingerprint
from millstream.streams.embed_inputs import Failure, Input, Inputs, pooled, weight
from millstream.streams.item_content import ItemContent
from millstream.streams.item_parts import Makers
from millstream.streams.log import Record
from millstream.streams.media import MediaRefused

LOADED_BYTES_MAX: Final = 100_000_000
"""Decoded media held at a time: one picture may be 60 MB, and a batch of them would not fit."""


@dataclass(frozen=True, slots=True)
class Job:
    """An item to be embedded: its message, what that says, its inputs, what they come to."""

    item: str
    record: Record
    content: ItemContent
    inputs: Inputs
    wanted: Fingerprint


@dataclass(frozen=True, slots=True)
class Done:
    """An item's embedding, which lacks what failed, and the failures."""

    job: Job
    parts: dict[Modality, Part]
    failures: list[Failure]

    @property
    def embedding(self) -> Embedding:
        """Return what was made of it."""
        return Embedding(self.parts)


class EmbedBatch:
    """Gathers items, encodes what is not in the cache, gives each item its embedding."""

    def __init__(
        self,
        makers: Makers,
        cache: VectorCache,
        count: Callable[[Modality, str], None],
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`count` hears of each input: encoded, cached, empty or failed."""
        self._makers = makers
        self._cache = cache
        self._count = count
        self._clock_s = clock_s
        self._done: list[Done] = []
        self._made: dict[Mark, npt.NDArray[np.float16]] = {}
        self._failed: dict[Mark, Failure | None] = {}  # None: there is nothing to encode
        self._loaded: list[object] = []
        self._spans: list[tuple[Mark, Input, int, int]] = []
        self.load_s = 0.0
        self.encode_s = 0.0

    def wanted(self, inputs: Inputs) -> Fingerprint:
        """Return what an item's embedding is if its first choices can all be had."""
        return tuple(
            self._mark(modality, choices[0])
            for modality in MODALITIES
            if (choices := inputs.by_modality.get(modality))
        )

    def add(self, job: Job) -> None:
        """Take an item into the batch."""
        self._done.append(Done(job, {}, list(job.inputs.failures)))
        for failure in job.inputs.failures:
            self._count(failure.modality, "failed")

    def run(self, go_on: Callable[[], None]) -> list[Done]:
        """Return the items in the order they were added.

        `go_on` is asked before each medium is loaded, and raises when the worker is to end.
        """
        for modality in self._makers:
            choice = 0
            while asking := self._asking(modality, choice):
                self._encode(modality, [one for _, one in asking], go_on)
                for done, one in asking:
                    self._give(modality, done, one)
                choice += 1  # what failed gives way to the item's next choice, a picture to a film
        return self._done

    def _asking(self, modality: Modality, choice: int) -> list[tuple[Done, Input]]:
        """Return the items that have no vector of a modality yet, with their nth choice for it."""
        return [
            (done, choices[choice])
            for done in self._done
            if modality not in done.parts
            and len(choices := done.job.inputs.by_modality.get(modality, [])) > choice
        ]

    def _give(self, modality: Modality, done: Done, one: Input) -> None:
        mark = self._mark(modality, one)
        if mark in self._made:
            done.parts[modality] = Part(self._made[mark], mark[1], mark[2])
        elif (failure := self._failed[mark]) is not None:
            done.failures.append(failure)
            self._count(modality, "failed")
        else:
            self._count(modality, "empty")

    def _mark(self, modality: Modality, one: Input) -> Mark:
        return (modality, self._makers[modality].version, one.digest)

    def _encode(
        self, modality: Modality, inputs: Sequence[Input], go_on: Callable[[], None]
    ) -> None:
        """Make the vectors of these inputs that are not known yet."""
        unknown: dict[Mark, Input] = {}
        for one in inputs:
            mark = self._mark(modality, one)
            if mark in unknown or self._find(mark):
                self._count(modality, "cached")
            elif mark not in self._failed:
                unknown[mark] = one
        bytes_loaded = 0
        for mark, one in unknown.items():
            go_on()
            began = self._clock_s()
            try:
                loaded = one.load()
            except MediaRefused as error:
                self._failed[mark] = Failure(one.field, modality, error.reason, error.detail)
                continue
            finally:
                self.load_s += self._clock_s() - began
            begin = len(self._loaded)
            self._loaded += loaded
            self._spans.append((mark, one, begin, len(self._loaded)))
            bytes_loaded += sum(map(weight, loaded))
            if bytes_loaded > LOADED_BYTES_MAX:
                self._call(modality)
                bytes_loaded = 0
        if self._loaded:
            self._call(modality)

    def _find(self, mark: Mark) -> bool:
        if mark not in self._made and (held := self._cache.get(mark)) is not None:
            self._made[mark] = held
        return mark in self._made

    def _call(self, modality: Modality) -> None:
        began = self._clock_s()
        for mark, one, rows in self._encoded(modality):
            try:
                row = rows[0] if len(rows) == 1 else pooled(rows)
                if not row.any():
                    self._failed[mark] = None
                    continue
                self._made[mark] = unit_vector(row)
            except BadVector as error:
                self._failed[mark] = Failure(one.field, modality, "bad-vector", str(error))
                continue
            self._cache.put(mark, self._made[mark])
            self._count(modality, "encoded")
        self._loaded = []
        self._spans = []
        self.encode_s += self._clock_s() - began

    def _encoded(self, modality: Modality) -> Iterator[tuple[Mark, Input, Vectors]]:
        """Yield each input's rows; what the encoder refuses costs only its own item."""
        maker = self._makers[modality]
        try:
            rows = maker.encode(self._loaded)
        except EncoderRefused:
            rows = None
        for mark, one, begin, end in self._spans:
            try:
                own = maker.encode(self._loaded[begin:end]) if rows is None else rows[begin:end]
            except EncoderRefused as error:
                self._failed[mark] = Failure(one.field, modality, "bad-vector", str(error))
            else:
                yield mark, one, own
