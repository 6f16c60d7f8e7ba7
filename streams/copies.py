"""A guest's events told again under the person's key, from what the guest's profile keeps.

What stands in a stored profile that has a mark stands also under the person: so a copy is due for
all that a profile is about to keep and the stored one did not, and is acknowledged before the
profile is written. A copy has the event's own key as its id, so that telling it twice, by whom
and after what crash ever, adds nothing.
"""

from collections.abc import Collection

import msgspec

from millstream.models.event import Event
from millstream.models.profile import Profile
from millstream.streams.log import Message
from millstream.streams.settings import Settings

_encode = msgspec.json.Encoder().encode


class Copies:
    """Writes copies as events of the `feedback` topic, in a team's own field names."""

    def __init__(self, settings: Settings) -> None:
        self.topic = settings.topics.name("feedback")
        self._names = settings.fields

    def due(self, guest: str, profile: Profile, known: Collection[bytes]) -> list[Message]:
        """Return a copy of each kept event whose key is not known, oldest first."""
        if profile.mark is None:
            return []
        into = profile.mark[2]
        return [
            self._copy(event, into)
            for event in profile.events(guest)
            if event.id.encode() not in known
        ]

    def _copy(self, event: Event, into: str) -> Message:
        names = self._names
        fields = {
            names.id: event.id,
            names.user: into,
            names.item: event.item,
            names.type: event.type,
            names.ts: event.ts,
            names.value: event.value,
            names.merged_from: event.user,
        }
        return Message(into.encode(), _encode(fields))
