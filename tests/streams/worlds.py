"""What runs in a world, embedded or on real Kafka and Redis: begun, fed and waited for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec

from millstream.streams.demo_world import World, embedded_world, real_world
from millstream.streams.log import Message
from millstream.streams.settings import KafkaSettings, RedisSettings, Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    import pytest

    from millstream.models.event import Event

WAIT_S: Final = 90.0


def world_of(request: pytest.FixtureRequest, settings: Settings) -> AbstractContextManager[World]:
    """The world that a fixture's param names: `embedded…`, else the shared Kafka and Redis."""
    if request.param.startswith("embedded"):
        return embedded_world(settings, lambda _: None)
    namespace: str = request.getfixturevalue("namespace")
    return real_world(
        msgspec.structs.replace(
            settings,
            topics=msgspec.structs.replace(settings.topics, namespace=namespace),
            kafka=KafkaSettings(request.getfixturevalue("kafka_address")),
            redis=RedisSettings(request.getfixturevalue("redis_url"), namespace),
        ),
        lambda _: None,
    )


def publish(world: World, role: str, events: list[Event]) -> None:
    messages = []
    for event in events:
        fields = {name: getattr(event, name) for name in ("id", "user", "item", "type", "ts")}
        messages.append(Message(event.user.encode(), msgspec.json.encode(fields)))
    world.log.append(world.settings.topics.name(role), messages)


def until(world: World, done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not done():
        world.workers.check()
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)


def is_learnt(world: World) -> bool:
    """Whether a replica says that it holds all that stands in `interactions`."""
    _, end = world.log.bounds(world.settings.topics.name("interactions"), 0)
    said = [msgspec.json.decode(value)["model"] for value in world.store.digests().values()]
    return end > 0 and end in said


def applied(world: World) -> int:
    return sum(world.store.progress("recommend").values())
