"""What all our Kafka clients share: configuration, and foreign faults said in our own words."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from kafka import errors

from millstream.streams.log import LogError, LogUnavailable, TopicMissing

REQUEST_S: Final = 10.0
CONNECT_S: Final = 3.0

# A broker that comes back is found within a second; kafka-python would double its wait to 30 s.
COMMON: Final[dict[str, object]] = {
    "client_id": "millstream",
    "bootstrap_timeout_ms": int(REQUEST_S * 1000),
    "reconnect_backoff_max_ms": 1000,
    "request_timeout_ms": int(REQUEST_S * 1000),
}


def require_listener(bootstrap: str) -> None:
    """Raise LogUnavailable unless one of the addresses takes a connection.

    Asked before a client is made: a kafka-python client that finds nobody needs 10 s to say so,
    and leaves its thread behind.
    """
    for address in bootstrap.split(","):
        host, _, port = address.rpartition(":")
        with suppress(OSError), socket.create_connection((host, int(port)), CONNECT_S):
            return
    raise LogUnavailable(f"nobody answers at {bootstrap}")


@contextmanager
def in_our_words(topic: str) -> Iterator[None]:
    """Translate kafka-python's exceptions, here and nowhere else."""
    try:
        yield
    except errors.UnknownTopicOrPartitionError as error:
        raise TopicMissing([topic]) from error
    except (errors.RetriableError, errors.IllegalStateError, OSError) as error:
        raise LogUnavailable(f"Kafka does not answer ({_short(error)})") from error
    except errors.KafkaError as error:
        raise LogError(f"Kafka refused ({_short(error)})") from error


def _short(error: Exception) -> str:
    said = str(error).partition("\n")[0][:200]
    name = type(error).__name__
    return said if name in said or not said else f"{name}: {said}"
