"""An item waits for its first event from the moment that its codes say something."""

import numpy as np

from millstream.models.content import Content, ContentParams
from millstream.models.embedding import Embedding, Part, unit_vector


def look(*numbers: float) -> Embedding:
    vector = np.array(numbers, np.float32)
    return Embedding({"text": Part(unit_vector(vector / np.linalg.norm(vector)), "v1", b"")})


def test_codes_that_come_with_new_axes_put_a_row_among_those_that_wait() -> None:
    content = Content(ContentParams())
    content.grow(4)
    content.describe(0, look(1.0, 0.0))  # alone, it is all mean: nothing tells it apart
    assert content.unmet.rows().tolist() == []
    content.describe(1, look(0.0, 1.0))
    assert content.unmet.rows().tolist() == [0, 1]


def test_learner_replica_and_restart_agree_on_who_waits() -> None:
    learner, replica, restarted = (Content(ContentParams()) for _ in range(3))
    for content in (learner, replica, restarted):
        content.grow(6)
    for row, numbers in enumerate([(1, 0), (1, 0), (1, 0), (1, 0.1), (0, 1)]):
        learner.describe(row, look(*numbers))
        replica.apply(learner.changes())
        assert learner.unmet.rows().tolist() == replica.unmet.rows().tolist()
    restarted.load(learner.arrays())
    assert restarted.unmet.rows().tolist() == learner.unmet.rows().tolist() != []


def test_a_version_that_takes_over_leaves_nobody_waiting_without_codes() -> None:
    content = Content(ContentParams())
    content.grow(12)
    for row in range(11):
        content.describe(row, look(row + 1.0, 3.0, 1.0 / (row + 1)))
    for row in range(10):
        part = Part(look(row + 1.0, 2.0).parts["text"].vector, "v2", b"")
        content.describe(row, Embedding({"text": part}))
    described = np.flatnonzero(content.vectors.scales.any(axis=1))
    assert content.unmet.rows().tolist() == described.tolist()
