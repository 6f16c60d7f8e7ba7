"""From events to what the item model learns from: an event with the history it followed."""

from collections.abc import Sequence

from millstream.models.event import Event, event_key
from millstream.models.interaction import (
    BATCH_BYTES,
    FORMAT,
    Interaction,
    InteractionBatch,
    encode_batch,
    hash64,
)
from millstream.models.profile import Profile
from millstream.models.teaching import Taught
from millstream.streams.settings import Settings


def interaction_of(
    event: Event, before: Profile, taught: Taught, settings: Settings, partition: int, offset: int
) -> Interaction:
    """Return an event with the history it followed.

    `taught` is what its user's profile taught `before` it; of that, what was done by its time.
    A merged event teaches nothing: it was learnt from when the guest did it. What is beyond the
    caps does not either.
    """
    weight = 0.0 if event.merged else settings.weights.weight(event.type, event.value)
    if weight > 0.0 and before.is_capped(event.item, event.ts, settings.caps):
        weight = 0.0
    items, worth, when = taught if weight > 0.0 else ([], [], [])
    again = event.item in items
    if items and (when[0] > event.ts or again):
        kept = [n for n, ts in enumerate(when) if ts <= event.ts and items[n] != event.item]
        items = [items[n] for n in kept]
        worth = [worth[n] for n in kept]
        when = [when[n] for n in kept]
    user_key = settings.model.user_key.encode()
    return Interaction(
        0,
        partition,
        offset,
        hash64(event.user, user_key),
        hash64(event_key(event.id).decode(), user_key),
        event.item,
        weight,
        event.ts,
        items,
        worth,
        [event.ts - ts for ts in when],
        again,
    )


def records_of(interactions: Sequence[tuple[str, Interaction]]) -> list[bytes]:
    """Return record values that hold (topic id, interaction) in order, cut near BATCH_BYTES."""
    values = []
    topics: dict[str, int] = {}
    batch: list[Interaction] = []
    size = 0
    for topic_id, interaction in interactions:
        batch.append(_of_topic(interaction, topics.setdefault(topic_id, len(topics))))
        size += 120 + sum(map(len, interaction.history)) + 16 * len(interaction.history)
        if size > BATCH_BYTES:
            values.append(encode_batch(InteractionBatch(FORMAT, list(topics), batch)))
            topics, batch, size = {}, [], 0
    if batch:
        values.append(encode_batch(InteractionBatch(FORMAT, list(topics), batch)))
    return values


def _of_topic(interaction: Interaction, place: int) -> Interaction:
    interaction.topic = place
    return interaction
