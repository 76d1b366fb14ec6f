"""What detectors make of the traffic: outages, numbers that stick, pairs that are exchanged.

A fault is planted for a period of one detector and written to the truth; times are local and the
end is exclusive. Detectors with a lasting fault have no outage beside it, except where the whole
junction is not delivered.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datamall.demo.demand import GAP, QUARTERS, Traffic, clock_changes, knobs_of
from datamall.demo.draws import sample, stream
from datamall.demo.world import World

BLANK = -1
BUSY = 60.0  # passages/h in the design hour; a quiet detector that fails is nobody's loss
UNLIKE = 1.8  # detectors that are exchanged differ in volume at least by this factor
# Shortest and longest period of each fault, in days.
LASTING = {
    "swapped": (60.0, 150.0),
    "stuck": (5.0, 30.0),
    "dead": (7.0, 60.0),
    "doubled": (20.0, 60.0),
    "missing": (0.125, 22.0),
    "not delivered": (2.0, 10.0),
}


class Counted(NamedTuple):
    """What detectors deliver.

    Attributes
    ----------
    cells
        int32 of shape (detectors, days, 96); `BLANK` where a cell is empty.
    sent
        Whether the line of a detector and day is delivered at all.
    faults
        site, approach, movement, mode, detector, kind (of `LASTING`), start, end, other (the
        detector it is exchanged with, "" for none) and value (that a stuck one shows; NaN).
    """

    cells: NDArray[np.int32]
    sent: NDArray[np.bool_]
    faults: pd.DataFrame


def counted(seed: int, world: World, year: Traffic) -> Counted:
    """Count the served traffic with the detectors' faults; none where the world has no mess."""
    rng = stream(seed, "detector faults")
    detectors = year.junctions.detectors
    number, days, _ = year.served.shape
    count = year.served.reshape(number, -1).copy()
    sent = np.ones((number, days), dtype=bool)
    rows = []
    for kind, row, other, start, end in _plan(rng, world, detectors, days):
        period = slice(start, end)
        value = np.nan
        if kind == "swapped":
            count[row, period] = year.served[other].reshape(-1)[period]
        elif kind == "stuck":
            value = max(1, int(year.served[row, start // QUARTERS, QUARTERS // 2]))
            count[row, period] = value
        elif kind == "dead":
            count[row, period] = 0
        elif kind == "doubled":
            count[row, period] *= 2
        elif kind == "missing":
            count[row, period] = BLANK
        else:
            sent[row, start // QUARTERS : end // QUARTERS] = False
        rows.append((kind, row, other, start, end, value))
    cube = count.reshape(year.served.shape)
    cube[:, clock_changes(year.days, "spring"), GAP] = BLANK
    return Counted(cube, sent, _table(rows, year))


def _plan(
    rng: np.random.Generator, world: World, detectors: pd.DataFrame, days: int
) -> list[tuple[str, int, int, int, int]]:
    """Return kind, detector, other detector (-1 for none), first and last quarter + 1."""
    knobs = knobs_of(world)
    mess = world.mess
    found: list[tuple[str, int, int, int, int]] = []

    def period(kind: str) -> tuple[int, int]:
        low, high = LASTING[kind]
        # Short ones are more frequent than long ones; none takes more than a third of the year.
        length = int(QUARTERS * min(low * (high / low) ** rng.random(), days / 3))
        start = int(rng.random() * (days * QUARTERS - length))
        return start, start + length

    free = _unlike_pairs(rng, detectors)
    for _ in range(round(mess * knobs.swapped)):
        if (pair := next(free, None)) is None:
            break
        start, end = period("swapped")
        found += [("swapped", *pair, start, end), ("swapped", *pair[::-1], start, end)]
    taken = {row for _, row, *_ in found}
    busy = (detectors["design"] >= BUSY).to_numpy()
    order = [int(row) for row in sample(rng, len(detectors), len(detectors)) if row not in taken]
    lasting = (("stuck", knobs.stuck), ("dead", knobs.zero), ("doubled", knobs.doubled))
    for kind, usual in lasting:
        for row in [row for row in order if busy[row]][: round(mess * usual)]:
            order.remove(row)
            found.append((kind, row, -1, *period(kind)))
    for _ in range(round(mess * knobs.outages) if order else 0):
        found.append(("missing", order[int(rng.random() * len(order))], -1, *period("missing")))
    sites = detectors["site"].unique()
    for _ in range(round(mess * knobs.not_delivered)):
        site = sites[int(rng.random() * len(sites))]
        start, end = (QUARTERS * (moment // QUARTERS) for moment in period("not delivered"))
        rows = np.flatnonzero(detectors["site"] == site).tolist()
        found += [("not delivered", row, -1, start, end) for row in rows]
    return found


def _unlike_pairs(rng: np.random.Generator, detectors: pd.DataFrame) -> Iterator[tuple[int, int]]:
    """Yield pairs of unlike busy car detectors of one junction, each junction at most once."""
    cars = detectors[(detectors["mode"] == "car") & (detectors["design"] >= BUSY)]
    sites = detectors["site"].unique()
    for turn in sample(rng, len(sites), len(sites)):
        part = cars[cars["site"] == sites[turn]].sort_values(["design", "detector"])
        if len(part) > 1 and part["design"].iloc[-1] >= UNLIKE * part["design"].iloc[0]:
            yield int(part.index[0]), int(part.index[-1])


def _table(rows: list[tuple[str, int, int, int, int, float]], year: Traffic) -> pd.DataFrame:
    """Return the faults with names and times, in order of detector and time."""
    detectors = year.junctions.detectors
    columns = ["kind", "row", "other", "start", "end", "value"]
    table = pd.DataFrame(rows, columns=columns).astype({"row": int, "other": int})
    first = year.days["day"].iloc[0]
    for name in ("start", "end"):
        table[name] = first + pd.to_timedelta(15 * table[name].astype(int), unit="min")
    named = [*detectors["detector"], ""]
    table["other"] = [named[row] for row in table["other"]]
    keys = ["site", "approach", "movement", "mode", "detector"]
    table = detectors.loc[table["row"], keys].reset_index(drop=True).join(table.drop(columns="row"))
    return table.sort_values(["detector", "start", "kind"], ignore_index=True)
