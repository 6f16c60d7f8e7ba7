"""The embedding side of ENCODE: what is encoded, what is not, and what stays when things fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from tests.streams.embedding import (
    DECODERS,
    Loudness,
    MeanColours,
    WordHashes,
    film,
    inline,
    png,
    png_of,
    wav,
)

from millstream.exporters.metric_names import METRICS
from millstream.models import attributes
from millstream.models.embedding import Embedding, content_digest
from millstream.models.errors import EncoderRefused
from millstream.streams.assembly import new_input_reader
from millstream.streams.embed import Embedded, Embedder, tell_nobody
from millstream.streams.embedding_message import decode_embedding
from millstream.streams.item_parts import makers_of
from millstream.streams.log import Message
from millstream.streams.media import MEDIA_REASONS
from millstream.streams.memory_log import MemoryLog
from millstream.streams.patience import Stopped
from millstream.streams.settings import EncodeSettings, ModelSettings

if TYPE_CHECKING:
    from tests.streams.conftest import MakeSystem, System

RED, GREEN = png(255, 0, 0), png(0, 255, 0)
WAIT_S = 0.0


@dataclass
class Encoders:
    """All three, each with what it was asked."""

    text: WordHashes = field(default_factory=WordHashes)
    image: MeanColours = field(default_factory=MeanColours)
    audio: Loudness = field(default_factory=Loudness)


@contextmanager
def embedding(
    system: System,
    encoders: Encoders | None = None,
    on_embedded: Callable[[Embedded], None] = tell_nobody,
) -> Iterator[Embedder]:
    """A worker that owns the whole catalogue."""
    given = encoders or Encoders()
    makers = makers_of({"text": given.text, "image": given.image, "audio": given.audio})
    inputs = new_input_reader(system.settings, makers, DECODERS)
    embedder = Embedder(system.settings, system.log, makers, inputs, system.patience(), on_embedded)
    embedder.assign(system.partitions("items"))
    try:
        yield embedder
    finally:
        embedder.close()


def work(system: System, embedder: Embedder) -> None:
    """Let it do all that waits."""
    wait_s = 0.0 if isinstance(system.log, MemoryLog) else 1.0
    while embedder.step(wait_s) or embedder.old or embedder.behind():
        pass


def embedded(system: System, encoders: Encoders | None = None) -> Embedder:
    with embedding(system, encoders) as embedder:
        work(system, embedder)
    return embedder


def published(system: System) -> dict[str, Embedding]:
    """The newest word on each item, as whoever reads the topic has it."""
    found: dict[str, Embedding] = {}
    for _, partition in system.partitions("item_embeddings"):
        for record in system.records("item_embeddings", partition):
            item = (record.key or b"").decode()
            one = decode_embedding(record.value or b"")
            if isinstance(one, Embedding):
                found[item] = one
            else:
                found.pop(item, None)
    return found


def records(system: System) -> int:
    return system.append_ends()["item_embeddings"]


def letters(system: System) -> list[tuple[str, str]]:
    headers = [dict(record.headers) for record in system.records("dead_letters")]
    return [(h["reason"].decode(), h["field"].decode()) for h in headers]


def test_an_item_is_embedded_by_all_that_it_has(system: System) -> None:
    system.item("m1", title="Heat", tags="crime", image=inline(RED), audio=inline(wav(0.5)))
    system.item("m2", title="Heat")
    encoders = Encoders()
    embedded(system, encoders)
    one, two = published(system)["m1"], published(system)["m2"]
    assert list(one.parts) == ["text", "image", "audio", "categories"]
    assert list(two.parts) == ["text"]
    image, audio = one.parts["image"], one.parts["audio"]
    assert image.vector == pytest.approx(np.array([1, 0, 0, 1]) / np.sqrt(2), abs=1e-3)
    assert audio.vector == pytest.approx(np.array([0.5, 1]) / np.sqrt(1.25), abs=1e-3)
    assert image.version == "b1"
    assert one.parts["text"].digest == content_digest(b"Heat\ncrime")
    expected = encoders.text.encode(["Heat\ncrime"])[0].astype(np.float16)
    assert np.array_equal(one.parts["text"].vector, expected)


def test_an_encoder_is_called_once_a_batch(system: System) -> None:
    for n in range(20):
        system.item(f"m{n}", title=f"word{n}", image=inline(png(n, 0, 0)))
    encoders = Encoders()
    embedder = embedded(system, encoders)
    assert encoders.text.calls == [20]
    assert encoders.image.calls == [20]
    assert encoders.audio.calls == []
    assert embedder.counts.outcomes == {("text", "encoded"): 20, ("image", "encoded"): 20}
    assert len(published(system)) == 20


def test_batches_are_bounded(make_system: MakeSystem) -> None:
    system = make_system(encode=EncodeSettings(batch_max=8))
    for n in range(20):
        system.item(f"m{n}", title=f"word{n}")
    encoders = Encoders()
    embedded(system, encoders)
    assert sum(encoders.text.calls) == 20
    assert max(encoders.text.calls) == 8


def test_equal_content_is_encoded_once_whichever_items_have_it(system: System) -> None:
    for n in range(5):
        system.item(f"m{n}", title="Same", image=inline(RED))
    encoders = Encoders()
    with embedding(system, encoders) as embedder:
        work(system, embedder)
        system.item("m9", title="Same", image=inline(GREEN))
        work(system, embedder)
    assert encoders.text.calls == [1]
    assert encoders.image.calls == [1, 1]
    assert embedder.counts.outcomes[("text", "cached")] == 5
    assert len({one.parts["text"].vector.tobytes() for one in published(system).values()}) == 1


def test_what_is_published_already_is_neither_encoded_nor_published_again(system: System) -> None:
    for n in range(6):
        system.item(f"m{n}", title=f"word{n}", image=inline(png(n, 0, 0)))
    embedded(system)
    before = records(system)
    encoders = Encoders()
    embedder = embedded(system, encoders)
    assert (encoders.text.calls, encoders.image.calls) == ([], [])
    assert records(system) == before
    assert embedder.counts.outcomes == {("text", "kept"): 6, ("image", "kept"): 6}


def test_only_what_changed_is_encoded_again(system: System) -> None:
    system.item("m1", title="Old", image=inline(RED))
    embedded(system)
    system.item("m1", title="New", hidden=True, image=inline(RED))
    encoders = Encoders()
    embedded(system, encoders)
    assert encoders.text.calls == [1]
    assert encoders.image.calls == []
    assert list(published(system)["m1"].parts) == ["text", "image"]
    assert published(system)["m1"].parts["text"].digest == content_digest(b"New")


def test_fields_that_encoders_do_not_see_change_nothing(system: System) -> None:
    system.item("m1", title="A")
    embedded(system)
    before = records(system)
    system.item("m1", title="A", price=0, hidden=True, colour="red")
    embedded(system)
    assert records(system) == before


def test_a_deleted_item_is_deleted_and_told_before(system: System) -> None:
    heard: list[tuple[str, bool, int]] = []

    def hear(told: Embedded) -> None:
        heard.extend((item, made is not None, records(system)) for item, made in told)

    system.item("m1", title="A")
    system.item("m2", title="B")
    with embedding(system, on_embedded=hear) as embedder:
        work(system, embedder)
        system.item("m1")
        system.item("m3")
        work(system, embedder)
    assert sorted(heard[:2]) == [("m1", True, 0), ("m2", True, 0)]
    assert heard[2:] == [("m1", False, 2)], "of m3 nothing was ever published"
    assert set(published(system)) == {"m2"}


def test_an_item_that_has_nothing_left_to_say_is_deleted_too(system: System) -> None:
    system.item("m1", title="A")
    embedded(system)
    system.item("m1", hidden=True)
    embedded(system)
    assert published(system) == {}


@pytest.mark.parametrize("count", [0, 1])
def test_a_catalogue_of_none_or_one_works(system: System, count: int) -> None:
    for n in range(count):
        system.item(f"m{n}", title="A")
    embedded(system)
    assert len(published(system)) == count


def test_a_new_encoder_renews_vectors_after_what_is_new_and_old_ones_stay_till_then(
    make_system: MakeSystem,
) -> None:
    system = make_system(encode=EncodeSettings(batch_max=4))
    for n in range(10):
        system.item(f"m{n}", title=f"word{n}", image=inline(png(n, 0, 0)))
    embedded(system)
    newer = Encoders(text=WordHashes("a2", dim=8))
    with embedding(system, newer) as embedder:
        while embedder.old < 10:
            assert embedder.step()
        assert newer.text.calls == []
        assert {one.parts["text"].version for one in published(system).values()} == {"a1"}
        assert all(one.parts["text"].vector.shape == (16,) for one in published(system).values())
        system.item("m99", title="fresh")
        embedder.step()
        assert published(system)["m99"].parts["text"].version == "a2"
        assert len(published(system)) == 11
        assert embedder.old == 10
        work(system, embedder)
    assert {one.parts["text"].version for one in published(system).values()} == {"a2"}
    assert all(one.parts["text"].vector.shape == (8,) for one in published(system).values())
    assert max(newer.text.calls) <= 4
    assert newer.image.calls == [], "its encoder is the same"


def test_an_item_that_changes_while_it_waits_for_renewal_is_encoded_from_its_last_word(
    system: System,
) -> None:
    system.item("m1", title="old")
    system.item("m2", title="gone")
    embedded(system)
    with embedding(system, Encoders(text=WordHashes("a2"))) as embedder:
        while embedder.old < 2:
            embedder.step()
        system.item("m1", title="new")
        system.item("m2")
        work(system, embedder)
    assert set(published(system)) == {"m1"}
    assert published(system)["m1"].parts["text"].digest == content_digest(b"new")


def test_a_renewal_that_cannot_have_its_picture_keeps_the_old_vector(
    make_system: MakeSystem, tmp_path: Path
) -> None:
    system = make_system(encode=EncodeSettings(media_dir=str(tmp_path)))
    (tmp_path / "a.png").write_bytes(RED)
    system.item("m1", title="A", image="a.png")
    embedded(system)
    pictures = MeanColours("b2")
    pictures.encode = lambda items: np.full((len(items), 4), np.nan, np.float32)  # type: ignore[method-assign]
    embedded(system, Encoders(image=pictures))
    assert published(system)["m1"].parts["image"].version == "b1"
    assert letters(system) == [("bad-vector", "image")]


def test_a_bad_picture_costs_an_item_its_picture_only(system: System) -> None:
    system.item("m1", title="A", image=inline(RED[:50]), audio=inline(wav(0.1)))
    system.item("m2", title="B", image=inline(GREEN))
    embedder = embedded(system)
    assert list(published(system)["m1"].parts) == ["text", "audio"]
    assert list(published(system)["m2"].parts) == ["text", "image"]
    assert letters(system) == [("bad-image", "image")]
    assert embedder.counts.failures == {"bad-image": 1}
    assert embedder.counts.outcomes[("image", "failed")] == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        RED[:50],
        png_of(50_000, 50_000, b""),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"GIF89a" + b"\0" * 100,
        wav(0.1),
        b"\0" * 1000,
    ],
    ids=["nothing", "cut", "enormous", "svg", "gif", "a-sound", "zeros"],
)
def test_what_is_no_picture_is_refused_with_its_reason(system: System, content: bytes) -> None:
    system.item("m1", title="A", image=inline(content))
    embedded(system)
    assert letters(system) == [("bad-image", "image")]
    assert list(published(system)["m1"].parts) == ["text"]


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("../secret.png", "media-forbidden"),
        ("missing.png", "media-missing"),
        ("data:image/png;base64,!!!", "media-reference"),
        ("http://example.org/a.png", "media-reference"),
        ("https://example.org/a.png", "media-forbidden"),
    ],
)
def test_what_cannot_be_read_is_told_and_the_item_goes_on(
    make_system: MakeSystem, tmp_path: Path, image: str, reason: str
) -> None:
    system = make_system(encode=EncodeSettings(media_dir=str(tmp_path)))
    system.item("m1", title="A", image=image)
    embedded(system)
    assert letters(system) == [(reason, "image")]
    assert list(published(system)["m1"].parts) == ["text"]


def test_a_film_stands_in_for_a_picture_that_is_not_there_or_not_good(system: System) -> None:
    reel = film(png(255, 0, 0), png(0, 0, 255))
    system.item("m1", video=inline(reel))
    system.item("m2", video=inline(reel), image=inline(GREEN))
    system.item("m3", video=inline(reel), image=inline(GREEN[:50]))
    embedded(system)
    found = {item: one.parts["image"].vector for item, one in published(system).items()}
    mean = np.array([0.5, 0.0, 0.5, 1.0])
    assert found["m1"] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-3)
    assert np.array_equal(found["m3"], found["m1"])
    assert found["m2"] == pytest.approx(np.array([0, 1, 0, 1]) / np.sqrt(2), abs=1e-3)


def test_vectors_that_are_not_finite_or_not_of_length_one_are_not_published(
    system: System,
) -> None:
    encoders = Encoders()

    def broken(items: object) -> np.ndarray:
        return np.array([[np.nan, 0, 0, 0], [3, 0, 0, 0], [1, 0, 0, 0]], np.float32)

    encoders.image.encode = broken  # type: ignore[method-assign]
    for n in range(3):
        system.raw(
            msgspec.json.encode({"image": inline(png(n, 9, 9))}), f"m{n}".encode(), "items", 0
        )
    embedded(system, encoders)
    assert set(published(system)) == {"m2"}
    assert letters(system) == [("bad-vector", "image")] * 2


def test_what_is_published_and_cannot_be_read_is_made_anew(system: System) -> None:
    record = system.item("m1", title="A")
    topic = system.topic("item_embeddings")
    system.log.append(topic, [Message(b"m1", b"\xff\x00", partition=record.partition)])
    embedded(system)
    newest = system.records("item_embeddings", record.partition)[-1]
    assert isinstance(decode_embedding(newest.value or b""), Embedding)
    assert newest.offset == 1


def test_embeddings_stand_in_the_partition_of_their_item_whoever_chose_it(system: System) -> None:
    value = msgspec.json.encode({"title": "A"})
    for partition in (0, 1):
        system.raw(value, b"same-key-%d" % partition, "items", partition)
    embedded(system)
    for partition in (0, 1):
        (record,) = system.records("item_embeddings", partition)
        assert record.key == b"same-key-%d" % partition


def test_a_worker_does_its_own_partitions_only_and_takes_over_without_encoding(
    system: System,
) -> None:
    for n in range(20):
        system.item(f"m{n}", title=f"word{n}")
    first, second = system.partitions("items")
    one, two = Encoders(), Encoders()
    with embedding(system, one) as left, embedding(system, two) as right:
        left.assign([first])
        right.assign([second])
        work(system, left)
        work(system, right)
        assert sum(one.text.calls) + sum(two.text.calls) == 20
        right.assign(())
        left.assign([first, second])
        work(system, left)
        work(system, right)
    assert sum(one.text.calls) + sum(two.text.calls) == 20
    assert len(published(system)) == 20 == records(system)


@pytest.mark.parametrize("kind", ["older", "deleted", "garbage"])
def test_what_a_former_owner_writes_late_is_put_right(system: System, kind: str) -> None:
    record = system.item("m1", title="old")
    embedded(system)
    old = system.records("item_embeddings", record.partition)[-1].value
    late = {"older": old, "deleted": None, "garbage": b"\x01"}[kind]
    system.item("m1", title="new")
    with embedding(system) as embedder:
        work(system, embedder)
        message = Message(b"m1", late, partition=record.partition)
        system.log.append(system.topic("item_embeddings"), [message])
        work(system, embedder)
        work(system, embedder)
        assert published(system)["m1"].parts["text"].digest == content_digest(b"new")
        before = records(system)
        work(system, embedder)
        assert records(system) == before, "and that is the end of it"


def test_a_batch_under_way_is_dropped_when_its_partitions_go_to_others(system: System) -> None:
    system.item("m1", title="A")
    encoders = Encoders()
    with embedding(system, encoders) as embedder:
        encode = encoders.text.encode

        def lose(items: list[str]) -> np.ndarray:
            embedder.assign(())
            return encode(items)

        encoders.text.encode = lose  # type: ignore[method-assign,assignment]
        work(system, embedder)
    assert records(system) == 0


def test_a_worker_that_is_told_to_end_does_not_finish_its_batch(system: System) -> None:
    system.item("m1", title="A", image=inline(RED))
    with embedding(system) as embedder:
        system.stopping.set()
        with pytest.raises(Stopped):
            embedder.step()
    assert records(system) == 0


def test_what_it_remembers_is_bounded_and_forgetting_costs_work_only(
    make_system: MakeSystem,
) -> None:
    system = make_system(model=ModelSettings(items_max=5), encode=EncodeSettings(cache_mb=0))
    for n in range(20):
        system.item(f"m{n}", title=f"word{n}")
    embedded(system)
    encoders = Encoders()
    with embedding(system, encoders) as embedder:
        work(system, embedder)
        assert sum(encoders.text.calls) >= 15
        system.item("m0")
        work(system, embedder)
    assert len(published(system)) == 19


def test_it_says_how_far_behind_it_is(system: System) -> None:
    with embedding(system) as embedder:
        assert embedder.behind() == 0
        embedder.step()
        system.item("m1", title="A")
        system.item("m2", title="B")
        assert embedder.behind() == 2
        work(system, embedder)
        assert embedder.behind() == 0


def test_every_reason_has_a_series() -> None:
    assert METRICS["millstream_media_rejects_total"].labels["reason"] == MEDIA_REASONS


def test_on_real_kafka_it_is_the_same(real_system: System) -> None:
    system = real_system
    for n in range(30):
        system.item(f"m{n}", title=f"word{n}", image=inline(png(n, 0, 0)))
    system.item("m3")
    system.item("m4", title="B", image=inline(RED[:50]))
    embedded(system)
    assert set(published(system)) == {f"m{n}" for n in range(30)} - {"m3"}
    assert letters(system) == [("bad-image", "image")]
    before = records(system)
    newer = Encoders(text=WordHashes("a2", dim=8))
    embedded(system, newer)
    assert sum(newer.text.calls) == 29
    assert records(system) == before + 29
    assert all(one.parts["text"].vector.shape == (8,) for one in published(system).values())


def test_categories_and_numbers_need_no_encoder_and_say_what_they_were_made_of(
    system: System,
) -> None:
    system.item("m1", categories="crime|drama", language="en", year=1995, price="9.5")
    system.item("m2", categories=["crime", "drama"], language="en", released="1995", price=9.5)
    system.item("m3", categories=["crime"], language="en", released="1995-07-02")
    embedded(system)
    one, two, three = (published(system)[item] for item in ("m1", "m2", "m3"))
    assert list(one.parts) == ["text", "categories", "numbers"]
    assert one == two
    categories = one.parts["categories"]
    assert categories.version == attributes.VERSION
    assert categories.digest == content_digest(b"en", b"crime", b"drama")
    expected = attributes.categories_vector(["crime", "drama"], "en")
    assert expected is not None
    assert np.array_equal(categories.vector, expected.astype(np.float16))
    assert three.parts["categories"].digest != categories.digest
    near = attributes.numbers_vector(1995 + 182 / 365)
    assert near is not None
    assert np.array_equal(three.parts["numbers"].vector, near.astype(np.float16))


def test_a_text_of_which_an_encoder_makes_nothing_is_no_part_and_no_fault(
    system: System,
) -> None:
    encoders = Encoders()
    encoders.text.encode = lambda items: np.zeros((len(items), 16), np.float32)  # type: ignore[method-assign]
    system.item("m1", title="!!!", image=inline(RED))
    embedder = embedded(system, encoders)
    assert list(published(system)["m1"].parts) == ["image"]
    assert letters(system) == []
    assert embedder.counts.outcomes[("text", "empty")] == 1
    before = records(system)
    embedded(system, encoders)
    assert records(system) == before


def test_what_an_encoder_refuses_costs_its_own_item_only(system: System) -> None:
    encoders = Encoders()
    encode = encoders.text.encode

    def choosy(items: list[str]) -> np.ndarray:
        if "poison" in items:
            raise EncoderRefused("not-finite", "the model gives numbers that are none")
        return encode(items)

    encoders.text.encode = choosy  # type: ignore[method-assign,assignment]
    for title in ("one", "poison", "two"):
        system.raw(msgspec.json.encode({"title": title}), title.encode(), "items", 0)
    embedded(system, encoders)
    assert set(published(system)) == {"one", "two"}
    assert letters(system) == [("bad-vector", "text")]
