"""The world that settings point to: the log and the store, yours or the local stack's."""

from dataclasses import dataclass
from typing import Final

from millstream.exporters.redis_store import RedisStore
from millstream.exporters.store import Store
from millstream.streams.errors import WorldMissing
from millstream.streams.kafka_log import KafkaLog
from millstream.streams.log import Log
from millstream.streams.settings import Settings
from millstream.streams.stack import running_stack

DAY_S: Final = 86_400
START: Final = "start one with: millstream stack start"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where Kafka and Redis are; None where nothing is given and no stack runs."""

    kafka: str | None
    redis: str | None


def addresses(settings: Settings) -> Addresses:
    """Return the addresses that were given, and for the rest the running stack's."""
    kafka, redis = settings.kafka.bootstrap or None, settings.redis.url or None
    if kafka is None or redis is None:
        stack = running_stack(settings.data_path)
        kafka = kafka or (stack.kafka if stack else None)
        redis = redis or (stack.redis if stack else None)
    return Addresses(kafka, redis)


def kafka_address(settings: Settings) -> str:
    """Return Kafka's HOST:PORT; raises WorldMissing where none is given or running."""
    kafka = addresses(settings).kafka
    if kafka is None:
        raise WorldMissing(_missing("Kafka", settings, "--kafka HOST:PORT"))
    return kafka


def open_log(settings: Settings) -> Log:
    """Return a log on Kafka; raises WorldMissing where none is given or running."""
    return KafkaLog(kafka_address(settings))


def open_store(settings: Settings) -> Store:
    """Return a store on Redis; raises WorldMissing where none is given or running."""
    redis = addresses(settings).redis
    if redis is None:
        raise WorldMissing(_missing("Redis", settings, "--redis URL"))
    return RedisStore(
        redis,
        prefix=settings.redis.prefix,
        timeout_s=settings.redis.timeout_s,
        profile_ttl_s=settings.redis.ttl_days * DAY_S,
        list_ttl_s=settings.list.ttl_days * DAY_S,
    )


def _missing(part: str, settings: Settings, flag: str) -> str:
    return f"no {part} is given ({flag}) and no stack runs in {settings.data_path}; {START}"
