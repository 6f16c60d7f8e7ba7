"""Settings that are right alone and wrong together."""

from collections.abc import Mapping

from millstream.models.errors import ModelError
from millstream.models.registry import is_family, new_source, section_of
from millstream.streams.errors import BadUsage
from millstream.streams.settings import Settings


def check_together(settings: Settings, places: Mapping[str, str]) -> None:
    """Raise BadUsage for the first pair that does not fit; `places` say where a key came from."""

    def place(*keys: str) -> str:
        return next((places[key] for key in keys if key in places), keys[0])

    for section, names in (
        ("fields", settings.fields.__struct_fields__),
        ("topics", settings.topics.roles),
    ):
        taken: dict[str, str] = {}
        for name in names:
            value: str = getattr(getattr(settings, section), name)
            if (other := taken.setdefault(value, name)) != name:
                where = place(f"{section}.{name}", f"{section}.{other}")
                raise BadUsage(
                    f"{where}: {section}.{other} and {section}.{name} are both {value!r}; "
                    "each needs a name of its own"
                )
    if settings.redis.ttl_days <= settings.profile.horizon_days:
        where = place("redis.ttl_days", "profile.horizon_days")
        raise BadUsage(
            f"{where}: redis.ttl_days ({settings.redis.ttl_days}) must be more than "
            f"profile.horizon_days ({settings.profile.horizon_days}), or late events come back"
        )
    if len(set(settings.model.sources)) != len(settings.model.sources):
        raise BadUsage(f"{place('model.sources')}: a source is named twice; name each once")
    for name in settings.model.sources:
        section = section_of(name)
        if is_family(section):
            try:
                new_source(name, settings.section(section), settings.model.seed)
            except ModelError as error:
                both = dict.fromkeys((place("model.sources"), place(f"{section}.options")))
                raise BadUsage(f"{', '.join(both)}: {error}") from error
    if settings.list.diversity and "mf" not in settings.model.sources:
        where = place("list.diversity", "model.sources")
        raise BadUsage(
            f"{where}: list.diversity tells items apart by the factors of mf; put mf into "
            "model.sources, or leave list.diversity at 0"
        )
