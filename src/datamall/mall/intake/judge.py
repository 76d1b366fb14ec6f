"""Whether a delivery is like those before it, or should wait until its steward has looked.

Each is judged as a whole, against those that were taken in before it. What is asked adapts to what
earlier ones were like, so that a store whose files differ much holds few of them back. Numbers are
few and mean "look at this", not "this is wrong": whoever knows better accepts.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, TypeAlias

from datamall.mall.intake.observed import EPOCH, Brought, Day

# Fewer than half, or more than twice, of what all before had: of less than three, a quarter, four.
UNLIKE, AT_FIRST, FEW_BEFORE = 2, 4, 3
# What a small number does by chance is not looked at.
SMALL = 20
# Share put aside that is looked at, if it is also twice what any had before.
ASIDE = 0.02
# Days before it, so that "they follow each other" means something.
KNOWN_DAYS = 10
# Places that were in each of so many last deliveries, of which so large a share is gone.
LAST, GONE = 8, 0.1


def unusual(new: Brought, before: Sequence[Brought], days_before: set[int]) -> str | None:
    """Return a sentence on what is unlike earlier deliveries, or None.

    Parameters
    ----------
    new
        The delivery.
    before
        Those taken in before it, in order.
    days_before
        All days that were delivered before, also by what waits itself.
    """
    if not before or not new.records:
        return None
    # Whoever corrects a few days sends a few rows.
    correction = bool(new.days) and bool(days_before) and max(new.days) < max(days_before)
    reasons = [_copied(new, before), _aside(new, before), _emptied(new, before)]
    if not correction:
        reasons += [_records(new, before), _gap(new.days, days_before), _gone(new, before)]
    return next((reason for reason in reasons if reason), None)


def _copied(new: Brought, before: Sequence[Brought]) -> str | None:
    for one in before:
        # Where the day stands in the file's name, two files can have the same bytes.
        if one.sha256 == new.sha256 and one.days.keys() == new.days.keys():
            return f"It is the same as {one.file}, byte for byte."
    known = {
        told.content: (one, day)
        for one in (new, *reversed(before))  # the first that had it is the one that counts
        for day, told in sorted(one.days.items(), reverse=True)
        if told.counted >= SMALL
    }
    for day, told in sorted(new.days.items()):
        first, then = known.get(told.content, (new, day))
        if told.counted >= SMALL and then != day:
            place = "itself" if first is new else first.file
            return (
                f"All {told.counted:,} counts of {_day(day)} are those that {place} has for "
                f"{_day(then)}, to the last one."
            )
    return None


def _aside(new: Brought, before: Sequence[Brought]) -> str | None:
    share, most = (new.put_aside / new.records), max(_share_aside(one) for one in before)
    if new.put_aside < SMALL or share <= max(ASIDE, 2 * most):
        return None
    return f"{share:.1%} of its records are put aside; at most {most:.1%} were before."


def _share_aside(one: Brought) -> float:
    return one.put_aside / one.records if one.records else 0.0


def _emptied(new: Brought, before: Sequence[Brought]) -> str | None:
    for name, lacking in sorted(new.empty.items()):
        filled = min((1 - one.empty[name] / one.rows for one in before if one.rows), default=0)
        if lacking == new.rows and filled * new.rows >= SMALL:
            return f"{name} is empty throughout; before it was filled in {filled:.0%} of rows."
    return None


def _records(new: Brought, before: Sequence[Brought]) -> str | None:
    rates = [one.records / one.span for one in before if one.records]
    factor = UNLIKE if len(rates) >= FEW_BEFORE else AT_FIRST
    low, high = min(rates, default=0) * new.span, max(rates, default=0) * new.span
    if low / factor <= new.records <= high * factor or max(new.records, low) < SMALL:
        return None
    range_ = f"{low:,.0f}" if round(low) == round(high) else f"{low:,.0f} to {high:,.0f}"
    per = "" if not new.days else f" for {new.span:,} day{'s' if new.span > 1 else ''}"
    return f"It has {new.records:,} records{per}; from earlier ones {range_} were to be expected."


def _gap(days: Iterable[int], days_before: set[int]) -> str | None:
    if len(days_before) < KNOWN_DAYS:
        return None
    usual = max(following - last for last, following in pairwise(sorted(days_before)))
    for last, following in pairwise(sorted(days)):
        if following - last > 1.5 * usual + 1:
            return (
                f"There is nothing between {_day(last)} and {_day(following)}; before, at most "
                f"{usual} day{'s' if usual > 1 else ''} lay between two."
            )
    return None


def _gone(new: Brought, before: Sequence[Brought]) -> str | None:
    last = [one for one in before if one.places][-LAST:]
    if len(last) < FEW_BEFORE or new.span < min(one.span for one in last):
        return None
    always = set.intersection(*(one.places for one in last))
    gone = sorted(always - new.places, key=str)
    if len(gone) < 3 or len(gone) <= GONE * len(always):
        return None
    name = " ".join(part for part in gone[0] if part)
    return (
        f"{len(gone):,} of the {len(always):,} that were in each of the last {len(last)} "
        f"deliveries are gone, such as {name}."
    )


def unlike_before(new: Brought, before: Mapping[str, Any]) -> str | None:
    """Return a sentence on what is unlike the file that a new one was written over, or None.

    `before` is what became of that file, from the report of quality.
    """
    days = [before[name] for name in ("first_day", "last_day") if before[name]]
    numbers = [(date.fromisoformat(day) - EPOCH).days for day in days]
    # Of people, small numbers are not kept.
    records, aside = before["records"] or 0, before["put_aside"] or 0
    old = Brought(before["file"], before["sha256"], None, records, aside)
    old.days = dict.fromkeys(numbers, Day(0, 0))
    return _aside(new, [old]) or _records(new, [old])


def _day(number: int) -> str:
    return (EPOCH + timedelta(number)).isoformat()


def judged(
    deliveries: Sequence[Brought],
    waiting: Mapping[str, str],
    accepted: frozenset[str] = frozenset(),
) -> tuple[dict[str, str], dict[str, str]]:
    """Return which deliveries of a source should wait, and what is to be known of others.

    Parameters
    ----------
    deliveries
        In the order of delivery, also those that wait.
    waiting
        File → why it waits already.
    accepted
        Files that the steward has looked at: they are taken as they are.

    Returns
    -------
    tuple of dict
        File → why it should wait; file → what is missing before it, which is not its fault.
    """
    waits, notes = dict(waiting), {}
    before: list[Brought] = []
    days: set[int] = set()
    for one in deliveries:
        known = one.file in waits or one.file in accepted
        if not known and (why := unusual(one, before, days)):
            waits[one.file] = why
        if one.file not in waits:
            before.append(one)
            follows = bool(days and one.days) and min(one.days) > max(days)
            if follows and (note := _gap({max(days), min(one.days)}, days)):
                notes[one.file] = note
        # The next follows on what waits, too; but not where its days are what is wrong with it.
        if one.file not in waits or _gap(one.days, days) is None:
            days |= one.days.keys()
    return waits, notes


# File → what it brings, the number of its source, and why it waits.
Held: TypeAlias = dict[str, tuple[Brought, int, str]]


def unlike(
    brought: Sequence[Sequence[Brought]], held: Held, accepted: frozenset[str]
) -> tuple[Held, dict[str, str]]:
    """Return which deliveries of all sources should wait, and what is missing before others.

    Parameters
    ----------
    brought
        Deliveries that were read, by source.
    held, accepted
        Those that wait already, and those that the steward has looked at: see `judged`.
    """
    waiting = {name: why for name, (_, _, why) in held.items()}
    found, notes = dict(held), dict[str, str]()
    for number, some in enumerate(brought):
        own = [one for one, source, _ in held.values() if source == number]
        every = {one.file: one for one in sorted([*some, *own], key=lambda one: one.order)}
        waits, missing = judged([*every.values()], waiting, accepted)
        found |= {name: (every[name], number, why) for name, why in waits.items() if name in every}
        notes |= missing
    return found, notes
