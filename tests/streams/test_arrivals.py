"""Items come when they are available."""

from millstream.models.catalogue import Item
from millstream.models.embedding import Embedding
from millstream.streams.arrivals import Arrivals
from millstream.streams.described import DescribedItem


def entry(item: str, available_from: int = 0) -> DescribedItem:
    return DescribedItem(item, Item(available_from=available_from), Embedding())


def due(arrivals: Arrivals, now_ms: int) -> list[list[str]]:
    return [[item for item, _ in lot] for lot in arrivals.due(now_ms)]


def test_each_comes_once_in_the_order_of_time_and_then_of_the_file() -> None:
    arrivals = Arrivals([entry("late", 200), entry("a"), entry("soon", 100), entry("b")])
    assert due(arrivals, 50) == [["a", "b"]]
    assert due(arrivals, 99) == []
    assert due(arrivals, 100) == [["soon"]]
    assert due(arrivals, 10_000) == [["late"]]
    assert due(arrivals, 20_000) == []


def test_lots_are_bounded() -> None:
    lots = due(Arrivals([entry(str(n)) for n in range(7)], lot=3), 0)
    assert [len(lot) for lot in lots] == [3, 3, 1]
