"""Forbidden joins: what a contract says that its rows may never lie beside.

Two stores can each be permitted and their pair not: what is registered by address, beside people
on benefit, is a search for suspects that nobody ever asked whether it may be done. A contract
names such stores, or whole departments, and why; it holds whichever of the two contracts says it.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from datamall.errors import DatamallError
from datamall.written import Text, read_as

if TYPE_CHECKING:
    from datamall.mall.contracts import Contract


@dataclass(frozen=True)
class ForbiddenJoin:
    """What a store may not be joined to (``department`` or ``department.store``), and why."""

    to: Text
    because: Text

    def holds(self, store: str) -> bool:
        """Whether a store is meant."""
        return self.to in (store, store.partition(".")[0])


def read(given: Any, place: str) -> tuple[ForbiddenJoin, ...]:
    """Return the custom property ``forbidden_joins`` of a contract; `place` is for errors."""
    if not isinstance(given, list):
        raise DatamallError(f"{place}: forbidden_joins is a list, each with `to` and `because`.")
    where = f"{place}: forbidden_joins, number"
    return tuple(read_as(ForbiddenJoin, one, f"{where} {n}") for n, one in enumerate(given, 1))


def check(contracts: Mapping[str, "Contract"]) -> None:
    """Refuse a forbidden join to what there is no contract of, or of a store to itself.

    Raises
    ------
    DatamallError
        With the first.
    """
    for contract in contracts.values():
        for join in contract.forbidden_joins:
            if join.holds(contract.name) or not any(map(join.holds, contracts)):
                raise DatamallError(
                    f"Contract {contract.name}: forbidden_joins names {join.to!r}, which is no "
                    "other store and no other department in data/contracts: name one that is."
                )


def forbidden(
    stores: Collection[str], contracts: Mapping[str, "Contract"]
) -> Iterator[tuple[str, str, str]]:
    """Yield the pairs of stores that may not be joined, each with the reason, in order."""
    for pair in combinations(sorted(set(stores)), 2):
        for own, other in (pair, pair[::-1]):
            for join in contracts[own].forbidden_joins:
                if join.holds(other):
                    yield own, other, join.because
