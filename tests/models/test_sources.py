"""Every source earns the whole suite of models/checks.py."""

import hashlib
import os
import subprocess
import sys

import msgspec
import pytest

from millstream.models.checks import CHECKS
from millstream.models.errors import ModelError
from millstream.models.histories import Steps
from millstream.models.pop import PopParams
from millstream.models.registry import SOURCES, is_family, new_source, params_type
from millstream.models.samples import small_params, small_source, step_of, taught

NAMES = sorted(name for name in SOURCES if not is_family(name))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", NAMES)
def test_the_source_keeps_its_promise(name, check):
    check(lambda: small_source(name))


@pytest.mark.parametrize("name", NAMES)
def test_the_default_params_make_a_source_of_that_name(name):
    assert new_source(name, params_type(name)(), 0).name == name


@pytest.mark.parametrize("name", NAMES)
def test_no_array_of_a_checked_source_is_large(name):
    """A bound that the checks do not make small would not be reached by them."""
    arrays = taught(small_source(name)).arrays()
    assert sum(array.nbytes for array in arrays.values()) < 200_000


def test_no_two_sources_have_a_feature_of_one_name():
    names = [feature for name in NAMES for feature in small_source(name).features]
    assert len(set(names)) == len(names)


def test_a_source_of_another_name_or_with_anothers_params_is_refused():
    with pytest.raises(ModelError, match=r"'so' is wrong; .* content, fism, mf, pairs, pop, ri"):
        new_source("so", PopParams(), 0)
    with pytest.raises(ModelError, match="'pairs' takes PairsParams, not PopParams"):
        new_source("pairs", PopParams(), 0)


def test_small_bounds_are_those_of_the_params():
    assert small_params("pop") == PopParams(half_life=3.0, trending_half_life=1.0, head=16)


def digest(name: str) -> str:
    """Return a hash of a taught source's whole state."""
    state = hashlib.sha256()
    for part, array in sorted(taught(small_source(name)).arrays().items()):
        state.update(part.encode() + array.tobytes())
    return state.hexdigest()


def test_another_process_with_another_hash_seed_ends_in_the_same_bytes():
    program = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('suite', {__file__!r})\n"
        "suite = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(suite)\n"
        "print(*[suite.digest(name) for name in suite.NAMES])\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": "99"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == [digest(name) for name in NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_params_are_checked_and_refuse_what_they_do_not_know(name):
    params = params_type(name)
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.convert({"wdith": 3}, params)
    assert msgspec.convert(msgspec.to_builtins(params()), params) == params()


@pytest.mark.parametrize("name", NAMES)
def test_a_user_whose_hash_is_0_survives_a_snapshot(name):
    source, loaded = small_source(name), small_source(name)
    source.grow(4)
    for row in (1, 2, 3):
        source.learn(Steps.of([step_of(row, [0], 0)]))
    loaded.load(dict(source.arrays()))
    for each in (source, loaded):
        each.learn(Steps.of([step_of(2, [1], 5)]))
    for part, array in source.arrays().items():
        assert loaded.arrays()[part].tobytes() == array.tobytes(), part
