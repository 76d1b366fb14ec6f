"""What a day's rounds are made of: places and their hours, trucks, and the travel between them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from datamall.enforcement.routing.duties import REFUSALS, latest
from datamall.enforcement.routing.refusals import clock, complete, minutes
from datamall.enforcement.routing.settings import Settings
from datamall.enforcement.routing.timing import ALWAYS, DAY, Driven, Leg, Windows, drive
from datamall.enforcement.routing.travel import Travel, between

AVOID = ("x", "y", "radius", "weekday", "start", "end")


class Step(NamedTuple):
    """A stop of a round: a disposal site, or a candidate in one of its windows."""

    at_site: bool
    number: int  # row of `Day.sites` or `Day.candidates`
    window: int = 0


@dataclass(frozen=True)
class Day:
    """Places, trucks and travel of a day.

    Attributes
    ----------
    candidates
        As from `refusals.fit`, and litres, kilograms, seconds (of service), all whole.
    windows
        Of each candidate, the spans (s of the day) in which service may begin.
    duties
        One record per truck, as from `duties`.
    sites
        As from `duties.sites`.
    able
        Duty × candidate: whether this truck may serve it.
    travel
        Between positions, depots, sites and candidates, in this order.
    before
        Of each duty, the steps that are decided already: the disposal site that a truck with too
        much on board goes to first, and the place that it drives to.
    """

    candidates: pd.DataFrame
    windows: list[Windows]
    duties: list[dict[str, Any]]
    sites: pd.DataFrame
    able: npt.NDArray[np.bool_]
    travel: Travel
    before: list[list[Step]]

    def location(self, step: Step) -> int:
        """Return the row of a step in the travel table."""
        return 2 * len(self.duties) + step.number + (0 if step.at_site else len(self.sites))

    def rows(self) -> dict[tuple[str, str], int]:
        """Return the row of each place and kind of waste among the candidates."""
        return {
            (place, kind): row
            for row, (records, kind) in enumerate(
                zip(self.candidates["records"], self.candidates["kind"], strict=True)
            )
            for place in records
        }

    def home(self, truck: int) -> int:
        """Return the row of a truck's depot in the travel table."""
        return len(self.duties) + truck

    def drive(self, truck: int, steps: Sequence[Step], leaves: int | None = None) -> Driven:
        """Return times and loads of a truck's whole round and its way home, by the clock.

        The passages are those of `before`, of the steps, and of the arrival at the depot.
        """
        duty = self.duties[truck]
        if leaves is not None:
            duty = duty | {"start": leaves}
        legs = [*self.decided(truck), *map(self.leg, steps), Leg(self.home(truck))]
        return drive(self.travel, duty, legs, truck)

    def decided(self, truck: int) -> list[Leg]:
        """Return the legs of a truck that no plan changes; where it drives to, it is expected."""
        own = [(step, self.leg(step)) for step in self.before[truck]]
        return [leg if step.at_site else leg._replace(windows=ALWAYS) for step, leg in own]

    def leg(self, step: Step) -> Leg:
        """Return what a truck does at a step."""
        return (self._at_sites if step.at_site else self._at_places)[step.number]

    @cached_property
    def _at_sites(self) -> list[Leg]:
        rows = enumerate(self.sites[["opens", "closes", "unload"]].itertuples(index=False))
        return [
            Leg(self.location(Step(True, row)), ((opens, closes),), unload, unloads=True)
            for row, (opens, closes, unload) in rows
        ]

    @cached_property
    def _at_places(self) -> list[Leg]:
        whole = self.candidates[["seconds", "litres", "kilograms"]].to_numpy().tolist()
        return [
            Leg(self.location(Step(False, row)), hours, seconds, litres, kilograms)
            for row, (hours, (seconds, litres, kilograms)) in enumerate(
                zip(self.windows, whole, strict=True)
            )
        ]

    def owes(self, truck: int) -> tuple[int, int]:
        """Return pause and pause_from of a truck, nought and late for one that owes none."""
        duty = self.duties[truck]
        return int(duty["pause"]), int(duty["pause_from"]) if duty["pause"] else 2 * DAY

    def ready(self, truck: int) -> tuple[int, int, int, int]:
        """Return where and when a truck is free after what is decided, with which load."""
        return self._ready[truck]

    @cached_property
    def _ready(self) -> list[tuple[int, int, int, int]]:
        return [self._free(truck) for truck in range(len(self.duties))]

    def _free(self, truck: int) -> tuple[int, int, int, int]:
        legs, duty = self.decided(truck), self.duties[truck]
        passages = drive(self.travel, duty, legs, truck, paused=False).passages
        if not passages:
            return truck, duty["start"], duty["load_litres"], duty["load_kilograms"]
        last = passages[-1]
        return legs[-1].location, last.departure, last.litres, last.kilograms

    def end(self, truck: int) -> int:
        """Return when a truck must be home on a clock without its break."""
        return latest(int(self.duties[truck]["end"]), *self.owes(truck))


def prepare(
    candidates: pd.DataFrame,
    duties: pd.DataFrame,
    sites: pd.DataFrame,
    settings: Settings,
    *,
    roads: pd.DataFrame | None = None,
    avoid: pd.DataFrame | None = None,
    weekday: int = 1,
    vetoes: pd.DataFrame | None = None,
) -> tuple[Day, pd.DataFrame]:
    """Return a day, and the trucks that cannot do anything on it.

    Parameters
    ----------
    candidates, duties, sites
        As from `refusals.fit`, `duties` and `duties.sites`.
    settings
        Factor and speed.
    roads
        As for `travel.between`.
    avoid
        Streets to avoid: the columns of `AVOID`; radius in m, weekday 1 = Monday, start and end
        in minutes of the day. Nothing within the radius is served between start and end.
    weekday
        Of the day.
    vetoes
        truck, place: what a driver does not serve.

    Returns
    -------
    tuple of Day and DataFrame
        The day, and refusals (subject, sentence).
    """
    table = candidates.assign(
        litres=np.ceil(1000 * candidates["volume"].astype(float)).astype(np.int64),
        kilograms=np.ceil(candidates["mass"].astype(float)).astype(np.int64),
        seconds=np.ceil(candidates["service"].astype(float)).astype(np.int64),
    )
    depots = duties[["truck", "depot_x", "depot_y"]].set_axis(["name", "x", "y"], axis=1)
    points = [
        duties[["truck", "x", "y"]].set_axis(["name", "x", "y"], axis=1),
        depots.assign(name="depot " + depots["name"]),
        sites[["site", "x", "y"]].set_axis(["name", "x", "y"], axis=1),
        table[["place", "x", "y"]].set_axis(["name", "x", "y"], axis=1),
    ]
    day = Day(
        table,
        _windows(table, avoid, weekday),
        [{str(name): value for name, value in row.items()} for row in duties.to_dict("records")],
        sites,
        _able(table, duties, vetoes),
        between(pd.concat(points, ignore_index=True), settings, roads),
        [[] for _ in range(len(duties))],
    )
    day = replace(day, before=[_decided(day, truck) for truck in range(len(duties))])
    day, told = _one_each(day)
    refused = {truck: why for truck in range(len(duties)) if (why := _out_of_time(day, truck))}
    if not refused:
        return day, pd.DataFrame(told, columns=list(REFUSALS))
    left = duties.drop(index=list(refused)).reset_index(drop=True)
    found, more = prepare(
        candidates, left, sites, settings, roads=roads, avoid=avoid, weekday=weekday, vetoes=vetoes
    )
    own = [(duties["truck"].iloc[truck], why) for truck, why in refused.items()]
    return found, pd.concat([pd.DataFrame(own, columns=list(REFUSALS)), more], ignore_index=True)


def _windows(table: pd.DataFrame, avoid: pd.DataFrame | None, weekday: int) -> list[Windows]:
    """Return the spans in which service of each candidate may begin."""
    opens = (60 * table["opens"].astype(float)).fillna(0).astype(int)
    closes = (60 * table["closes"].astype(float)).fillna(DAY).astype(int).clip(upper=DAY - 1)
    hours = np.zeros((0, 5))
    if avoid is not None:
        complete(avoid, AVOID, "The streets to avoid")
        today = avoid[avoid["weekday"] == weekday].sort_values(["start", "end"])
        hours = today[["x", "y", "radius", "start", "end"]].to_numpy(dtype=float)
    found = []
    for x, y, first, last, service in zip(
        table["x"], table["y"], opens, closes, table["seconds"], strict=True
    ):
        spans = [(first, last)]
        near = np.hypot(hours[:, 0] - float(x), hours[:, 1] - float(y)) <= hours[:, 2]
        for start, end in (60 * hours[near, 3:]).astype(int):
            cut = [((a, min(b, start - service)), (max(a, end), b)) for a, b in spans]
            spans = [span for pair in cut for span in pair if span[0] <= span[1]]
        spans = sorted({(int(a), int(b)) for a, b in spans if a <= b})
        found.append(tuple(spans))
    return found


def _able(
    table: pd.DataFrame, duties: pd.DataFrame, vetoes: pd.DataFrame | None
) -> npt.NDArray[np.bool_]:
    """Return duty × candidate: kind, size and the driver allow it."""
    able = np.zeros((len(duties), len(table)), dtype=bool)
    refused: dict[str, set[str]] = {}
    if vetoes is not None:
        places = vetoes["place"].astype(str).groupby(vetoes["truck"].astype(str))
        refused = {str(truck): set(own) for truck, own in places}
    for row, duty in enumerate(duties.to_dict("records")):
        vetoed = refused.get(duty["truck"], set())
        able[row] = (
            table["kind"].isin(duty["takes"])
            & (table["litres"] <= duty["litres"])
            & (table["kilograms"] <= duty["kilograms"])
            & np.array([own.isdisjoint(vetoed) for own in table["records"]], dtype=bool)
        )
    return able


def _one_each(day: Day) -> tuple[Day, list[tuple[str, str]]]:
    """Return the day with each place to the truck that is there first, and sentences on others."""
    first: dict[int, tuple[int, int]] = {}
    for truck, steps in enumerate(day.before):
        legs = day.decided(truck)
        passages = drive(day.travel, day.duties[truck], legs, truck, paused=False).passages
        for step, passage in zip(steps, passages, strict=True):
            if not step.at_site:
                there = (passage.arrival, truck)
                first[step.number] = min(there, first.get(step.number, there))
    told, before = [], list(day.before)
    for truck, steps in enumerate(day.before):
        lost = {s.number for s in steps if not s.at_site and first[s.number][1] != truck}
        if lost:
            before[truck] = _decided(day, truck, lost)
            name, place = (day.duties[truck][key] for key in ("truck", "committed"))
            other = day.duties[first[min(lost)][1]]["truck"]
            sentence = f"{name} and {other} both drive to {place}: {other} is there first, and "
            told.append((name, f"{sentence}{name} goes on without it."))
    return replace(day, before=before), told


def _decided(day: Day, truck: int, without: Collection[int] = ()) -> list[Step]:
    """Return the steps of a truck that no plan changes; without some places that it drives to."""
    duty, steps = day.duties[truck], []
    own = [duty["committed"] in records for records in day.candidates["records"]]
    committed = day.candidates.index[own].difference([*without])
    more = day.candidates.loc[committed, ["litres", "kilograms"]].sum()
    if len(day.sites) and (
        duty["load_litres"] + more["litres"] > duty["litres"]
        or duty["load_kilograms"] + more["kilograms"] > duty["kilograms"]
    ):
        first = 2 * len(day.duties)
        away = day.travel.seconds[truck, first : first + len(day.sites)]
        steps.append(Step(True, int(away.argmin())))
    return steps + [Step(False, int(row)) for row in committed if day.able[truck, row]]


def _out_of_time(day: Day, truck: int) -> str:
    """Return why a truck can do nothing but drive home, or ""."""
    duty = day.duties[truck]
    name, before = duty["truck"], day.before[truck]
    full = duty["load_litres"] > duty["litres"] or duty["load_kilograms"] > duty["kilograms"]
    if full and not (before and before[0].at_site):
        return (
            f"{name} has {duty['load_litres'] / 1000:g} m³ and {duty['load_kilograms']:,} kg on "
            f"board and may carry {duty['litres'] / 1000:g} m³ and {duty['kilograms']:,} kg: "
            "a disposal site to unload at, or the right load, would make a plan possible."
        )
    driven = day.drive(truck, [])
    if before and before[0].at_site and driven.passages[0].late:
        site = day.sites["site"].iloc[before[0].number]
        return (
            f"{name} has to unload first and would be at {site} at "
            f"{clock(driven.passages[0].arrival)}, after it closes: a site that is open longer "
            "would make a plan possible."
        )
    over = driven.passages[-1].arrival - int(duty["end"])
    if over > 0:
        return (
            f"{name} would be home at {clock(driven.passages[-1].arrival)} without any further "
            f"stop, and its shift ends at {clock(duty['end'])}: {minutes(over)} more "
            "would make a plan possible."
        )
    return ""
