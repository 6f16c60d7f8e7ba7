"""--positive: what it takes, what it refuses, and that it only ever compares."""

import pytest

from millstream.streams.columns import coded
from millstream.streams.errors import BadUsage
from millstream.streams.positive import parse_positive


def holds(text: str, **row: object) -> bool:
    (found,) = parse_positive(text).mask({name: coded([value]) for name, value in row.items()})
    return bool(found)


@pytest.mark.parametrize(
    ("text", "value", "true"),
    [
        ("value>=4", 4, True),
        ("value>=4", 3.99, False),
        ("value >= 4", "4", True),
        ("value<-1.5", -2, True),
        ("value=1e1", 10, True),
        ("value==10", 10.0, True),
        ("value!=10", 10.0, False),
        ("value>0", None, False),
        ("value>0", float("nan"), False),
        ("value!=0", float("nan"), False),
        ("value>0", "many", False),
        ("value>0", True, False),
        ("value==gold", "gold", True),
        ("value=='old gold'", "old gold", True),
        ('value!="gold"', "lead", True),
        ("value!=gold", None, True),
    ],
)
def test_one_comparison(text: str, value: object, true: bool) -> None:
    assert holds(text, value=value) is true


def test_and_binds_tighter_than_or() -> None:
    text = "a==1 or b==1 and c==1"
    assert holds(text, a=1, b=0, c=0)
    assert holds(text, a=0, b=1, c=1)
    assert not holds(text, a=0, b=1, c=0)


def test_words_may_be_columns_that_begin_with_and_or_or() -> None:
    assert holds("order>1 AND android=1", order=2, android=1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "value",
        "value>",
        ">=4",
        "value>=4 value<5",
        "value>=4 and",
        "value>=4 xor a=1",
        "value>=four",
        "__import__('os').system('true')",
        "(value>=4)",
        "value>=4; a=1",
    ],
)
def test_anything_else_is_refused_with_an_example_or_the_reason(text: str) -> None:
    with pytest.raises(BadUsage, match=r"value>=4 and type==rating|needs a number"):
        parse_positive(text)
