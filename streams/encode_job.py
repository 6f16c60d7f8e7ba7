"""The ENCODE worker."""

import logging
from collections.abc import Iterable, Sequence

from millstream.exporters.health import Health
from millstream.exporters.metrics import WorkerMetrics
from millstream.streams.embed_loop import EmbedLoop
from millstream.streams.encode import EncodeCore
from millstream.streams.log import Log, Record
from millstream.streams.patience import Patience
from millstream.streams.positions import Partition
from millstream.streams.settings import Settings

logger = logging.getLogger("millstream")


class EncodeJob:
    """Hosts an `EncodeCore` and the loop that embeds."""

    name = "encode"
    heavy = True

    def __init__(
        self,
        settings: Settings,
        log: Log,
        core: EncodeCore,
        patience: Patience,
        metrics: WorkerMetrics,
        embedding: EmbedLoop,
    ) -> None:
        self._topic = settings.topics.name("items")
        self.topics = [self._topic]
        self._log = log
        self._core = core
        self._patience = patience
        self._metrics = metrics
        self._embedding = embedding
        self._assigned = False
        self._told = {"accepted": 0, "deleted": 0}
        self._told_rejects: dict[str, int] = {}

    def open(self) -> None:
        """Begin to embed; the catalogue itself is read from its beginning."""
        self._embedding.start()

    def assign(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Own these partitions, each from its beginning."""
        self._assigned = True
        owned = list(partitions)
        begins = self._core.assign(owned)
        self._embedding.assign(owned)
        logger.info("encode owns %d partitions", len(begins))
        return begins

    def revoke(self) -> None:
        """Wait for the next assignment; repeats are harmless."""
        self._assigned = False
        self._embedding.assign(())

    def apply(self, records: Sequence[Record]) -> None:
        """Write what the records say."""
        self._core.apply(records)
        self._core.tick()
        self._tell()

    def idle(self) -> None:
        """Hide and show what is due."""
        self._core.tick()

    def check(self) -> None:
        """Read what nobody delivered. Raises what ended the embedding."""
        self._embedding.check()
        self._core.sweep()
        self._tell()

    def health(self) -> Health:
        """Ready when the catalogue has been read to its end."""
        why = (
            self._patience.waiting_for
            or ("" if self._assigned else "waiting for partitions")
            or ("recovering the catalogue" if self._core.recovering() else "")
        )
        return Health(True, not why, why, self._embedding_details())

    def close(self) -> None:
        """End the embedding; all else is written."""
        self._embedding.close()

    def _embedding_details(self) -> dict[str, object]:
        """Return how far the embedding is: being behind with it keeps nobody from being ready."""
        return {"to_embed": self._embedding.behind, "to_renew": self._embedding.old}

    def _tell(self) -> None:
        for reason, n in self._core.rejects.items():
            self._metrics.item_rejects(reason, n - self._told_rejects.get(reason, 0))
        self._told_rejects = dict(self._core.rejects)
        now = {"accepted": self._core.accepted, "deleted": self._core.deleted}
        for outcome, n in now.items():
            self._metrics.items(outcome, n - self._told[outcome])
        self._told = now
