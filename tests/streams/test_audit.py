"""The audit is clean on a whole system, and names every damage that is done to one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
import redis

from millstream.exporters.keys import Keys
from millstream.exporters.store import VERSION_BYTES, UserWrite
from millstream.models.frame import decode_frame, encode_frame
from millstream.models.interaction import (
    FORMAT,
    Interaction,
    InteractionBatch,
    decode_batch,
    encode_batch,
    hash64,
)
from millstream.models.seen import item_hash
from millstream.streams.listing import Listing, encode_listing
from millstream.streams.log import Message, Record
from millstream.streams.settings import ListSettings, ModelSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.streams.conftest import MakeSystem, System

    from millstream.models.profile import Profile
    from millstream.streams.audit import Audit

MARK = "marked"


def lived(system: System) -> System:
    """Let people live in a system until every kind of evidence is there."""
    for n in range(24):
        role = ("clicks", "views", "feedback")[n % 3]
        fields: dict[str, Any] = {"type": "like"} if role == "feedback" else {}
        record = system.event(f"u{n % 5}", f"m{n * n % 31}", role=role, **fields)
        if n == 7:
            system.raw(record.value, record.key, role)
    system.work("first")
    system.item("m3", hidden=True)
    system.item("m4", title="shown")
    system.raw(b"{", b"u1")
    for n in range(10):
        system.event(f"u{n % 5}", f"m{n % 9 + 1}", role="views")
    system.work("second")
    return system


@pytest.fixture
def life(system: System) -> System:
    return lived(system)


def faults(found: Audit, *words: str) -> None:
    """Expect that a fault names each of these words."""
    assert not found.clean
    for word in words:
        assert any(word in fault for fault in found.faults), (word, found.faults)


def counts(found: Audit) -> dict[str, int]:
    """What is wrong or unchecked, by count."""
    names = ("missing", "doubled", "profiles_differ", "lists_differ", "lists_unchecked")
    return {name: getattr(found, name) for name in names if getattr(found, name)}


def rewrite_user(system: System, user: str, profile: bytes, listing: bytes) -> None:
    """Write past every worker."""
    stored = system.store.profiles([user])[0]
    assert stored is not None
    write = UserWrite(user, stored[:VERSION_BYTES], profile, listing)
    assert system.store.write_users([write]) == [True]


def edit_list(system: System, user: str, edited: Listing) -> None:
    profile = system.store.profiles([user])[0]
    assert profile is not None
    rewrite_user(system, user, profile, encode_listing(edited))


def edit_profile(system: System, user: str, edit: Callable[[Profile], None]) -> None:
    listing = system.store.listings([user])[0]
    assert listing is not None
    profile = system.profile(user)
    edit(profile)
    rewrite_user(system, user, profile.pack(), listing)


def values(system: System, role: str) -> list[bytes | None]:
    return [record.value for record in system.records(role)]


# --- whole systems ---------------------------------------------------------------------------


def test_a_system_that_nothing_happened_to_audits_clean(system: System) -> None:
    found = system.audit()
    assert found.clean
    assert (found.events, found.lists, found.model_equal) == (0, 0, True)


def test_a_whole_system_audits_clean_and_accounts_for_every_event(life: System) -> None:
    found = life.audit()
    assert found.clean, found.faults
    assert found.events == 36
    assert (found.applied, found.duplicates, found.dead_letters, found.late) == (34, 1, 1, 0)
    assert found.applied + found.duplicates + found.dead_letters + found.late == found.events
    assert (found.waiting, found.missing, found.doubled) == (0, 0, 0)
    assert (found.profiles, found.lists) == (5, 5)
    assert any(life.listing(f"u{n}").items for n in range(5))
    assert (found.frames, found.digests, found.from_) == (2, 3, "start of log")


def test_what_is_printed_has_what_was_promised(life: System) -> None:
    said = life.audit().as_json()
    promised = {
        "events",
        "applied",
        "duplicates",
        "dead_letters",
        "missing",
        "doubled",
        "profiles_differ",
        "lists_differ",
        "lists_unchecked",
        "model_equal",
        "from",
    }
    assert promised <= said.keys()
    assert said["from"] == "start of log"
    assert msgspec.json.decode(msgspec.json.encode(said)) == said


def test_events_that_nobody_has_reached_yet_are_waiting_and_not_wrong(life: System) -> None:
    life.event("u1", "m1")
    life.raw(b"rubbish")
    found = life.audit()
    assert found.clean
    assert found.waiting == 2


def test_lists_are_checked_against_the_catalogue_of_their_time(life: System) -> None:
    life.item("m3", title="back again")
    life.item("m1")
    assert life.audit().clean


def test_the_audit_changes_nothing(life: System) -> None:
    before = (life.append_ends(), life.histories(), life.lists(), life.store.digests())
    life.audit()
    assert (life.append_ends(), life.histories(), life.lists(), life.store.digests()) == before


def test_with_forgetting_it_is_clean_too(make_system: MakeSystem) -> None:
    system = lived(make_system(model=ModelSettings(items_max=4, history_max=5)))
    found = system.audit()
    assert found.clean, found.faults


def test_with_diversity_it_is_clean_too_and_a_list_in_another_order_is_named(
    make_system: MakeSystem,
) -> None:
    usual = lived(make_system(list=ListSettings(length=6)))
    system = lived(make_system(list=ListSettings(length=6, diversity=0.5)))
    assert system.audit().clean, system.audit().faults
    assert system.settings.shape_hash() != usual.settings.shape_hash()
    assert system.lists() != usual.lists()
    assert system.histories() == usual.histories()
    listing = system.listing("u1")
    first, second, *rest = listing.items
    edit_list(system, "u1", msgspec.structs.replace(listing, items=[second, first, *rest]))
    assert counts(system.audit()) == {"lists_differ": 1}


# --- profiles and events ---------------------------------------------------------------------


def drop_newest(profile: Profile) -> None:
    for column in (profile.items, profile.ts, profile.keys, profile.types, profile.values):
        column.pop()


def change_item(profile: Profile) -> None:
    profile.items[-1] = "another"


def forget_hash(profile: Profile) -> None:
    profile.seen = profile.seen[:0]


def invent_hash(profile: Profile) -> None:
    entry = profile.ts[0] // 1000 << 32 | item_hash("never met")
    profile.seen = np.array([entry], np.uint64)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (drop_newest, "the profile of user u2 lacks 1 events and has 0 too many"),
        (change_item, "the profile of user u2 has the right events with other content"),
        (invent_hash, "the profile of user u2 has the right events with other content"),
    ],
)
def test_an_altered_profile_is_named(
    life: System, damage: Callable[[Profile], None], says: str
) -> None:
    edit_profile(life, "u2", damage)
    found = life.audit()
    faults(found, says)
    assert counts(found) == {"profiles_differ": 1}


def test_a_profile_that_cannot_be_read_is_named(life: System) -> None:
    listing = life.store.listings(["u2"])[0]
    assert listing is not None
    rewrite_user(life, "u2", b"12345678rubbish", listing)
    found = life.audit()
    faults(found, "the profile of user u2: a stored profile cannot be read")
    assert found.profiles_differ == 1


def test_a_deleted_profile_is_named(life: System) -> None:
    life.fragile.lose_user("u2")
    found = life.audit()
    faults(found, "user u2 has events below progress and no profile")
    assert counts(found) == {"profiles_differ": 1}


def test_a_profile_of_somebody_whom_the_log_does_not_know_is_named(life: System) -> None:
    packed, listing = life.store.profiles(["u2"])[0], life.store.listings(["u2"])[0]
    assert packed is not None
    assert listing is not None
    life.store.write_users([UserWrite("nobody", b"", packed, listing)])
    found = life.audit()
    faults(found, "the profile of user nobody lacks 0 events", "says it is of user u2")
    assert found.profiles_differ == 1


def move_progress(system: System, record: Record, offset: int) -> None:
    topic_id = system.log.topic_ids([record.topic])[record.topic]
    field = f"{topic_id}:{record.partition}"
    was = system.store.progress("recommend").get(field)
    assert system.store.advance("recommend", {field: (was, offset)}) == {}


def test_progress_moved_on_over_an_event_is_named(life: System) -> None:
    record = life.event("u2", "m1", id=MARK)
    move_progress(life, record, record.offset + 1)
    found = life.audit()
    faults(found, f"(event {MARK} of user u2) was never applied")
    assert counts(found) == {"missing": 1}


def test_progress_moved_on_over_a_person_not_met_yet_is_named(life: System) -> None:
    record = life.event("somebody new", "m1", id=MARK)
    move_progress(life, record, record.offset + 1)
    found = life.audit()
    faults(found, f"(event {MARK} of user somebody new) was never applied")
    faults(found, "user somebody new has events below progress and no profile")
    assert counts(found) == {"missing": 1, "profiles_differ": 1}


def test_progress_beyond_the_logs_end_is_named(life: System) -> None:
    record = life.event("u2", "m1")
    life.work("third")
    move_progress(life, record, record.offset + 5)
    found = life.audit()
    faults(found, f"is beyond the log's end {record.offset + 1}")
    assert counts(found) == {"missing": 1}


def test_a_removed_dead_letter_is_named(life: System) -> None:
    life.rewrite("dead_letters", [])
    found = life.audit()
    faults(found, "was rejected and has no dead letter")
    assert counts(found) == {"missing": 1}


def test_a_dead_letter_for_a_good_event_is_named(life: System) -> None:
    (letter,) = life.records("dead_letters")
    headers = tuple((k, b"0" if k == "offset" else v) for k, v in letter.headers)
    life.log.append("dead-letters", [Message(letter.key, letter.value, headers)])
    found = life.audit()
    faults(found, "there is a dead letter for offset 0 of partition", "which is a good event")


# --- interactions and the model --------------------------------------------------------------


def forge(system: System, place: Record, event: str, user: str = "u2") -> None:
    """Append an interaction that names a source record, and let LEARN learn it."""
    topic_id = system.log.topic_ids([place.topic])[place.topic]
    one = Interaction(
        0,
        place.partition,
        place.offset,
        hash64(user),
        hash64(event),
        "m1",
        1.0,
        system.clock.ms,
        [],
        [],
        [],
    )
    value = encode_batch(InteractionBatch(FORMAT, [topic_id], [one]))
    system.log.append("interactions", [Message(None, value)])


def test_an_interaction_doubled_under_another_place_is_named(life: System) -> None:
    """The same event a second time, as from the record that repeats it, under another key."""
    first = life.event("u2", "m1", id=MARK)
    life.work("third")
    again = life.raw(first.value, first.key)
    life.work("fourth")
    assert life.audit().clean
    forge(life, again, "not the id it has")
    life.work("fifth")
    found = life.audit()
    faults(found, f"event {MARK} of user u2 was counted 2 times by the item model")
    assert found.doubled == 1
    assert found.model_equal, "LEARN folded what it was given"


def test_an_interaction_of_an_event_that_is_not_there_is_named(life: System) -> None:
    record = life.event("u2", "m1")
    life.work("third")
    forge(life, replace(record, offset=record.offset + 7), "invented")
    life.work("fourth")
    found = life.audit()
    faults(found, "where the log has no such event")
    assert found.doubled == 1


def test_an_interaction_that_was_taken_out_is_named(life: System) -> None:
    """The topic is written anew with one interaction less."""
    batches = [decode_batch(value) for value in values(life, "interactions")]
    kept = []
    for n, batch in enumerate(batches):
        assert batch is not None
        if n == 0:
            batch.interactions.pop(3)
        kept.append(encode_batch(batch))
    life.rewrite("interactions", list(kept))
    found = life.audit()
    faults(found, "was never applied")
    assert found.missing == 1
    assert not found.model_equal, "the frames still tell of it"


def test_a_repeated_interaction_is_nothing_wrong(life: System) -> None:
    (first, *_) = values(life, "interactions")
    life.log.append("interactions", [Message(None, first)])
    life.work("third")
    assert life.audit().clean


def test_a_dropped_frame_is_named(life: System) -> None:
    frames = values(life, "item_deltas")
    life.rewrite("item_deltas", frames[1:])
    found = life.audit()
    faults(found, "a frame is missing in item-deltas")
    assert not found.model_equal


def test_a_dropped_last_frame_is_named(life: System) -> None:
    frames = values(life, "item_deltas")
    life.rewrite("item_deltas", frames[:-1])
    found = life.audit()
    faults(found, "the last frame ends at")
    assert not found.model_equal


def test_a_doubled_frame_is_named(life: System) -> None:
    life.log.append("item-deltas", [Message(None, values(life, "item_deltas")[0])])
    found = life.audit()
    faults(found, "stands twice in item-deltas")
    assert not found.model_equal


def test_a_corrupt_frame_is_named(life: System) -> None:
    first, *others = values(life, "item_deltas")
    assert first is not None
    life.rewrite("item_deltas", [first[:-1] + bytes([first[-1] ^ 1]), *others])
    found = life.audit()
    faults(found, "checksum does not match", "a frame is missing")
    assert not found.model_equal


def test_an_altered_frame_is_named_by_what_it_makes_of_replicas(life: System) -> None:
    first, *others = values(life, "item_deltas")
    frame = decode_frame(first)
    row, item = frame.items[0]
    frame.items[0] = (row, item + "x")
    life.rewrite("item_deltas", [encode_frame(frame), *others])
    found = life.audit()
    faults(found, "the chain of frames at")
    assert not found.model_equal


def test_an_altered_replica_is_named(life: System) -> None:
    said = msgspec.json.decode(life.store.digests()["second"])
    said["digest"] = "0" * 16
    life.store.write_digest("second", msgspec.json.encode(said))
    found = life.audit()
    faults(found, "the replica of second at", "is not the fold of the interactions")
    assert not found.model_equal


def test_a_replica_of_a_moment_that_never_was_is_named(life: System) -> None:
    said = msgspec.json.decode(life.store.digests()["second"])
    said["model"] += 100
    life.store.write_digest("second", msgspec.json.encode(said))
    found = life.audit()
    faults(found, "the replica of second is at", "where no interaction record ends")
    assert not found.model_equal


@pytest.mark.parametrize("said", [b"rubbish", b"{}"])
def test_a_digest_that_cannot_be_read_is_named(life: System, said: bytes) -> None:
    life.store.write_digest("second", said)
    faults(life.audit(), "the digest of worker second cannot be read")


def test_a_worker_with_other_settings_is_named(life: System) -> None:
    said = msgspec.json.decode(life.store.digests()["second"])
    said["settings"] = "11111111"
    life.store.write_digest("second", msgspec.json.encode(said))
    faults(life.audit(), "worker second has settings 11111111, not these")


# --- lists -----------------------------------------------------------------------------------


def with_list(system: System) -> str:
    """Return somebody whose list has entries."""
    return next(u for u in sorted(system.store.users()) if len(system.listing(u).items) > 1)


def swapped(listing: Listing) -> Listing:
    first, second, *others = listing.items
    return msgspec.structs.replace(listing, items=[second, first, *others])


def of_first(listing: Listing, **said: object) -> Listing:
    """The list with something else said of its first item."""
    first, *others = listing.items
    return msgspec.structs.replace(listing, items=[msgspec.structs.replace(first, **said), *others])


def another_item(listing: Listing) -> Listing:
    return of_first(listing, item="planted")


def another_score(listing: Listing) -> Listing:
    return of_first(listing, score=listing.items[0].score + 0.001)


def another_source(listing: Listing) -> Listing:
    return of_first(listing, source="pop")


def another_because(listing: Listing) -> Listing:
    return of_first(listing, because="planted")


def no_because(listing: Listing) -> Listing:
    return of_first(listing, because=None)


def a_modality(listing: Listing) -> Listing:
    return of_first(listing, modality="image")


def a_propensity(listing: Listing) -> Listing:
    return of_first(listing, propensity=0.5)


def another_because_and_hardly_another_score(listing: Listing) -> Listing:
    return of_first(listing, because="planted", score=listing.items[0].score + 5e-6)


def one_less(listing: Listing) -> Listing:
    return msgspec.structs.replace(listing, items=list(listing.items)[:-1])


def of_another_model(listing: Listing) -> Listing:
    return msgspec.structs.replace(listing, model=listing.model + 1000)


def of_other_offsets(listing: Listing) -> Listing:
    return msgspec.structs.replace(listing, as_of=dict.fromkeys(listing.as_of, 0))


def of_another_user(listing: Listing) -> Listing:
    return msgspec.structs.replace(listing, user="somebody else")


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (swapped, "is not what its inputs give"),
        (another_item, "is not what its inputs give"),
        (another_score, "is not what its inputs give"),
        (another_source, "is not what its inputs give"),
        (another_because, "is not what its inputs give"),
        (no_because, "is not what its inputs give"),
        (a_modality, "is not what its inputs give"),
        (a_propensity, "is not what its inputs give"),
        (another_because_and_hardly_another_score, "is not what its inputs give"),
        (one_less, "is not what its inputs give"),
        (of_another_model, "which never was"),
        (of_other_offsets, "is of other offsets than the profile"),
        (of_another_user, "says it is of user somebody else"),
    ],
)
def test_an_edited_list_is_named(
    life: System, edit: Callable[[Listing], Listing], says: str
) -> None:
    user = with_list(life)
    edit_list(life, user, edit(life.listing(user)))
    found = life.audit()
    faults(found, f"the list of user {user}", says)
    assert counts(found) == {"lists_differ": 1}


def test_the_order_of_scores_that_are_as_good_as_equal_may_differ(life: System) -> None:
    user = with_list(life)
    listing = life.listing(user)
    edit_list(life, user, of_first(listing, score=listing.items[0].score + 5e-6))
    assert life.audit().clean


def test_a_list_that_cannot_be_read_is_named(life: System) -> None:
    packed = life.store.profiles(["u2"])[0]
    assert packed is not None
    rewrite_user(life, "u2", packed, b"{rubbish")
    found = life.audit()
    faults(found, "the list of user u2 cannot be read")
    assert counts(found) == {"lists_differ": 1}


def test_a_removed_list_is_named(life: System) -> None:
    life.fragile.lose_list("u2")
    found = life.audit()
    faults(found, "user u2 has a profile and no list")
    assert counts(found) == {"lists_differ": 1}


def test_lists_of_other_settings_are_unchecked_and_counted(
    life: System, make_system: MakeSystem
) -> None:
    user = with_list(life)
    edit_list(life, user, msgspec.structs.replace(life.listing(user), settings="11111111"))
    found = life.audit()
    assert not found.clean
    assert counts(found) == {"lists_unchecked": 1}


def test_an_audit_with_other_settings_than_the_workers_checks_no_list(
    life: System, make_system: MakeSystem
) -> None:
    other = make_system(list=ListSettings(length=3))
    other.log, other.store = life.log, life.store
    found = other.audit()
    faults(found, "has settings")
    assert found.lists_unchecked == 5


def test_beyond_the_first_few_faults_are_only_counted(life: System) -> None:
    for n in range(30):
        life.store.write_digest(f"w{n}", b"rubbish")
    found = life.audit()
    assert found.faults_found == 30
    assert len(found.faults) == 20


# --- when retention has cut ------------------------------------------------------------------


def cut(system: System) -> System:
    """Let retention take the interactions that the snapshots hold, then go on living."""
    lived(system)
    oldest = min(int(path.stem.partition("-")[2]) for path in system.snapshots.paths())
    system.log.remove("interactions", 0, oldest)
    for n in range(10):
        system.event(f"u{n % 5}", f"m{n % 7}")
    system.work("third")
    return system


def test_from_a_snapshot_the_audit_says_so_and_is_clean(system: System) -> None:
    cut(system)
    found = system.audit()
    assert found.from_.startswith("snapshot at ")
    assert found.clean, found.faults
    assert found.model_equal
    assert found.digests


def test_from_a_snapshot_a_damage_after_it_is_still_named(system: System) -> None:
    cut(system)
    record = system.event("u2", "m1", id=MARK)
    move_progress(system, record, record.offset + 1)
    user = with_list(system)
    edit_list(system, user, swapped(system.listing(user)))
    found = system.audit()
    faults(found, f"(event {MARK} of user u2) was never applied", "is not what its inputs give")
    assert (found.missing, found.lists_differ) == (1, 1)


def test_lists_older_than_the_snapshot_are_unchecked(system: System) -> None:
    lived(system)
    newest = max(int(path.stem.partition("-")[2]) for path in system.snapshots.paths())
    for path in system.snapshots.paths()[1:]:
        path.unlink()
    system.log.remove("interactions", 0, newest)
    found = system.audit()
    assert found.lists_unchecked == 5
    assert not found.clean
    assert found.lists_differ == 0


def test_without_a_snapshot_that_reaches_the_beginning_it_is_said(system: System) -> None:
    cut(system)
    for path in system.snapshots.paths():
        path.unlink()
    found = system.audit()
    faults(found, "no kept snapshot reaches there")
    assert not found.model_equal


def test_profiles_whose_events_are_gone_are_unchecked(system: System) -> None:
    lived(system)
    for tp in system.partitions():
        system.log.remove(*tp, system.log.bounds(*tp)[1])
    found = system.audit()
    assert not found.clean
    assert found.profiles_differ == 0
    assert found.profiles_unchecked == 5


def test_a_topic_created_anew_leaves_profiles_unchecked_and_nothing_wrong(
    system: System,
) -> None:
    lived(system)
    system.rewrite("clicks", [])
    system.event("u1", "m1")
    system.work("third")
    found = system.audit()
    assert not found.clean
    assert found.profiles_unchecked
    assert (found.profiles_differ, found.missing, found.doubled) == (0, 0, 0), found.faults


# --- the same on real Kafka and Redis --------------------------------------------------------


def test_on_kafka_and_redis_a_whole_system_is_clean_and_each_damage_is_named(
    real_system: System, redis_url: str, namespace: str
) -> None:
    system, store, keys = lived(real_system), real_system.store, Keys(namespace)
    found = system.audit()
    assert found.clean, found.faults
    assert (found.events, found.applied, found.duplicates, found.dead_letters) == (36, 34, 1, 1)
    assert (found.profiles, found.lists, found.digests, found.frames) == (5, 5, 3, 2)

    edit_list(system, "u0", swapped(system.listing("u0")))
    edit_list(system, "u4", another_because(system.listing("u4")))
    edit_profile(system, "u1", drop_newest)
    with redis.Redis.from_url(redis_url) as client:
        client.delete(keys.listing("u2"))
        client.delete(keys.listing("u3"), keys.profile("u3"))
    said = msgspec.json.decode(store.digests()["second"]) | {"digest": "0" * 16}
    store.write_digest("second", msgspec.json.encode(said))
    record = system.event("u4", "m1", id=MARK)
    move_progress(system, record, record.offset + 1)
    system.rewrite("dead_letters", [])
    frames = values(system, "item_deltas")
    system.rewrite("item_deltas", [*frames, frames[0]])
    found = system.audit()
    faults(
        found,
        "the list of user u0 is not what its inputs give",
        "the list of user u4 is not what its inputs give",
        "the profile of user u1 lacks 1 events",
        "user u2 has a profile and no list",
        "user u3 has events below progress and no profile",
        "the replica of second at",
        f"(event {MARK} of user u4) was never applied",
        "was rejected and has no dead letter",
        "stands twice in",
    )
    assert (found.missing, found.doubled, found.profiles_differ) == (2, 0, 2)
    assert found.lists_differ >= 2
    assert not found.model_equal

    system.rewrite("item_deltas", frames[1:])
    faults(system.audit(), "a frame is missing in")
