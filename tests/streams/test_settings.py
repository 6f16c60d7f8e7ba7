"""Settings: layers, refusals that help, and a page that stays true."""

import re
from pathlib import Path

import msgspec
import pytest

from millstream.models.river_mf import RiverMfParams
from millstream.streams.errors import BadUsage, MillstreamError, WorldMissing
from millstream.streams.settings import Settings
from millstream.streams.settings_reader import (
    Flag,
    cache_dir,
    env_name,
    load_settings,
    setting_types,
    with_setting,
)


def default_of(key: str) -> object:
    section, _, name = key.rpartition(".")
    found: object = getattr(Settings().section(section) if section else Settings(), name)
    return found


def refusal(
    environ: dict[str, str] | None = None,
    flags: dict[str, Flag] | None = None,
    file: str | None = None,
) -> str:
    with pytest.raises(MillstreamError) as raised:
        load_settings(file, environ or {}, flags)
    return str(raised.value)


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return tmp_path / "millstream.toml"


def test_nothing_given_is_the_defaults() -> None:
    assert load_settings(environ={}) == Settings()


def test_a_flag_beats_the_environment_which_beats_the_file(toml: Path) -> None:
    toml.write_text(
        'data_dir = "/a"\n[kafka]\nbootstrap = "a:1"\n[list]\nlength = 1\n[redis]\nurl = "redis://a"'
    )
    settings = load_settings(
        str(toml),
        {"MILLSTREAM_LIST_LENGTH": "2", "MILLSTREAM_KAFKA": "b:2"},
        {"kafka.bootstrap": Flag("--kafka", "c:3")},
    )
    assert settings.data_dir == "/a"
    assert settings.redis.url == "redis://a"
    assert settings.list.length == 2
    assert settings.kafka.bootstrap == "c:3"


def test_the_environment_may_name_the_file(toml: Path) -> None:
    toml.write_text("[list]\nlength = 7")
    assert load_settings(environ={"MILLSTREAM_SETTINGS": str(toml)}).list.length == 7


def test_text_of_the_environment_becomes_what_the_key_holds() -> None:
    settings = load_settings(
        environ={
            "MILLSTREAM_MODEL_SOURCES": "pairs, pop",
            "MILLSTREAM_LIST_REPEATS": "true",
            "MILLSTREAM_RIVER_MF_FACTORS": "8",
            "MILLSTREAM_REDIS_TIMEOUT_S": "0.5",
        }
    )
    assert settings.model.sources == ("pairs", "pop")
    assert settings.list.repeats
    assert settings.section("river_mf") == RiverMfParams(factors=8)
    assert settings.redis.timeout_s == 0.5


def test_the_folders_follow_the_desktop_standard() -> None:
    environ = {"XDG_DATA_HOME": "/d", "XDG_CACHE_HOME": "/c"}
    assert load_settings(environ=environ).data_path == Path("/d/millstream")
    assert cache_dir(environ) == Path("/c/millstream")
    assert load_settings(environ=environ | {"MILLSTREAM_DATA_DIR": "/e"}).data_path == Path("/e")


def test_every_setting_can_be_given_as_its_own_default_by_the_environment() -> None:
    environ = {}
    for key, _ in setting_types():
        value = default_of(key)
        text = ",".join(value) if isinstance(value, tuple) else str(value)
        environ[env_name(key)] = text
    assert load_settings(environ=environ) == Settings()


def test_a_wrong_value_names_itself_its_place_and_what_would_be_right(toml: Path) -> None:
    toml.write_text('[worker]\nbatch_max = "many"')
    assert refusal(file=str(toml)) == (
        f"{toml}:worker.batch_max: 'many' is wrong; "
        "it must be a whole number of at least 1 and at most 10000"
    )
    assert refusal({"MILLSTREAM_LIST_LENGTH": "0"}).startswith("MILLSTREAM_LIST_LENGTH: '0' is")
    assert refusal(flags={"kafka.bootstrap": Flag("--kafka", "localhost")}) == (
        "--kafka: 'localhost' is wrong; it must be HOST:PORT, or several of them joined by commas"
    )


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        (
            "MODEL_SOURCES",
            "pairs,popp",
            "a list, each item one of content, fism, mf, pairs, pop, river.MODEL",
        ),
        ("MODEL_SOURCES", "", "a list, each item one of"),
        ("LIST_REPEATS", "perhaps", "true or false"),
        ("LIST_DIVERSITY", "1.1", "a number of at least 0 and at most 1"),
        ("WEIGHTS_VIEW", "nan", "a number of at least 0"),
        ("WEIGHTS_VIEW", "-1", "a number of at least 0"),
        ("WEIGHTS_VIEW", "inf", "a number of at least 0"),
        ("WORKER_REJECT_RATIO", "5", "a number above 0 and at most 1"),
        ("WORKER_REJECT_POLICY", "shrug", "one of alarm, stop"),
        ("TOPICS_CLICKS", "my clicks", "1 to 200 letters, digits, dots"),
        ("REDIS_PREFIX", "{ms}", "without spaces, braces and colons"),
        ("METRICS_PORT", "70000", "at most 65535"),
        ("MODEL_SEED", "1.5", "a whole number"),
    ],
)
def test_what_would_be_right_is_said_in_words(name: str, value: str, right: str) -> None:
    sentence = refusal({f"MILLSTREAM_{name}": value})
    assert sentence.startswith(f"MILLSTREAM_{name}: ")
    assert right in sentence


def test_the_file_takes_no_text_for_a_number_and_no_truth_for_one(toml: Path) -> None:
    for value in ('"20"', "true", "20.5", "nan", "[20]"):
        toml.write_text(f"[list]\nlength = {value}")
        assert "it must be a whole number" in refusal(file=str(toml))


def test_a_password_is_not_repeated() -> None:
    assert "secret" not in refusal({"MILLSTREAM_REDIS": "http://user:secret@host"})


def test_unknown_keys_are_refused_with_the_nearest_known_one(toml: Path) -> None:
    toml.write_text("[worker]\nbatch_maxx = 1")
    assert refusal(file=str(toml)) == (
        f"{toml}: unknown setting worker.batch_maxx; the nearest known one is worker.batch_max"
    )
    toml.write_text("[wroker]\nbatch_max = 1")
    assert "the nearest known one is worker.batch_max" in refusal(file=str(toml))
    toml.write_text("bootstrap = 'a:1'")
    assert "the nearest known one is kafka.bootstrap" in refusal(file=str(toml))
    assert refusal({"MILLSTREAM_WORKR_BATCH_MAX": "1"}) == (
        "unknown environment variable MILLSTREAM_WORKR_BATCH_MAX; "
        "the nearest known one is MILLSTREAM_WORKER_BATCH_MAX"
    )


def test_a_section_written_as_a_value_is_refused(toml: Path) -> None:
    toml.write_text("kafka = 'a:1'")
    assert "unknown setting kafka" in refusal(file=str(toml))
    toml.write_text("[data_dir]\nx = 1")
    assert "data_dir" in refusal(file=str(toml))


def test_what_is_wrong_only_together_is_refused(toml: Path) -> None:
    toml.write_text('[topics]\nclicks = "views"\n[fields]\nuser = "item"')
    assert "fields.user and fields.item are both 'item'" in refusal(file=str(toml))
    assert refusal({"MILLSTREAM_TOPICS_CLICKS": "views"}).startswith("MILLSTREAM_TOPICS_CLICKS: ")
    assert "must be more than profile.horizon_days" in refusal({"MILLSTREAM_REDIS_TTL_DAYS": "30"})
    assert "named twice" in refusal({"MILLSTREAM_MODEL_SOURCES": "pop,pop"})
    no_mf = {"MILLSTREAM_MODEL_SOURCES": "pairs,pop", "MILLSTREAM_LIST_DIVERSITY": "0.3"}
    assert refusal(no_mf).startswith("MILLSTREAM_LIST_DIVERSITY: list.diversity tells items apart")


def test_a_file_that_is_missing_is_the_worlds_fault_and_a_broken_one_the_users(toml: Path) -> None:
    with pytest.raises(WorldMissing, match="is not there"):
        load_settings(str(toml), {})
    toml.write_text("[[[")
    with pytest.raises(BadUsage, match="is not TOML"):
        load_settings(str(toml), {})
    toml.write_bytes(b"\xff\xfe")
    with pytest.raises(BadUsage, match="is not TOML"):
        load_settings(str(toml), {})


def test_one_setting_can_be_changed_afterwards_by_the_same_rules() -> None:
    settings = load_settings(environ={"MILLSTREAM_LIST_LENGTH": "7"})
    changed = with_setting(settings, "metrics.port", "9101", "--metrics-port")
    assert (changed.metrics.port, changed.list.length) == (9101, 7)
    assert with_setting(settings, "data_dir", "/d", "--set").data_dir == "/d"
    with pytest.raises(BadUsage, match="--metrics-port: '-1' is wrong"):
        with_setting(settings, "metrics.port", "-1", "--metrics-port")
    with pytest.raises(BadUsage, match=r"--set: there is no setting metric\.port; the nearest"):
        with_setting(settings, "metric.port", "1", "--set")
    with pytest.raises(BadUsage, match=r"must be more than profile\.horizon_days"):
        with_setting(settings, "redis.ttl_days", "1", "--set")


def test_the_hash_changes_with_what_shapes_state_and_with_nothing_else() -> None:
    def hashed(**environ: str) -> str:
        settings = load_settings(environ={f"MILLSTREAM_{k}": v for k, v in environ.items()})
        return settings.shape_hash()

    plain = Settings().shape_hash()
    assert re.fullmatch("[0-9a-f]{8}", plain)
    for name, value in {
        "WEIGHTS_VIEW": "0.4",
        "PROFILE_EVENTS_MAX": "50",
        "MODEL_SEED": "1",
        "MODEL_SOURCES": "pairs",
        "PAIRS_WIDTH": "64",
        "FUSION_CANDIDATES_MAX": "100",
        "LIST_LENGTH": "10",
        "LIST_DIVERSITY": "0.5",
    }.items():
        assert hashed(**{name: value}) != plain, name
    for name, value in {
        "KAFKA": "a:1",
        "DATA_DIR": "/d",
        "TOPICS_NAMESPACE": "staging",
        "RIVER_MF_FACTORS": "3",
        "LIST_TTL_DAYS": "500",
        "WORKER_BATCH_MAX": "10",
    }.items():
        assert hashed(**{name: value}) == plain, name


def test_the_namespace_stands_before_every_topic() -> None:
    topics = load_settings(environ={"MILLSTREAM_TOPICS_NAMESPACE": "staging"}).topics
    assert topics.name("item_deltas") == "staging.item-deltas"
    assert {topics.name(role).partition(".")[0] for role in topics.roles} == {"staging"}
    assert len(topics.roles) == 9


def shown(value: object) -> str:
    """Return a default as the page writes it: TOML."""
    if isinstance(value, tuple):
        value = list(value)
    return msgspec.json.encode(value).decode().replace(",", ", ")


def test_the_page_lists_every_key_with_its_default_and_no_other(root: Path) -> None:
    page = (root / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z_.]+)` \| `([^`]*)` \| (\S.*) \|$", page, re.MULTILINE)
    written = {key: default for key, default, _ in rows}
    true = {}
    for key, _ in setting_types():
        value = default_of(key)
        true[key] = shown(value)
    assert written == true
