"""Head to head: one protocol for all, peers apart, and nobody left out in silence."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from benchmarks.orders import part, positives
from benchmarks.peers.apart import PeerFailed, run_peer
from benchmarks.peers.install import NotInstalled, ensure_installed, packages_of
from benchmarks.peers.peer import Scores
from benchmarks.peers.pop import HALF_LIFE, Pop
from benchmarks.peers.prequential import MISS, Stream, numbered, rank, replay
from benchmarks.peers.registry import PEERS, Entry
from benchmarks.quality import head_to_head

from millstream.streams.evaluate import evaluate
from millstream.streams.settings import Settings
from millstream.streams.settings_reader import cache_dir


class Newest:
    """Scores items by their number, so that the newest is first; notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, list[int], int]] = []
        self.learnt: list[tuple[int, int, int]] = []

    def score(self, user: int, history: Sequence[int], known: int) -> Scores:
        self.asked.append((user, list(history), known))
        return np.arange(known, dtype=np.float64)

    def learn(self, user: int, item: int, ts_ms: int) -> None:
        self.learnt.append((user, item, ts_ms))


#             row 0  1  2  3  4  5  6
STREAM = Stream([0, 1, 0, 0, 1, 1, 0], [0, 1, 2, 1, 1, 0, 3], [10, 20, 30, 40, 50, 60, 70])


def test_the_protocol_by_hand() -> None:
    peer = Newest()
    found = replay(peer, STREAM)
    # Rows 0 and 1 are first events, row 4 is a repeat. Rows 2 and 6 bring new items: misses.
    # Row 3: user 0 had 0 and 2, so item 1 is alone. Row 5: user 1 had 1; 2 is above 0.
    assert found.ranks == [MISS, 1, 2, MISS]
    assert peer.asked == [(0, [0, 2], 3), (1, [1, 1], 3)]
    assert peer.learnt == list(zip(STREAM.users, STREAM.items, STREAM.ts_ms, strict=True))


def test_every_nth_row_is_scored_and_all_are_learnt() -> None:
    peer = Newest()
    assert replay(peer, STREAM, every=3).ranks == [1, MISS]
    assert len(peer.learnt) == 7


@pytest.mark.parametrize(("tie", "expected"), [(0.0, 2), (0.24, 2), (0.26, 3), (0.99, 5)], ids=str)
def test_ties_are_broken_by_chance_among_unseen_items(tie: float, expected: int) -> None:
    scores = np.array([9.0, 8.0, 5.0, 5.0, 5.0, 5.0, 1.0])
    assert rank(scores, 3, [0], tie) == expected


def test_a_score_that_is_no_number_is_the_lowest() -> None:
    scores = np.array([np.nan, 1.0, -np.inf, np.inf])
    assert rank(scores, 1, [], 0.0) == 2
    assert rank(scores, 0, [], 0.0) == 3
    assert rank(scores, 0, [], 0.99) == 4


def test_numbers_are_in_the_order_of_first_appearance() -> None:
    assert numbered(["x", "b", "x", "a", "b"]) == [0, 1, 0, 2, 1]


def test_popularity_halves_in_its_half_life() -> None:
    pop = Pop()
    pop.learn(0, 0, 0)
    for _ in range(HALF_LIFE):
        pop.learn(0, 1, 0)
    pop.learn(0, 2, 0)
    of_0, _, of_2 = pop.score(0, [], 3).tolist()
    assert of_2 / of_0 == pytest.approx(2.0, rel=1e-3)


def test_popularity_does_not_overflow() -> None:
    pop = Pop()
    for n in range(400 * HALF_LIFE):
        pop.learn(0, n % 2, 0)
    assert np.isfinite(pop.score(0, [], 2)).all()


def test_the_scored_events_and_popularity_are_evaluates(events_file: Path, tmp_path: Path) -> None:
    table = part(positives(str(events_file), tmp_path), 0, 2_000)
    ours = evaluate(table, Settings(), every=2)
    stream = Stream(numbered(table.users), numbered(table.items), table.ts_ms)
    theirs = np.array(replay(Pop(), stream, every=2).ranks)
    assert len(theirs) == ours.scored
    mine = np.array(ours.ranks["pop"])
    assert ((theirs == MISS) == (mine >= MISS)).all()
    assert (theirs <= 10).mean() == pytest.approx((mine <= 10).mean(), abs=0.02)


def test_a_peer_in_its_own_process_ranks_as_here() -> None:
    random = np.random.default_rng(1)
    items = numbered([str(n) for n in random.integers(30, size=300)])
    stream = Stream(numbered([str(n) for n in random.integers(9, size=300)]), items, [*range(300)])
    apart = run_peer("pop", stream, 1, 7, Path("unused"), lambda _: None)
    assert apart.ranks == replay(Pop(), stream, seed=7).ranks
    assert apart.score_us > 0


@pytest.mark.parametrize("name", [name for name, entry in PEERS.items() if entry.pins])
def test_an_installed_peer_learns_which_items_go_together(name: str) -> None:
    # 40 s of installing are the benchmark's business; what it has installed is tried here.
    if not packages_of(PEERS[name].pins, cache_dir()).is_dir():
        pytest.skip(f"not installed; python benchmarks/quality.py --peers {name} does that")
    # Each user takes the ten items of one of four shelves, in an order of their own.
    random, users, items = np.random.default_rng(2), list[int](), list[int]()
    for user in range(120):
        users += [user] * 10
        items += [10 * (user % 4) + int(n) for n in random.permutation(10)]
    stream = Stream(users, numbered([str(item) for item in items]), [1_000_000] * len(users))
    found = run_peer(name, stream, 1, 0, cache_dir(), lambda _: None)
    settled = np.array(found.ranks[len(found.ranks) // 2 :])
    assert (settled <= 10).mean() > 0.9  # by chance, 10 of about 35


def test_a_peer_that_breaks_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    broken = Stream([0, 0], [0, 1], [0])
    with pytest.raises(PeerFailed, match="pop has ended with code 1"):
        run_peer("pop", broken, 1, 0, Path("unused"), lambda _: None)
    assert "zip()" in capfd.readouterr().err


def test_packages_that_cannot_be_had_leave_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(NotInstalled, match=r"[Ii]nvalid requirement"):
        ensure_installed(["no such thing!!"], tmp_path)
    assert list((tmp_path / "peers").iterdir()) == []


def test_who_cannot_be_installed_is_named_in_the_answer(
    events_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setitem(PEERS, "x", Entry("X", Pop, ("no such thing!!",)))
    table = part(positives(str(events_file), tmp_path), 0, 200)
    found = head_to_head(table, Settings(), ["x", "pop"], 1, 0)["recommenders"]
    assert isinstance(found, dict)
    assert "equirement" in found["x"]["not_compared"]
    apart = found["pop"]["ours_minus_theirs"]["recall@10"]
    assert (apart["a"], apart["b"]) == (
        found["pop"]["recall@10"],
        found["millstream"]["recall@10"],
    )
    assert list(found) == ["millstream", "x", "pop"]


def test_the_script_prints_one_line_of_json(root: Path, events_file: Path) -> None:
    command = [sys.executable, str(root / "benchmarks/quality.py"), str(events_file)]
    command += ["--positive", "value>=4", "--limit", "400", "--peers", "pop,river", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    found = json.loads(line)
    assert found["events"] == 400
    assert found["machine"]
    assert set(found["recommenders"]) == {"millstream", "pop", "river"}
    assert {"recall@10", "mrr@20", "us_per_event", "ours_minus_theirs"} <= set(
        found["recommenders"]["river"]
    )


def test_a_peer_nobody_knows_is_bad_usage(root: Path) -> None:
    command = [sys.executable, str(root / "benchmarks/quality.py"), "--peers", "nobody"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 2
    assert "--peers nobody: it must be one of pop" in done.stderr
