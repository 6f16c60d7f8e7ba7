"""Two of the runs of `make faults`, one of them with a standby, on the tests' own stack."""

import pytest

from millstream.streams.settings_reader import Flag, load_settings
from tests.faults.harness import run


@pytest.mark.faults
@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_lost_doubled_or_different_after_kills_under_load(stack, tmp_path, seed):
    flags = {
        "data_dir": Flag("test", str(tmp_path)),
        "kafka.bootstrap": Flag("test", stack.kafka),
        "redis.url": Flag("test", stack.redis),
    }
    result = run(load_settings(environ={}, flags=flags), tmp_path, seed, faults=5)
    assert result.survived, result.as_json()
    assert result.with_work_in_hand == 5
    assert result.kills >= 3
    assert result.renewed > 0
