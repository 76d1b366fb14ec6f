"""The morning: what each truck serves today, from what lies there now, beside the fixed rounds.

A truck with a round keeps it, in its order; what lies elsewhere is put between its stops where that
gains enough (`routing.redirect` from the depot). Trucks without a round go where waste is expected.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from datamall.enforcement import crews, fills, histories
from datamall.enforcement.crews import KINDS
from datamall.enforcement.effects import EFFECTS, share_of
from datamall.enforcement.fills import CONTAINERS, ROUNDS
from datamall.enforcement.information import Tables
from datamall.enforcement.routing import Redirect, Settings, redirect_by_kinds
from datamall.enforcement.routing.refusals import CANDIDATES, clock
from datamall.enforcement.state import State
from datamall.errors import DatamallError
from datamall.requirements import Absent

TRUCKS, SITES = "enforcement.trucks", "enforcement.disposal_sites"
# Room, weight and time of one stop (m³, kg, s, parking included): assumptions until crews tell.
SIZES = {
    "bulky": (1.2, 90.0, 420.0),
    "full": (0.45, 160.0, 180.0),
    "residual": (0.3, 40.0, 180.0),
    "cardboard": (0.4, 20.0, 150.0),
}
PICKED_UP = "bulky"  # whose effect is that of taking away whatever a crew was sent for
RECENT = 2  # days for which a find is held to be known
LONGEST = 14.0  # days that waste is held to lie where nobody comes: assumption
REGULAR = "regular round"
TITLE = "Today's rounds"
FULL = "read as full"
OWED = ("place", "kind", "since", "what", "outcome")


def together(*extracts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the stores of several extracts as one; what two of them hold comes from the first."""
    return {store: own[store] for own in reversed(extracts) for store in own}


def both(found: tuple[pd.DataFrame, pd.DataFrame] | Absent) -> tuple[Any, Any]:
    """Return two tables, or an `Absent` in place of each."""
    return (found, found) if isinstance(found, Absent) else found


def freshness(data: Tables, day: pd.Timestamp, late: int) -> pd.DataFrame:
    """Return how old what was delivered is on a morning.

    Parameters
    ----------
    data
        The extract.
    day
        The morning.
    late
        Days from which on a delivery is late; from seven times as many it is stale.

    Returns
    -------
    pandas.DataFrame
        store, last_day, days (since) and state: "fresh", "late", "stale", or "never delivered".
    """
    rows = []
    known = histories.before(data, day)
    stores = [(histories.INSPECTIONS, "period_start"), (histories.REPORTS, "opened")]
    # An authority may have no sensors: that is nothing to warn of.
    sensors = known.get(histories.FILLS, pd.DataFrame())
    if len(sensors) and {"day", "hour", "minute"} <= set(sensors):
        stores.append((histories.FILLS, "day"))
    for store, column in stores:
        if store not in known or not len(known[store]):
            rows.append((store, pd.NaT, np.nan, "never delivered"))
            continue
        last = known[store][column].astype("datetime64[s]").max()
        days = int((day - last).days)
        state = "fresh" if days < late + 1 else "late" if days < 7 * late else "stale"
        rows.append((store, last, float(days), state))
    return pd.DataFrame(rows, columns=["store", "last_day", "days", "state"])


def candidates(
    data: Tables,
    now: pd.DataFrame | Absent,
    learnt: State | Absent,
    day: pd.Timestamp,
    most: int,
    keep: Collection[tuple[str, str]] = (),
    levels: pd.DataFrame | Absent | None = None,
    effects: pd.DataFrame = EFFECTS,
) -> pd.DataFrame | Absent:
    """Return what trucks could serve today, as `routing.redirect` takes it.

    Parameters
    ----------
    data
        The extract with containers, reports and rounds.
    now
        As from `state.today`; where it is an `Absent` the regular rounds are all there is.
    learnt
        As from `state.fit`.
    day
        The morning.
    most
        Places of each kind that are thought of beside the rounds and what is owed.
    keep
        Place and kind of what is thought of in any case.
    levels
        As from `fills.levels`, where fill levels are delivered.
    effects
        What a crew takes away: assumed, or with measured ranges as from `effects.replaced`.

    Returns
    -------
    pandas.DataFrame
        The columns of `routing.refusals.CANDIDATES`. A place of today's round must be served, and
        so must one where an open report or the find of the last two days says what lies there and
        nobody took it away, and a container that was read as so full; of the others those of the
        highest value may. Value is in dirty days: the chance that it lies there, times the days it
        would go on lying there, times what a crew takes away of it; of a container whose level is
        known, the days that it would be full before its round instead of the first two. At most
        `LONGEST` days.
    """
    if CONTAINERS not in data or not {"x", "y"} <= set(data[CONTAINERS]):
        return Absent(TITLE, f"Not possible here: {CONTAINERS} is not delivered with x and y.")
    register = data[CONTAINERS].set_index("cluster")[["x", "y"]].astype(float)
    tables = [_regular(data, now, day)]
    if not isinstance(now, Absent) and not isinstance(learnt, Absent):
        tables += _expected(data, now, learnt, day, most, frozenset(keep), effects)
    own, others = fills.beside_rounds(levels, pd.concat(tables, ignore_index=True), most, keep)
    table = pd.concat([others, _to_empty(own, effects)], ignore_index=True) if len(own) else others
    sizes = pd.DataFrame(SIZES, index=["volume", "mass", "usual"]).T
    table = table.join(sizes, on="kind").join(register, on="place")
    service = table["service"].fillna(table["usual"])
    # Rounded, so that no processor's last digit moves a truck.
    table = table.assign(service=service, value=table["value"].round(4))
    return table.assign(opens=np.nan, closes=np.nan)[list(CANDIDATES)]


def _regular(data: Tables, now: pd.DataFrame | Absent, day: pd.Timestamp) -> pd.DataFrame:
    """Return the stops of today's rounds; their value is the chance of a full container."""
    fixed = todays_rounds(data, day).drop_duplicates("place")
    full = pd.Series(dtype=float)
    if not isinstance(now, Absent) and "full" in now:
        full = now.set_index("cluster")["full"]
    value = full.reindex(fixed["place"]).fillna(0).to_numpy()
    own = fixed[["place", "kind", "service"]]
    return own.assign(value=value, demand="must", reason=REGULAR)


def _expected(
    data: Tables,
    now: pd.DataFrame,
    learnt: State,
    day: pd.Timestamp,
    most: int,
    keep: frozenset[tuple[str, str]],
    effects: pd.DataFrame,
) -> Iterator[pd.DataFrame]:
    """Yield for each kind of waste the places where it must be taken away, and where it may be."""
    taken = sum(share_of(PICKED_UP, effects)) / 2
    gone = learnt.chain.relaxation * (1 - now["rate"].clip(0, 0.99))
    days = (1 / gone.clip(lower=1e-6)).clip(upper=LONGEST)
    last = histories.looks(histories.before(data, day)).drop_duplicates("cluster", keep="last")
    last = last.set_index("cluster").reindex(now["cluster"])
    waiting = _open(data, day)
    waiting = waiting[~waiting["been"]]
    told = set(waiting[["cluster", "category"]].itertuples(index=False, name=None))
    for kind, category in KINDS.items():
        if kind not in now:
            continue
        value = (now[kind] * days * taken).round(4)
        reported = np.array([(place, category) in told for place in now["cluster"]])
        seen = (now["days"] <= RECENT) & (now["chance"] >= 0.5) & (last[kind].to_numpy() > 0)
        must = reported | seen
        own = pd.DataFrame(
            {
                "place": now["cluster"],
                "kind": kind,
                "value": value,
                "demand": np.where(must, "must", "may"),
                "reason": now["reason"],
                "service": np.nan,
            }
        )
        kept = np.array([(place, kind) in keep for place in now["cluster"]], dtype=bool)
        yield own[must | kept | (value.rank(ascending=False, method="first") <= most)]


def _to_empty(levels: pd.DataFrame, effects: pd.DataFrame) -> pd.DataFrame:
    """Return the containers to be emptied for their level as candidates."""
    value = levels["days_full"].clip(upper=LONGEST) * sum(share_of(PICKED_UP, effects)) / 2
    own = levels.rename(columns={"cluster": "place"})[["place", "demand", "reason"]]
    return own.assign(kind="full", value=value, service=np.nan)


def todays_rounds(data: Tables, day: pd.Timestamp) -> pd.DataFrame:
    """Return the regular rounds of a day: truck, turn, place, kind and service (s)."""
    if ROUNDS not in data:
        return pd.DataFrame(columns=["truck", "turn", "place", "kind", "service"])
    table = data[ROUNDS]
    own = table[table["weekday"] == day.isoweekday()].sort_values(["truck", "start", "cluster"])
    return pd.DataFrame(
        {
            "truck": own["truck"].astype(str),
            "turn": own.groupby("truck").cumcount() + 1,
            "place": own["cluster"].astype(str),
            "kind": "full",
            "service": own["service_seconds"].astype(float),
        }
    ).reset_index(drop=True)


def at_the_depot(trucks: pd.DataFrame) -> pd.DataFrame:
    """Return trucks as they are when their shift begins: empty, and where they are kept."""
    return pd.DataFrame(
        {
            "truck": trucks["truck"].astype(str),
            "minute": trucks["shift_start"],
            "x": trucks["x"],
            "y": trucks["y"],
            "volume": 0.0,
            "mass": 0.0,
            "next_place": "",
            "break_taken": "no",
        }
    )


def plan(
    data: Tables,
    wanted: pd.DataFrame | Absent,
    day: pd.Timestamp,
    settings: Settings,
    avoid: pd.DataFrame | None = None,
) -> Redirect | Absent:
    """Return the rounds of a day beside the regular ones.

    Trucks that can take nothing that the others take are planned apart, which changes nothing and
    is quicker.

    Parameters
    ----------
    data
        The extract with trucks, disposal sites and rounds.
    wanted
        As from `candidates`.
    day, settings, avoid
        See `routing.redirect`.
    """
    if isinstance(wanted, Absent):
        return wanted
    if TRUCKS not in data or not len(data[TRUCKS]):
        return Absent(TITLE, f"Not possible here: the authority does not deliver {TRUCKS}.")
    trucks, rest = data[TRUCKS].astype({"truck": str}), todays_rounds(data, day)
    known = histories.before(data, day)
    return redirect_by_kinds(
        *(wanted, rest, trucks, at_the_depot(trucks), data.get(SITES), settings),
        avoid=avoid,
        weekday=day.isoweekday(),
        vetoes=crews.vetoes(known, day),
    )


def plans(
    data: Tables,
    wanted: pd.DataFrame | Absent,
    day: pd.Timestamp,
    settings: Settings,
    avoid: pd.DataFrame,
) -> tuple[Redirect | Absent, Redirect | Absent]:
    """Return the rounds of a day, and what they would be if no street were avoided: see `plan`."""
    made = plan(data, wanted, day, settings, avoid)
    return made, plan(data, wanted, day, settings) if len(avoid) else made


def on_map(data: Tables, made: Redirect | Absent) -> pd.DataFrame | Absent:
    """Return all places with what serves them today: cluster, x, y (m) and served by."""
    if isinstance(made, Absent):
        return made
    register = data["enforcement.containers"][["cluster", "x", "y"]].astype(
        {"x": float, "y": float}
    )
    own = made.plan.stops[made.plan.stops["kind"].isin(list(KINDS))]
    regular = own["reason"] == REGULAR
    served = np.select(
        [register["cluster"].isin(own.loc[part, "place"]) for part in (~regular, regular)],
        ["put in today", "regular round"],
        "none",
    )
    return register.assign(**{"served by": served})


def as_day(text: str) -> pd.Timestamp:
    """Return the day that a text such as 2026-01-05 names.

    Raises
    ------
    DatamallError
        When it names none.
    """
    try:
        return pd.Timestamp(date.fromisoformat(text))
    except ValueError:
        raise DatamallError(f"The day is {text!r}: give it as 2026-01-05.") from None


def owed(
    data: Tables,
    now: pd.DataFrame | Absent,
    made: Redirect | Absent,
    day: pd.Timestamp,
    levels: pd.DataFrame | Absent | None = None,
) -> pd.DataFrame | Absent:
    """Return what became of each find of yesterday, each open report and each full container.

    Parameters
    ----------
    data, now, day, levels
        As for `candidates`.
    made
        As from `plan`.

    Returns
    -------
    pandas.DataFrame
        place, kind (of waste), since (day), what ("found yesterday", "open report" or "read as
        full": a container outside today's rounds that must be emptied) and outcome: which truck
        comes when, or why none does; what is no truck's work is named, too. Or an `Absent`, where
        what lies there or the plan is not known.
    """
    if isinstance(now, Absent) or isinstance(made, Absent):
        return now if isinstance(now, Absent) else made
    served = {
        (row.place, row.kind): f"{row.truck} at {clock(row.arrival)}"
        for row in made.plan.stops.itertuples()
    }
    absent = {
        (row.place, row.kind): f"no truck today: {row.reason}"
        for row in made.plan.left_out.itertuples()
    }
    chance = now.set_index("cluster")["chance"]
    rows = []
    for place, kind, since, what, been in [*_owed(data, day), *_full(data, levels, day)]:
        key = (place, kind)
        outcome = served.get(key) or absent.get(key)
        if outcome is None and been:
            outcome = "a crew was there since; the report is not closed yet"
        if outcome is None and kind not in KINDS:
            outcome = "no truck's work: for maintenance or the report desk"
        if outcome is None:
            left = chance.get(place, np.nan)
            outcome = (
                f"taken away since, or seen gone: the chance that waste lies there is {left:.2f}"
            )
        rows.append((place, kind, since, what, outcome))
    table = pd.DataFrame(rows, columns=list(OWED))
    return table.sort_values(["since", "place", "kind"], ignore_index=True)


def _owed(data: Tables, day: pd.Timestamp) -> Iterator[tuple[str, str, pd.Timestamp, str, bool]]:
    seen = histories.looks(histories.before(data, day))
    causes = [name for name in (*KINDS, "broken") if name in seen]
    yesterday = seen[seen["day"] == day - pd.Timedelta(days=1)]
    for cause in causes:
        for place in yesterday.loc[yesterday[cause] > 0, "cluster"].unique():
            yield str(place), cause, day - pd.Timedelta(days=1), "found yesterday", False
    kinds = {category: kind for kind, category in KINDS.items() if category}
    for row in _open(data, day).itertuples():
        yield (
            str(row.cluster),
            kinds.get(str(row.category), str(row.category)),
            row.opened,
            "open report",
            row.been,
        )


def _full(
    data: Tables, levels: pd.DataFrame | Absent | None, day: pd.Timestamp
) -> Iterator[tuple[str, str, pd.Timestamp, str, bool]]:
    if isinstance(levels, pd.DataFrame):
        own = levels[levels["demand"] == "must"]
        own = own[~own["cluster"].isin(todays_rounds(data, day)["place"])]
        for row in own.itertuples():
            yield str(row.cluster), "full", row.read.normalize(), FULL, False


def _open(data: Tables, day: pd.Timestamp) -> pd.DataFrame:
    """Return the first reports that are open on a morning, and whether a crew has been there."""
    known = histories.before(data, day)
    table = histories.first_reports(known)
    own = table[table["closed"].isna()]
    return own.assign(been=crews.been(known, own).notna())
