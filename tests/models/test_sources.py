"""Every source earns the whole suite of models/checks.py."""

import hashlib
import os
import subprocess
import sys

import msgspec
import pytest

from millstream.models.checks import CHECKS, taught
from millstream.models.errors import ModelError
from millstream.models.fism import FismParams
from millstream.models.histories import Steps
from millstream.models.mf import MfParams
from millstream.models.pairs import PairsParams
from millstream.models.pop import PopParams
from millstream.models.registry import SOURCES, new_source
from millstream.models.river_mf import RiverMfParams
from millstream.models.samples import step_of

SMALL = {
    "pairs": PairsParams(width=8),
    "pop": PopParams(half_life=3.0, trending_half_life=1.0, head=16),
    "mf": MfParams(factors=8, users_max=64, item_users=16),
    "fism": FismParams(factors=8, negatives=4),
    "river_mf": RiverMfParams(factors=4, users_max=64, negatives=2),
}


def test_every_source_has_small_bounds_to_be_checked_with():
    assert set(SMALL) == set(SOURCES)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", sorted(SMALL))
def test_the_source_keeps_its_promise(name, check):
    check(lambda: new_source(name, SMALL[name], 7))


@pytest.mark.parametrize("name", sorted(SMALL))
def test_the_default_params_make_a_source_of_that_name(name):
    assert new_source(name, SOURCES[name](), 0).name == name


def test_no_two_sources_have_a_feature_of_one_name():
    names = [feature for name in SMALL for feature in new_source(name, SMALL[name], 0).features]
    assert len(set(names)) == len(names)


def test_a_source_of_another_name_or_with_anothers_params_is_refused():
    with pytest.raises(ModelError, match="no source 'pears' takes PairsParams; there are pairs"):
        new_source("pears", PairsParams(), 0)
    with pytest.raises(ModelError, match="'pop' takes PairsParams"):
        new_source("pop", PairsParams(), 0)


def digest(name: str) -> str:
    """Return a hash of a taught source's whole state."""
    state = hashlib.sha256()
    for part, array in sorted(taught(new_source(name, SMALL[name], 7)).arrays().items()):
        state.update(part.encode() + array.tobytes())
    return state.hexdigest()


def test_another_process_with_another_hash_seed_ends_in_the_same_bytes():
    program = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('suite', {__file__!r})\n"
        "suite = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(suite)\n"
        "print(*[suite.digest(name) for name in sorted(suite.SMALL)])\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": "99"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == [digest(name) for name in sorted(SMALL)]


@pytest.mark.parametrize("name", sorted(SMALL))
def test_params_are_checked_and_refuse_what_they_do_not_know(name):
    params = SOURCES[name]
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.convert({"wdith": 3}, params)
    assert msgspec.convert(msgspec.to_builtins(params()), params) == params()


@pytest.mark.parametrize("name", sorted(SMALL))
def test_a_user_whose_hash_is_0_survives_a_snapshot(name):
    source, loaded = new_source(name, SMALL[name], 7), new_source(name, SMALL[name], 7)
    source.grow(4)
    for row in (1, 2, 3):
        source.learn(Steps.of([step_of(row, [0], 0)]))
    loaded.load(dict(source.arrays()))
    for each in (source, loaded):
        each.learn(Steps.of([step_of(2, [1], 5)]))
    for part, array in source.arrays().items():
        assert loaded.arrays()[part].tobytes() == array.tobytes(), part
