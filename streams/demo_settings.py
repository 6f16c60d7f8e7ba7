"""Settings of a demonstration: topics, keys and snapshots apart from all that is there already."""

from hashlib import sha256
from importlib.metadata import version

import msgspec

from millstream.streams.settings import Settings


def with_own_namespace(settings: Settings) -> Settings:
    """Return settings under which a demonstration meets only what one like it has left.

    Namespace and key prefix are a hash of the release and of what topics, snapshots and lists are
    made with; what other releases and settings left stays as it is. A namespace that is given is
    taken as it is, and so is the prefix then.
    """
    if settings.topics.namespace:
        return settings
    made_with = (version("millstream"), settings.shape_hash(), settings.topics, settings.fields)
    own = "demo-" + sha256(msgspec.json.encode(made_with)).hexdigest()[:8]
    return msgspec.structs.replace(
        settings,
        topics=msgspec.structs.replace(settings.topics, namespace=own),
        redis=msgspec.structs.replace(settings.redis, prefix=own),
    )
