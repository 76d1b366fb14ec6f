"""How full containers are on a morning, by the last reading of sensor or crew that can be believed.

What is read decides what must be emptied; what a container usually gains in a day, by its own
readings, only says what is worth going for. A sensor that is stuck, dead or silent is set aside by
name and reason, and its container stays in its round as if it had none.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from datamall.enforcement import crews, histories
from datamall.enforcement.histories import DAY, FILLS
from datamall.enforcement.information import Tables
from datamall.enforcement.words import counted
from datamall.errors import DatamallError
from datamall.requirements import Absent, needs

TITLE = "Fill levels"
READ = tuple(f"{FILLS}.{name}" for name in ("cluster", "day", "hour", "minute", "level"))
CONTAINERS, ROUNDS = "enforcement.containers", "enforcement.rounds"
FULL = 100.0
CREW = "crew"
# More percent than a sensor's own noise; what falls by more was emptied: assumption.
EMPTIED = 5.0
# Days of which a usual rise is the median, at least; each of them read for so much of it.
LEAST_DAYS, LEAST_SHARE = 3, 0.5
LEVELS = (
    *("cluster", "level", "read", "source", "age", "rise", "evening", "days_full"),
    *("demand", "reason", "why"),
)


@dataclass(frozen=True)
class Limits:
    """From which levels on a container is emptied, and when a reading is not believed.

    Attributes
    ----------
    must_empty, may_empty
        Percent from which on a container must, or may, be emptied. Twente Milieu, which collects by
        fill level, has 80 and 60; Groningen empties from 80 on.
    low
        Percent below which a stop of a round could have waited.
    stuck
        Days of one and the same level after which a sensor counts as stuck.
    silent
        Days after which a reading is too old to say how full a container is.

    Raises
    ------
    DatamallError
        When they are not in that order.
    """

    must_empty: float = 80.0
    may_empty: float = 60.0
    low: float = 40.0
    stuck: int = 4
    silent: int = 2

    def __post_init__(self) -> None:
        """Refuse limits that contradict each other."""
        if not 0 <= self.low <= self.may_empty <= self.must_empty <= FULL:
            raise DatamallError(
                f"A container must be emptied from {self.must_empty:g} %, may from "
                f"{self.may_empty:g} % and could wait below {self.low:g} %: give must_empty, "
                "may_empty and low from high to low, between 100 and 0."
            )


@needs(TITLE, *READ)
def levels(data: Tables, moment: pd.Timestamp, limits: Limits) -> pd.DataFrame | Absent:
    """Return how full each container is, as it was known at a moment.

    Parameters
    ----------
    data
        The extract; no reading of the moment itself or later is used.
    moment
        A morning, which is the beginning of its day; or a moment of it.
    limits
        See `Limits`.

    Returns
    -------
    pandas.DataFrame
        One row per cluster that was ever read, by cluster: level (percent, as last read and
        believed), read (when), source ("sensor" or "crew"), age (hours until the moment), rise
        (percent a day; NaN where it is not known), evening (level when the day ends, by that
        rise), days_full (days that it would be full before its next round; infinite where it has
        none), demand ("must", "may" or ""), reason (one sentence) and why (it is not believed; "").
        Of those not believed level, age, evening and days_full are NaN. Or an `Absent`, where
        nothing was read yet or the last reading of all is too old.

    Notes
    -----
    The usual rise is the median over days of what a day's readings add, by day and not by reading.
    That it goes on like that is an assumption, and so is that every day of a full container is a
    day with waste beside it.
    """
    known = histories.before(data, moment)
    table = readings(known)
    if table.empty:
        return Absent(
            TITLE, f"Not possible here: no fill level is known from before {moment:%Y-%m-%d %H:%M}."
        )
    last = table["time"].max()
    if moment - last > limits.silent * DAY:
        return Absent(
            TITLE,
            f"Not used: the last reading is of {last:%Y-%m-%d %H:%M}, and what is older than "
            f"{limits.silent} days says nothing of {moment:%Y-%m-%d}.",
        )
    good, faults = _believable(known, table, limits)
    found = good.drop_duplicates("cluster", keep="last").set_index("cluster")
    every = table.drop_duplicates("cluster", keep="last").set_index("cluster").sort_index()
    own = every[["time", "source"]].copy()
    own["level"] = found["level"].reindex(own.index)
    believed = found.reindex(own.index)
    own["time"] = believed["time"].fillna(own["time"])
    own["source"] = believed["source"].fillna(own["source"])
    own["why"] = _why(own, faults, emptied(known), moment, limits)
    own.loc[own["why"] != "", "level"] = np.nan
    days = (moment - own["time"]) / DAY
    left = days + (moment.normalize() + DAY - moment) / DAY
    rise = _usual_rise(good).reindex(own.index)
    result = pd.DataFrame(
        {
            "level": own["level"],
            "read": own["time"],
            "source": own["source"],
            "age": (24 * days).round(1).where(own["level"].notna()),
            "rise": rise,
            "evening": (own["level"] + rise * left).clip(upper=FULL).round(1),
        }
    )
    result["days_full"] = _days_full(result, days, _until_round(known, moment))
    soon = (own["level"] >= limits.may_empty) | (result["evening"] >= limits.must_empty)
    result["demand"] = np.select([own["level"] >= limits.must_empty, soon], ["must", "may"], "")
    result["why"] = own["why"]
    result["reason"] = [_reason(*row, moment) for row in _facts(result)]
    return result.rename_axis("cluster").reset_index()[list(LEVELS)]


def readings(known: Tables) -> pd.DataFrame:
    """Return the readings that count: cluster, time, source, level (percent) and state, by time.

    Of another fraction than the register has at that place none does. Of two that differ at one
    moment a crew's does, and of one source neither.
    """
    table = known[FILLS]
    own = pd.DataFrame(
        {
            "cluster": table["cluster"].astype(str),
            "time": histories.moments(table),
            "source": table["source"].astype(str) if "source" in table else "sensor",
            "level": table["level"].astype(float),
            "state": table["state"].fillna("").astype(str) if "state" in table else "",
        }
    )
    register = known.get(CONTAINERS, pd.DataFrame())
    if "fraction" in table and {"cluster", "fraction"} <= set(register):
        mine = register.set_index(register["cluster"].astype(str))["fraction"].dropna()
        mine = mine.reindex(own["cluster"]).to_numpy()
        own = own[pd.isna(mine) | (mine == table["fraction"].to_numpy())]
    own = own[own["level"].notna()].drop_duplicates()
    moment = ["cluster", "time"]
    crew = own["source"] == CREW
    seen = pd.MultiIndex.from_frame(own[moment]).isin(
        pd.MultiIndex.from_frame(own.loc[crew, moment])
    )
    own = own[crew | ~seen]
    own = own[~own.duplicated(moment, keep=False)]
    return own.sort_values(["time", "cluster"], ignore_index=True)


def _believable(
    known: Tables, table: pd.DataFrame, limits: Limits
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the readings that can be believed, and what is wrong with each sensor set aside."""
    impossible = ~table["level"].between(0, FULL)
    names = {
        "dead": "dead, as its own platform says",
        "stuck": "stuck, as its own platform says",
        "impossible": f"impossible: its last level is none of 0 to {FULL:g} %",
    }
    what = table["state"].where(~impossible, "impossible")
    out = what.isin(names)
    last = table.assign(what=what).drop_duplicates("cluster", keep="last")
    last = last[last["what"].isin(names)]
    faults = dict(zip(last["cluster"], last["what"].map(names), strict=True))
    good = table[~out]
    runs = _last_runs(good[good["source"] != CREW])
    served = emptied(known).reindex(runs.index)
    # A full container cannot rise: that it stays full is no fault, unless somebody emptied it.
    waits = (runs["level"] >= FULL) & ~(served >= runs["since"])
    still = (runs["until"] - runs["since"] >= limits.stuck * DAY) & ~waits
    others = int((runs["until"] - runs["since"] < limits.stuck * DAY).sum())
    beside = (
        f"while {counted(others, 'other')} changed"
        if others
        else "and no other changed either: look at the delivery first"
    )
    stuck = runs[still]
    for name, level, since in zip(stuck.index, stuck["level"], stuck["since"], strict=True):
        faults[name] = f"stuck at {level:g} % since {since:%Y-%m-%d}, {beside}"
    since = stuck["since"].reindex(good["cluster"]).to_numpy()
    held = (good["source"] != CREW) & (good["time"].to_numpy() >= since)
    return good[~held], faults


def _last_runs(table: pd.DataFrame) -> pd.DataFrame:
    """Return the last level of each cluster, and since and until when nothing else was read."""
    changed = table["level"] != table.groupby("cluster")["level"].shift()
    starts = table[changed].drop_duplicates("cluster", keep="last").set_index("cluster")
    until = table.groupby("cluster")["time"].max()
    return starts[["level", "time"]].rename(columns={"time": "since"}).assign(until=until)


def emptied(known: Tables) -> pd.Series:
    """Return when a truck that takes it last emptied each container, by cluster."""
    own = crews.stops(known)
    own = own[(own["result"] != crews.REFUSED) & own["truck"].isin(crews.takes(known, "full"))]
    return own.groupby("cluster")["time"].max()


def _why(
    own: pd.DataFrame,
    faults: dict[str, str],
    served: pd.Series,
    moment: pd.Timestamp,
    limits: Limits,
) -> list[str]:
    """Say of each container why its level is not known now, or ""."""
    old = ((moment - own["time"]) > limits.silent * DAY) | own["level"].isna()
    done = served.reindex(own.index)
    found = []
    rows = zip(own.index, own["time"], own["source"], old, done, strict=True)
    for name, time, source, late, by in rows:
        if late:
            what = "not looked at by a crew" if source == CREW else "silent"
            found.append(faults.get(name, f"{what} since {time:%Y-%m-%d %H:%M}"))
        elif by >= time:
            found.append(f"emptied since it was read, at {by:%Y-%m-%d %H:%M}")
        else:
            found.append("")
    return found


def _usual_rise(good: pd.DataFrame) -> pd.Series:
    """Return the percent a day that each container usually gains, by cluster, from its sensor."""
    table = good[good["source"] != CREW].sort_values(["cluster", "time"])
    same = table["cluster"] == table["cluster"].shift()
    step, days = table["level"].diff(), table["time"].diff() / DAY
    # What falls was emptied, and what is full cannot rise.
    counts = same & (step >= -EMPTIED) & (table["level"] < FULL)
    own = pd.DataFrame(
        {"cluster": table["cluster"], "day": table["time"].dt.normalize(), "step": step, "of": days}
    )[counts]
    by_day = own.groupby(["cluster", "day"])[["step", "of"]].sum()
    by_day = by_day[by_day["of"] >= LEAST_SHARE]
    rate = (by_day["step"] / by_day["of"]).clip(lower=0).groupby("cluster")
    return rate.median().where(rate.size() >= LEAST_DAYS).round(1)


def _days_full(table: pd.DataFrame, days: pd.Series, until: pd.Series) -> pd.Series:
    """Return how many days each container would be full before its next round.

    One whose own days were not read gains as much as the median of the others.
    """
    rise = table["rise"].fillna(table["rise"].median())
    to_full = ((FULL - table["level"]) / rise.where(rise > 0) - days).clip(lower=0)
    to_full = to_full.mask(table["level"] >= FULL, 0.0)
    full = until.reindex(table.index).fillna(np.inf) - to_full
    return full.mask(to_full.isna() & table["level"].notna(), 0.0).clip(lower=0).round(4)


def _until_round(known: Tables, moment: pd.Timestamp) -> pd.Series:
    """Return the days from a morning until the next round of each container after today's."""
    table = known.get(ROUNDS, pd.DataFrame())
    if not {"cluster", "weekday"} <= set(table):
        return pd.Series(dtype=float)
    days = 1 + (table["weekday"].astype(int) - moment.isoweekday() - 1) % 7
    return days.astype(float).groupby(table["cluster"].astype(str)).min()


def _facts(table: pd.DataFrame) -> list[tuple[float, pd.Timestamp, str, float, float]]:
    names = ["level", "read", "source", "rise", "evening"]
    return [*table[names].itertuples(index=False, name=None)]


def _reason(
    level: float,
    read: pd.Timestamp,
    source: str,
    rise: float,
    evening: float,
    moment: pd.Timestamp,
) -> str:
    """Say in one sentence how full a container is, by whom, when, and what it comes to."""
    if np.isnan(level):
        return ""
    days = int((moment.normalize() - read.normalize()) / DAY)
    when = {0: "today", 1: "yesterday"}.get(days, f"{days} days ago")
    by = "its sensor" if source != CREW else "a crew"
    more = "" if np.isnan(rise) else f"; at its usual {rise:g} % a day {evening:.0f} % tonight"
    return f"{level:.0f} % full by {by} {when} at {read:%H:%M}{more}."


def by_level(levels: pd.DataFrame | Absent | None, stops: pd.DataFrame) -> np.ndarray:
    """Return whether each stop is made for what was read of its container."""
    if not isinstance(levels, pd.DataFrame):
        return np.zeros(len(stops), dtype=bool)
    said = levels[levels["demand"] != ""].set_index("cluster")["reason"]
    return (said.reindex(stops["place"]).to_numpy() == stops["reason"].to_numpy()).astype(bool)


def beside_rounds(
    levels: pd.DataFrame | Absent | None,
    others: pd.DataFrame,
    most: int,
    keep: Collection[tuple[str, str]],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what is emptied for its level, and the other candidates without what that replaces.

    Parameters
    ----------
    levels
        As from `levels`.
    others
        Candidates: place, kind, value, demand and reason; those of today's rounds among them, with
        demand "must".
    most
        Containers that may be emptied that are thought of, those of the most full days.
    keep
        Place and kind of what is thought of in any case.

    Returns
    -------
    tuple of DataFrame
        Of `levels` the rows to be emptied; and `others`. A container of today's round, or that must
        be emptied for another reason, needs no second stop; and a chance that it is full is not
        asked where its level was read.
    """
    if not isinstance(levels, pd.DataFrame):
        return pd.DataFrame(columns=list(LEVELS)), others
    kind = others["kind"] == "full"
    owed = set(others.loc[kind & (others["demand"] == "must"), "place"])
    kept = {place for place, what in keep if what == "full"}
    may = levels[(levels["demand"] == "may") & (levels["days_full"] > 0)]
    rank = may["days_full"].rank(ascending=False, method="first")
    asked = levels["cluster"].isin(kept | set(may.loc[rank <= most, "cluster"]))
    mine = levels[(levels["demand"] == "must") | ((levels["demand"] == "may") & asked)]
    mine = mine[~mine["cluster"].isin(owed)]
    read = set(levels.loc[levels["why"] == "", "cluster"]) - (kept - set(mine["cluster"]))
    drop = kind & (others["demand"] == "may") & others["place"].isin(read)
    return mine, others[~drop]
