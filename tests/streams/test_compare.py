"""Two answers held against each other, through the file that `evaluate --json` makes."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.streams.evaluating import circles, small_settings

from millstream.streams.compare import compare
from millstream.streams.errors import BadUsage, WorldMissing
from millstream.streams.evaluate import evaluate
from millstream.streams.evaluation import MISS, Evaluation
from millstream.streams.evaluation_json import Asked, as_json_answer
from millstream.streams.outcome import Answer, read_answer

ASKED = Asked("prequential", 32, 1, 0, None, None, None, [])


def found(users: list[int], ranks: list[int]) -> Evaluation:
    evaluation = Evaluation(len(users), "prequential", ["fused"])
    for n, (user, rank) in enumerate(zip(users, ranks, strict=True)):
        evaluation.add(n, f"u{user}", "m", n, {"fused": rank}, (1, 1, 0))
    return evaluation


def written(folder: Path, evaluation: Evaluation, name: str = "a.json") -> Path:
    path = folder / name
    path.write_bytes(msgspec.json.encode(as_json_answer("made up", evaluation, ASKED, "here")))
    return path


def answer(folder: Path, users: list[int], ranks: list[int]) -> Answer:
    return read_answer(written(folder, found(users, ranks)))


def test_ranks_and_users_come_back(tmp_path: Path) -> None:
    users = [0, 1, 0, *range(2, 400)]
    ranks = [1, 254, MISS, *[255] * 398]
    read = answer(tmp_path, users, ranks)
    assert read.ranks().tolist() == [1, 254, 255, *[255] * 398]
    assert read.users().tolist() == users  # as they came: 0, 1, 0, 2 ...


def test_an_answer_of_many_events_is_small(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    users = np.repeat(np.arange(900), 61)[:54_433]
    ranks = np.minimum(random.geometric(0.02, len(users)) ** 1.5, 1000).astype(int)
    assert written(tmp_path, found(users.tolist(), ranks.tolist())).stat().st_size < 200_000


def test_more_hits_are_better_and_counted_by_hand(tmp_path: Path) -> None:
    users = [n // 2 for n in range(40)]
    a = answer(tmp_path, users, [11] * 40)
    b = answer(tmp_path, users, [10, MISS] * 20)
    result = compare(a, b)
    assert (result.scored, result.users) == (40, 20)
    assert (result.recall.a, result.recall.b, result.recall.difference) == (0.0, 0.5, 0.5)
    assert (result.only_a_hit, result.only_b_hit) == (0, 20)
    assert result.p_mcnemar == pytest.approx(2 / 2**20, rel=0.01)
    assert result.mrr.difference == pytest.approx((1 / 10 - 2 / 11) / 2, abs=1e-5)
    assert result.verdict == "b is better"
    assert compare(b, a).verdict == "b is worse"


def test_the_same_answer_twice_is_noise(tmp_path: Path) -> None:
    a = answer(tmp_path, [1, 2, 3], [1, 2, 30])
    result = compare(a, a)
    assert result.verdict == "within noise"
    assert (result.recall.p_sign_flip, result.p_mcnemar) == (1.0, 1.0)


def test_nothing_scored_can_be_compared_with_itself(tmp_path: Path) -> None:
    empty = answer(tmp_path, [], [])
    assert compare(empty, empty).verdict == "within noise"


def test_other_events_are_refused_with_what_to_do(tmp_path: Path) -> None:
    a = answer(tmp_path, [1, 2], [1, 1])
    b = answer(tmp_path, [1, 3], [1, 1])
    with pytest.raises(BadUsage, match=r"2 of made up by prequential.*same --limit"):
        compare(a, b)


def test_settings_can_differ_events_not(tmp_path: Path) -> None:
    one = written(tmp_path, evaluate(circles(), small_settings()))
    two = written(tmp_path, evaluate(circles(), small_settings(items_max=20)), "b.json")
    assert compare(read_answer(one), read_answer(two)).scored > 100
    third = written(tmp_path, evaluate(circles(), small_settings(), every=2), "c.json")
    with pytest.raises(BadUsage, match="different events"):
        compare(read_answer(one), read_answer(third))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[1]",
        b"\xff",
        b'{"error":"the file x is not there","exit_code":3}',
        b'{"dataset":"d","scored":9,"protocol":"p","outcome":{"events":"","ranks":"","users":""}}',
        b'{"dataset":"d","scored":1,"protocol":"p","outcome":{"events":"","ranks":"!","users":""}}',
    ],
)
def test_what_is_no_answer_is_refused_with_how_to_make_one(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(BadUsage, match=r"evaluate DATASET --json > .*a\.json"):
        read_answer(path)


def test_what_unpacks_to_more_than_it_says_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, found([1] * 500, [1] * 500))
    path.write_bytes(path.read_bytes().replace(b'"scored":500', b'"scored":3'))
    with pytest.raises(BadUsage):
        read_answer(path)


def test_a_missing_answer_is_a_missing_world(tmp_path: Path) -> None:
    with pytest.raises(WorldMissing, match="is not there"):
        read_answer(tmp_path / "none.json")
