"""Small numbers of people: the one rule of what may be printed of a count, wherever it is printed.

Tables of an analysis have their own program, `datamall.fraud.disclosure`, by the same rule; single
counts, as in reports of quality and in the mall's registers, go through `count`.
"""

from collections.abc import Mapping
from typing import Any

MINIMUM, ROUNDING = 10, 5
# A printed count stands for the exact ones that are at most so far from it.
REACH = ROUNDING // 2


def count(number: int | None) -> int | None:
    """Return a count of people, or of their records, as it may be printed.

    Parameters
    ----------
    number
        Exact or already rounded count; None where there is none.

    Returns
    -------
    int or None
        Rounded to the nearest 5; None below 10.
    """
    if number is None or number < MINIMUM:
        return None
    return (number + REACH) // ROUNDING * ROUNDING


def in_words(number: int | None) -> str:
    """Return a count of people, exact or as it may be printed, in words."""
    shown = count(number)
    return f"fewer than {MINIMUM}" if shown is None else f"{shown:,}"


def parts(numbers: Mapping[str, int | None]) -> dict[str, int | None]:
    """Return counts that add up to a number that is printed, too.

    Parameters
    ----------
    numbers
        Name → exact count; None is no part.

    Returns
    -------
    dict
        As from `count`. Parts below 10 would follow from the whole and the others: so the smallest
        of these are hidden too, until at least two parts are hidden and these make up at least 10
        together.
    """
    hidden: list[str] = []
    known = {name: number for name, number in numbers.items() if number is not None}
    for name, number in sorted(known.items(), key=lambda part: (part[1], part[0])):
        few = hidden and (len(hidden) == 1 or sum(known[one] for one in hidden) < MINIMUM)
        if number < MINIMUM or few:
            hidden.append(name)
    return {name: None if name in hidden else count(n) for name, n in numbers.items()}


def counts(numbers: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return a record whose counts under some names are as they may be printed."""
    return {name: count(n) if name in names else n for name, n in numbers.items()}
