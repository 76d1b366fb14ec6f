"""When a truck is where, and with what on board: a round driven on paper, the break included."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from datamall.enforcement.routing.travel import Travel

Windows = tuple[tuple[int, int], ...]
DAY = 24 * 3600
ALWAYS: Windows = ((0, 2 * DAY),)


class Leg(NamedTuple):
    """Where a truck goes next and what it does there.

    Attributes
    ----------
    location
        Its row of the travel table.
    windows
        Spans (s of the day) in which service may begin, in order.
    service
        Seconds.
    litres, kilograms
        What it takes on board.
    unloads
        Whether it leaves there all that it has.
    """

    location: int
    windows: Windows = ALWAYS
    service: int = 0
    litres: int = 0
    kilograms: int = 0
    unloads: bool = False


class Passage(NamedTuple):
    """What came of a leg: times in s of the day, load after it, metres so far, and lateness."""

    arrival: int
    begin: int
    departure: int
    litres: int
    kilograms: int
    metres: int
    late: bool


class Driven(NamedTuple):
    """The passages of all legs, and begin and end of the break, or None where none falls due."""

    passages: list[Passage]
    pause: tuple[int, int] | None


def opening(windows: Windows, moment: int) -> tuple[int, bool]:
    """Return when service can begin for one who is there at a moment, and whether it is too late.

    Too late, it begins at once.
    """
    for opens, closes in windows:
        if moment <= closes:
            return max(opens, moment), False
    return moment, True


def drive(
    travel: Travel, duty: dict[str, Any], legs: Sequence[Leg], here: int, *, paused: bool = True
) -> Driven:
    """Drive legs one after the other, each as early as possible.

    Parameters
    ----------
    travel
        Between locations.
    duty
        start, load_litres, load_kilograms, pause, pause_from, all in the units of `duties`.
    legs
        In order; the last may be the way home.
    here
        Location at which the truck is at the start.
    paused
        False for the clock on which PyVRP plans, which knows no break.

    Notes
    -----
    The break begins at the first moment from `pause_from` on at which nothing is served: on the
    road, waiting, or between two stops; who breaks off waiting arrives after it. One who is home
    before needs none.
    """
    moment, metres, pause = int(duty["start"]), 0, None
    litres, kilograms = int(duty["load_litres"]), int(duty["load_kilograms"])
    owed = int(duty["pause"]) if paused else 0
    found = []
    for leg in legs:
        arrival = moment + int(travel.seconds[here, leg.location])
        begin, late = opening(leg.windows, arrival)
        rest = max(moment, int(duty["pause_from"]))
        if owed and rest <= begin:
            pause, owed = (rest, rest + owed), 0
            arrival = pause[1] + max(0, arrival - rest)
            begin, late = opening(leg.windows, arrival)
        metres += int(travel.metres[here, leg.location])
        litres = 0 if leg.unloads else litres + leg.litres
        kilograms = 0 if leg.unloads else kilograms + leg.kilograms
        moment, here = begin + leg.service, leg.location
        found.append(Passage(arrival, begin, moment, litres, kilograms, metres, late))
    return Driven(found, pause)
