"""Two processors for what is worked through in parts: the result is that of one after the other."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

THREADS = 2
Given = TypeVar("Given")
Found = TypeVar("Found")


def in_order(function: Callable[[Given], Found], items: Iterable[Given]) -> list[Found]:
    """Return what a function finds of each item; some at a time, the result in their order."""
    items = list(items)
    if len(items) < 2:  # a pool of threads costs more than most of what is one item
        return [function(item) for item in items]
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(function, items))


def ahead(items: Iterator[Found]) -> Iterator[Found]:
    """Yield what an iterator yields; the next item is made while the one before is worked on."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item
