"""Hosts a job in a Faust app: groups, assignment and batches are Faust's, correctness is ours.

Faust's committed offset is never believed: the consumer begins where the job says, and the job
skips repeats and reads gaps itself (docs/decisions/0001-progress.md). What a fetch brought of a
partition travels through Faust as one message: event by event its plumbing took longer than
anything we do but ranking (docs/decisions/0005-own-batches.md).
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final, TypeVar, cast

import faust
from aiokafka import ConsumerRecord
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from millstream.streams.errors import MillstreamError
from millstream.streams.job import Job
from millstream.streams.log import Record
from millstream.streams.patience import Stopped
from millstream.streams.settings import Settings

STOP_GRACE_S: Final = 20.0
CHECK_EVERY_S: Final = 2.0
SESSION_TIMEOUT_S: Final = 6.0
BUFFERED_EVENTS: Final = 2_000
BUFFERED_FETCHES: Final = 16
BUFFERED_HEAVY: Final = 32
"""Catalogue messages: each may hold a picture, and be 800 kB."""
BUFFERED_HEAVY_FETCHES: Final = 2

logger = logging.getLogger("millstream")
Result = TypeVar("Result")


Fetched = Sequence[ConsumerRecord]


class _Bundle(ConsumerMessage):
    """The records that one fetch brought of a partition, under the offset of the last."""

    records: Fetched


class _Consumer(driver.Consumer):
    """Begins where the host's job says, not where the group committed, and bundles records."""

    async def _getmany(
        self, active_partitions: set[TP] | None, timeout: float
    ) -> dict[TP, list[Fetched]]:
        """Fetch, and return each partition's records as one."""
        fetched = await super()._getmany(active_partitions, timeout)
        return {tp: [records] for tp, records in fetched.items() if records}

    def _to_message(self, tp: TP, record: Fetched) -> _Bundle:
        """Return what Faust takes for one message."""
        bundle = _Bundle(
            tp.topic,
            tp.partition,
            record[-1].offset,
            record[-1].timestamp / 1000,
            record[-1].timestamp_type,
            None,
            None,
            b"",
            None,
            tp=tp,
            generation_id=self.app.consumer_generation_id,
        )
        bundle.records = record
        return bundle

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek to the job's own positions and return them."""
        host: FaustHost = cast(_App, self.app).host
        positions = await host.positions(self.assignment())
        await self.seek_wait(positions)
        return positions


class _Transport(driver.Transport):
    Consumer = _Consumer


class _App(faust.App):
    host: "FaustHost"

    def _new_transport(self) -> _Transport:
        return _Transport(self.conf.broker_consumer, self)


class FaustHost:
    """Runs one job until it is told to stop or the job raises; `run` returns the exit code."""

    def __init__(
        self, settings: Settings, bootstrap: str, job: Job, stop: Callable[[], None]
    ) -> None:
        """`stop` is called when the worker is to end, so that whoever waits for Redis gives up."""
        self._settings = settings
        self._job = job
        self._stop_waiting = stop
        self._buffered = BUFFERED_HEAVY if job.heavy else BUFFERED_EVENTS
        self._fetches = BUFFERED_HEAVY_FETCHES if job.heavy else BUFFERED_FETCHES
        self._core = ThreadPoolExecutor(1, thread_name_prefix="core")
        self._ended: asyncio.Future[int] | None = None
        self._busy = 0
        self._pending: list[ConsumerRecord] = []  # what Faust has delivered and no batch has taken
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._app = self._build(bootstrap)

    async def run(self) -> int:
        """Work until SIGTERM, SIGINT or a fault; return 0, or the fault's exit code."""
        loop = asyncio.get_running_loop()
        self._ended = loop.create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end, 0)
        opened = loop.create_task(self._guard(self._call(self._job.open)))
        either: list[asyncio.Future[Any]] = [opened, self._ended]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        background = []
        if not self._ended.done():
            await self._app.start()
            background = [
                loop.create_task(self._guard(self._work())),
                loop.create_task(self._guard(self._idle())),
                loop.create_task(self._guard(self._check())),
                loop.create_task(self._guard(self._watch())),
            ]
        code = await self._ended
        self._stop_waiting()
        loop.call_later(STOP_GRACE_S, os._exit, code or 1)
        for task in background:
            task.cancel()
        # First our own farewell, while the group still holds the partitions for us.
        with suppress(Stopped):  # what a farewell cannot say while a server is away, nobody needs
            await loop.run_in_executor(self._core, self._job.close)
        await self._app.stop()
        return code

    async def positions(self, assigned: set[TP]) -> dict[TP, int]:
        """Return where each assigned partition of the job's topics goes on."""
        ours = [(tp.topic, tp.partition) for tp in assigned if tp.topic in self._job.topics]
        found = await self._call(lambda: self._job.assign(ours))
        return {TP(topic, partition): offset for (topic, partition), offset in found.items()}

    async def _revoked(self, *_: object, **__: object) -> None:
        if not self._ending:
            await self._call(self._job.revoke)

    async def _assigned(self, *given: Any, **_: object) -> None:
        """Tell the job when nothing is given: Faust asks for positions only when something is."""
        if not given[-1] and not self._ending:
            await self._guard(self.positions(set()))

    def _build(self, bootstrap: str) -> _App:
        settings, job = self._settings, self._job
        namespace = settings.topics.namespace
        app = _App(
            f"{namespace}-millstream-{job.name}" if namespace else f"millstream-{job.name}",
            broker=[f"kafka://{address}" for address in bootstrap.split(",")],
            autodiscover=False,
            web_enabled=False,
            store="memory://",
            datadir=str(settings.data_path / "faust"),
            topic_disable_leader=True,
            topic_allow_declare=False,
            consumer_auto_offset_reset="earliest",
            broker_session_timeout=SESSION_TIMEOUT_S,
            broker_rebalance_timeout=SESSION_TIMEOUT_S,
            broker_heartbeat_interval=SESSION_TIMEOUT_S / 4,
            broker_max_poll_records=min(settings.worker.batch_max, self._buffered),
            stream_buffer_maxsize=self._fetches,
            stream_wait_empty=False,
            worker_redirect_stdouts=False,
            value_serializer="raw",
            key_serializer="raw",
        )
        app.host = self
        app.on_partitions_revoked.connect(self._revoked)
        app.on_partitions_assigned.connect(self._assigned)
        topic = app.topic(*job.topics, key_type=bytes, value_type=bytes)

        @app.agent(topic, name=f"millstream.{job.name}")
        async def work(stream: Any) -> None:
            async for event in stream.events():
                self._pending += event.message.records
                self._arrived.set()
                if len(self._pending) >= self._buffered:
                    self._room.clear()
                    await self._room.wait()

        return app

    async def _work(self) -> None:
        """Take what has arrived, a batch at a time: the longer one takes, the fuller the next.

        Faust's own `take_events` buffers nothing while a batch is at work, so that batches stay
        at 60 events under any load. It may acknowledge what is still pending here: our progress
        is what counts.
        """
        most = self._settings.worker.batch_max
        while True:
            await self._arrived.wait()
            records = [_record(message) for message in self._pending[:most]]
            del self._pending[:most]
            self._room.set()
            if not self._pending:
                self._arrived.clear()
            await self._call(lambda: self._job.apply(records))  # noqa: B023

    async def _call(self, work: Callable[[], Result]) -> Result:
        """Run on the core thread: all of a job's calls come from there, one after another."""
        self._busy += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._core, work)
        finally:
            self._busy -= 1

    @property
    def _ending(self) -> bool:
        return self._ended is not None and self._ended.done()

    async def _guard(self, work: Coroutine[Any, Any, object]) -> None:
        """Await; whatever is raised ends the worker, and nothing more is acknowledged."""
        try:
            if not self._ending:
                await work
                return
            work.close()
        except asyncio.CancelledError:
            raise
        except Stopped:
            self._end(0)
        except MillstreamError as error:
            logger.error("%s", error)
            self._end(error.exit_code or 1)
        except Exception:
            logger.exception("the %s worker ends: a fault nobody foresaw", self._job.name)
            self._end(1)
        await asyncio.Event().wait()

    async def _idle(self) -> None:
        every_s = self._settings.learn.frame_interval_ms / 1000
        while True:
            await asyncio.sleep(every_s)
            if not self._busy:
                await self._call(self._job.idle)

    async def _check(self) -> None:
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            await self._call(self._job.check)

    async def _watch(self) -> None:
        await self._app.wait_until_stopped()
        raise MillstreamError("Faust has stopped; the worker ends so that it can be started anew")

    def _end(self, code: int) -> None:
        if self._ended is not None and not self._ending:
            self._ended.set_result(code)


def _record(fetched: ConsumerRecord) -> Record:
    return Record(
        fetched.topic,
        fetched.partition,
        fetched.offset,
        fetched.timestamp,
        fetched.key,
        fetched.value,
    )


def run_host(host: FaustHost) -> int:
    """Run a host on uvloop where there is one; return the exit code."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(host.run())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        code = runner.run(host.run())
        sys.stdout.flush()
        return code
