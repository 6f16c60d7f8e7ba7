"""Settings of sources: a section for each line of the registry."""

import pytest

from millstream.models.pairs import PairsParams
from millstream.models.registry import SOURCES
from millstream.streams.assembly import new_sources
from millstream.streams.errors import BadUsage
from millstream.streams.settings import Settings
from millstream.streams.settings_reader import (
    Flag,
    as_environment,
    load_settings,
    setting_types,
    with_setting,
)


def test_no_source_has_the_name_of_another_section() -> None:
    assert not set(SOURCES) & set(Settings.__struct_fields__)


def test_each_source_has_a_section() -> None:
    sections = {key.partition(".")[0] for key, _ in setting_types()}
    assert set(SOURCES) <= sections
    assert "sources" not in sections


def test_a_param_is_set_as_any_other_setting_is() -> None:
    settings = load_settings(environ={"MILLSTREAM_PAIRS_WIDTH": "128"})
    assert settings.section("pairs") == PairsParams(width=128)
    assert settings.section("list") == settings.list
    with pytest.raises(BadUsage, match=r"--set: '0' is wrong; it must be a whole number of at"):
        with_setting(settings, "pairs.width", "0", "--set")
    with pytest.raises(BadUsage, match=r"nearest known one is pairs\.width"):
        with_setting(settings, "pairs.widht", "9", "--set")


def test_what_is_set_to_its_default_is_not_set() -> None:
    changed = with_setting(Settings(), "pairs.width", "128", "--set")
    assert with_setting(changed, "pairs.width", "256", "--set") == Settings()


def test_another_process_is_given_the_same_params() -> None:
    settings = with_setting(Settings(), "pairs.width", "128", "--set")
    assert load_settings(environ=as_environment(settings)) == settings


def test_params_shape_the_hash_where_their_source_is_in_use() -> None:
    settings = Settings().with_section("pairs", PairsParams(width=128))
    assert settings.shape_hash() != Settings().shape_hash()
    without = with_setting(settings, "model.sources", "pop", "--set")
    assert without.shape_hash() == with_setting(without, "pairs.width", "64", "").shape_hash()


def test_a_source_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    flags = {"model.sources": Flag("--set", "pop,pears")}
    with pytest.raises(
        BadUsage,
        match=r"^--set: 'pears' is wrong.* one of content, fism, mf, pairs, pop, river\.MODEL, ri",
    ):
        load_settings(environ={}, flags=flags)


@pytest.mark.parametrize(
    ("sources", "options", "sentence"),
    [
        ("pop,river", "", r"^A: 'river' is wrong.* river\.MODEL"),
        ("pop,pairs.SVD", "", r"^A: 'pairs\.SVD' is wrong"),
        (
            "pop,river.SVD",
            "",
            r"^A, B: River has no recommender 'SVD'; it has Baseline, BiasedMF, ",
        ),
        ("river.FunkMF", "FunkMF.k=1", r"^A, B: river\.FunkMF takes no 'k'; it takes n_factors, "),
        ("river.FunkMF", "k=1", r"^B: 'k=1' is wrong; it must be MODEL\.ARGUMENT=VALUE"),
    ],
)
def test_what_river_does_not_know_is_bad_usage(sources: str, options: str, sentence: str) -> None:
    flags = {"model.sources": Flag("A", sources), "river.options": Flag("B", options)}
    with pytest.raises(BadUsage, match=sentence):
        load_settings(environ={}, flags=flags)


def test_rivers_recommenders_share_a_section_and_its_params_shape_the_hash() -> None:
    flags = {"model.sources": Flag("A", "pop,river.FunkMF,river.Baseline")}
    settings = load_settings(environ={}, flags=flags)
    made = {source.name for source, _ in new_sources(settings)}
    assert made == {"pop", "river.FunkMF", "river.Baseline"}
    changed = with_setting(settings, "river.options", "FunkMF.n_factors=3", "B")
    assert changed.shape_hash() != settings.shape_hash()
    assert load_settings(environ=as_environment(changed)) == changed
