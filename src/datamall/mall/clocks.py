"""Time stamps: which clock a source keeps, and what local day and hour its stamps are.

Clocks are set by the rules of Python's `zoneinfo`, written out as SQL: DuckDB's own zones put the
repeated hour of autumn an hour from where Python puts it, and come with another edition of the
rules. A stamp is never moved on a guess: the hour that a local clock leaves out in spring does not
exist, and the one that it keeps twice in autumn is told apart only where the clock tells.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from datamall.errors import DatamallError
from datamall.mall.expressions import identifier, literal, type_of
from datamall.written import Text

PARTS = {"day": "date", "hour": "integer", "minute": "integer", "fold": "integer"}
CLOCKS = ("local", "utc", "winter")
OFFSET = re.compile(r"([+-])([01]\d):([0-5]\d)")
FIRST, LAST = 1970, 2100  # years whose changes are known
STEP = timedelta(days=7)  # no zone changes its clocks twice in a week
HALF = 1800  # seconds: clocks change on the half hour
GAP, AGAIN = 1, 2  # what is odd about a stamp: it cannot be; it is the repeated hour

Change = tuple[datetime, int, int]  # instant (UTC, without zone), offset before, after (seconds)


@dataclass(frozen=True)
class Time:
    """How the time stamps of a file are written, and by which clock.

    Attributes
    ----------
    format
        One format or several, such as ``%Y-%m-%d %H:%M:%S``. With ``%z`` each stamp says its own
        distance from UTC.
    zone
        Where the day is a day: ``Europe/Amsterdam``.
    clock
        ``local`` (summer time in summer), ``utc``, ``winter`` (winter time all year) or a distance
        from UTC such as ``+01:00``; empty with ``%z``.
    """

    format: Text | tuple[Text, ...]
    zone: Text
    clock: str = ""

    def __post_init__(self) -> None:
        formats = self.formats
        for one in formats:
            try:
                type_of(f"strptime('', {literal(one)})", {})
            except DatamallError:
                raise DatamallError(
                    f"format {one!r} is no format of time stamps: write it like %Y-%m-%d %H:%M."
                ) from None
        stamped = ["%z" in one for one in formats]
        if any(stamped) != all(stamped) or not formats:
            raise DatamallError("format is a format or several, all of them with %z or none.")
        if all(stamped) == bool(self.clock):
            raise DatamallError(
                "clock says which time the stamps are (local, utc, winter or +01:00), where these "
                "do not say it themselves (%z): one of the two."
            )
        if self.clock and self.clock not in CLOCKS and not OFFSET.fullmatch(self.clock):
            raise DatamallError(
                f"clock must be {', '.join(CLOCKS)} or a distance from UTC such as +01:00, not "
                f"{self.clock!r}."
            )
        try:
            changes(self.zone)
        except (KeyError, ValueError, OSError):
            raise DatamallError(
                f"zone {self.zone!r} is not known: write it like Europe/Amsterdam."
            ) from None

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats, one or several."""
        return (self.format,) if isinstance(self.format, str) else self.format

    @property
    def distance(self) -> int | None:
        """Seconds by which the stamps are ahead of UTC; None where they are local."""
        found = OFFSET.fullmatch(self.clock)
        if found:
            return int(f"{found[1]}1") * (int(found[2]) * 3600 + int(found[3]) * 60)
        return {"": 0, "utc": 0, "winter": _winter(self.zone)}.get(self.clock)


@dataclass(frozen=True)
class Stamp:
    """A part of the time stamp that stands under one header, or under several, one after another.

    Attributes
    ----------
    headers, time
        The headers, and how what stands there is written.
    part
        One of `PARTS`; ``fold`` is 1 in an hour that comes again, else 0.
    """

    headers: tuple[str, ...]
    time: Time
    part: str

    @property
    def text(self) -> str:
        """Name of the column with the text of the stamp."""
        return identifier(f"time of {' '.join(self.headers)}")

    @property
    def local(self) -> str:
        """Name of the column with the local time."""
        return identifier(f"local time of {' '.join(self.headers)}")

    @property
    def odd(self) -> str:
        """Name of the column with `GAP`, `AGAIN` or 0."""
        return identifier(f"odd time of {' '.join(self.headers)}")

    @property
    def value(self) -> str:
        """SQL for the part, from the columns that `steps` make."""
        if self.part == "fold":
            return f"CASE WHEN {self.local} IS NOT NULL THEN CAST({self.odd} = {AGAIN} AS INT) END"
        return f"CAST({self.local} AS DATE)" if self.part == "day" else f"{self.part}({self.local})"

    def steps(self) -> tuple[str, str, str]:
        """Return SQL for the steps from headers to `local` and `odd`, each over the one before."""
        written = identifier(f"written time of {' '.join(self.headers)}")
        listed, distance = ", ".join(map(literal, self.time.formats)), self.time.distance
        read = f"try_strptime({self.text}, [{listed}])"
        if not self.time.clock:  # DuckDB does not know Z as a distance
            signed = f"regexp_replace({self.text}, 'Z$', '+00')"
            read = f"make_timestamp(epoch_us(try_strptime({signed}, [{listed}])))"
        elif distance:
            read = f"{read} - to_seconds({distance})"
        moved = written
        if distance is not None:
            moved = f"{written} + to_seconds({self._offset(written)})"
        gaps, again = odd_halves(self.time.zone, local=distance is None)
        odd = f"{_among(written, gaps, GAP)} {_among(written, again, AGAIN)}".strip()
        return (
            f"trim(concat_ws(' ', {', '.join(map(identifier, self.headers))})) AS {self.text}",
            f"{read} AS {written}",
            f"{moved} AS {self.local}, {f'CASE {odd} ELSE 0 END' if odd else '0'} AS {self.odd}",
        )

    def _offset(self, instant: str) -> str:
        """Return SQL for the offset of the zone at an instant, found by halving the changes."""
        known = changes(self.time.zone)

        def among(low: int, high: int) -> str:
            if low == high:
                return str(known[low - 1][2] if low else known[0][1])
            middle = (low + high) // 2
            before = f"{instant} < TIMESTAMP '{known[middle][0]}'"
            return (
                f"CASE WHEN {before} THEN {among(low, middle)} ELSE {among(middle + 1, high)} END"
            )

        return among(0, len(known)) if known else str(_winter(self.time.zone))


def _among(written: str, known: list[int], odd: int) -> str:
    half = f"CAST(floor(epoch({written}) / {HALF}) AS BIGINT)"
    return f"WHEN {half} IN ({', '.join(map(str, known))}) THEN {odd}" if known else ""


@cache
def changes(zone: str) -> tuple[Change, ...]:
    """Return the changes of a zone's offset from UTC, in order.

    Raises
    ------
    DatamallError
        If a change is not on the half hour.
    """
    own = ZoneInfo(zone)

    def offset(instant: datetime) -> int:
        ahead = own.utcoffset(instant.replace(tzinfo=UTC).astimezone(own))
        return round(ahead.total_seconds()) if ahead else 0

    found, now = [], datetime(FIRST, 1, 1)
    while now.year < LAST:
        low, high = now, now + STEP
        before, after = offset(low), offset(high)
        if before != after:
            while high - low > timedelta(seconds=1):
                middle = low + timedelta(seconds=(high - low) // timedelta(seconds=1) // 2)
                low, high = (middle, high) if offset(middle) == before else (low, middle)
            if high.year >= 2000 and ((high.minute * 60 + high.second) % HALF or after % HALF):
                raise DatamallError(
                    f"zone {zone!r} does not change its clocks on the half hour, which is not read."
                )
            found.append((high, before, after))
        now += STEP
    return tuple(found)


def odd_halves(zone: str, local: bool) -> tuple[list[int], list[int]]:
    """Return the half hours since 1970 that are in no day, and those that come again.

    Parameters
    ----------
    zone
        The zone.
    local
        Whether they are numbered by the local clock, by which none is told from its second self;
        else by UTC, where nothing is lacking and the second one alone is told.
    """
    gaps, again = [], []
    for instant, before, after in changes(zone):
        start = round((instant - datetime(1970, 1, 1)).total_seconds())
        halves, first = range(abs(after - before) // HALF), start // HALF
        if after > before and local:
            gaps += [first + before // HALF + n for n in halves]
        elif after < before:
            again += [first + (after // HALF if local else 0) + n for n in halves]
    return gaps, again


@cache
def _winter(zone: str) -> int:
    """Return the offset of winter, wherever winter is: the lesser of those of 2025."""
    own = ZoneInfo(zone)
    known = (datetime(2025, month, 1, tzinfo=own).utcoffset() for month in (1, 7))
    return min(round(offset.total_seconds()) for offset in known if offset is not None)
