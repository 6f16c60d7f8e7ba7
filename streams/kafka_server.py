"""A local Apache Kafka: its jars, its configuration, the command that runs it."""

import re
import secrets
import shutil
import socket
import struct
import subprocess
import tempfile
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Final

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from millstream.streams.errors import BadUsage, WorldMissing
from millstream.streams.processes import last_words

KAFKA_VERSION: Final = "4.3.1"
JAVA_OLDEST: Final = 17
INSTEAD: Final = "or give your own Kafka by --kafka, or use --embedded, which needs neither"

# Tried in DESIGN.md's stack: listens after 2-3 s in 340 MB.
JVM_FLAGS: Final = (
    "-Xms256m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
)

PROPERTIES: Final = """\
# Written by `millstream stack start`; changes are lost.
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
num.partitions=1
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=1000
log.retention.hours=168
log.segment.bytes=67108864
log.cleaner.dedupe.buffer.size=16777216
metadata.max.retention.bytes=67108864
num.network.threads=2
num.io.threads=4
background.threads=2
"""


def java() -> str:
    """Return the path of a Java that can run this Kafka; raises WorldMissing."""
    found = shutil.which("java")
    if found is None:
        raise WorldMissing(f"Kafka needs Java {JAVA_OLDEST} or newer: install it, {INSTEAD}")
    said = subprocess.run([found, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < JAVA_OLDEST:
        have = f"{found} is {version[1] if version else 'of no known version'}"
        raise WorldMissing(f"Kafka needs Java {JAVA_OLDEST} or newer, {have}: mend it, {INSTEAD}")
    return found


def ensure_jars(cache: Path) -> Path:
    """Return the folder of Kafka's jars, fetched by Maven when the cache has none.

    All data folders share it; it is made aside and renamed, so that it is there whole or not.
    """
    jars = cache / f"kafka-{KAFKA_VERSION}"
    if jars.is_dir():
        return jars
    maven = shutil.which("mvn")
    if maven is None:
        raise WorldMissing(f"Kafka is fetched by Maven (mvn): install it, {INSTEAD}")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="kafka-", dir=cache) as aside:
        folder = Path(aside)
        pom = folder / "pom.xml"
        pom.write_bytes(
            resources.files("millstream.streams").joinpath("resources/kafka-pom.xml").read_bytes()
        )
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={folder / 'jars'}"]
        fetched = subprocess.run(
            [maven, "--batch-mode", "--quiet", "--file", str(pom), *goal],
            capture_output=True,
            text=True,
            check=False,
        )
        if fetched.returncode or not (folder / "jars" / f"kafka_2.13-{KAFKA_VERSION}.jar").exists():
            said = (fetched.stdout + fetched.stderr).strip().split("\n")[0][:300]
            raise WorldMissing(f"Maven could not fetch Kafka ({said}): try again later, {INSTEAD}")
        with suppress(OSError):  # another start was quicker, with the same jars
            (folder / "jars").rename(jars)
    return jars


def prepare(folder: Path, jars: Path, port: int, controller_port: int) -> Sequence[str]:
    """Return the command that runs the broker over `folder`, formatted on the first time."""
    if re.search(r"[,\\\n]", str(folder)):
        raise BadUsage(f"Kafka cannot keep data in {folder}: a comma or backslash is in its name")
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "data"
    properties = folder / "server.properties"
    properties.write_text(PROPERTIES.format(port=port, controller_port=controller_port, data=data))
    command = [java(), *JVM_FLAGS, "-cp", f"{jars}/*"]
    if not (data / "meta.properties").exists():
        _format(command, properties, folder / "format.log")
    return [*command, "kafka.Kafka", str(properties)]


def answers(port: int, timeout_s: float) -> bool:
    """Return whether a broker on this loopback port answers ApiVersions, the first of requests."""
    client = b"millstream"
    request = struct.pack(">hhih", 18, 0, 1, len(client)) + client
    try:
        with socket.create_connection(("127.0.0.1", port), timeout_s) as broker:
            broker.settimeout(timeout_s)
            broker.sendall(struct.pack(">i", len(request)) + request)
            with broker.makefile("rb") as answer:
                head = answer.read(10)
    except OSError:
        return False
    return len(head) == 10 and struct.unpack(">iih", head)[1:] == (1, 0)


def ready(port: int, timeout_s: float) -> bool:
    """Return whether the broker answers and is registered, so that topics can be created."""
    if not answers(port, timeout_s):
        return False
    try:
        admin = KafkaAdminClient(
            bootstrap_servers=f"127.0.0.1:{port}", bootstrap_timeout_ms=int(timeout_s * 1000)
        )
    except KafkaError:
        return False
    try:
        return bool(admin.describe_cluster()["brokers"])
    except KafkaError:
        return False
    finally:
        admin.close()


def _format(command: Sequence[str], properties: Path, log: Path) -> None:
    """Give the data folder its cluster id."""
    cluster = urlsafe_b64encode(b"\x00" + secrets.token_bytes(15)).rstrip(b"=").decode()
    tool = ["kafka.tools.StorageTool", "format", "--ignore-formatted"]
    with log.open("wb") as output:
        formatted = subprocess.run(
            [*command, *tool, "-t", cluster, "-c", str(properties)],
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if formatted.returncode:
        raise WorldMissing(f"Kafka's folder could not be formatted: {last_words(log)}")
