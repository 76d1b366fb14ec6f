"""What the page of a morning says of its tables, in words."""

import pandas as pd

from datamall.enforcement import morning
from datamall.enforcement.crew_facts import facts
from datamall.enforcement.crews import KINDS
from datamall.enforcement.foresight import explain
from datamall.enforcement.prevented import Prevented
from datamall.enforcement.routing import Redirect
from datamall.enforcement.routing.refusals import clock
from datamall.enforcement.state import State
from datamall.enforcement.words import counted
from datamall.requirements import Absent, passes_absent

HEADINGS = {
    "above": "Foretold too high by",
    "arrival": "Arrival",
    "band": "Level",
    "basis": "Judged by",
    "chance": "Chance",
    "cluster": "Place",
    "km": "Kilometres",
    "km_before": "Kilometres without",
    "containers": "Containers",
    "could_wait": "Could have waited",
    "days": "Days ago",
    "demand": "Demand",
    "departure": "Departure",
    "facts": "What the crew reads (Dutch)",
    "found": "Share that found waste",
    "foretold": "Chance foretold",
    "gain": "Gain",
    "gain_seconds": "Gained (s)",
    "high": "To",
    "home": "Home at",
    "hour": "Hour",
    "hours": "Avoided hours",
    "kind": "Kind",
    "known": "Level believed",
    "last_day": "Last day",
    "last_known": "Last counted on",
    "left": "Left out",
    "logarithmic": "Logarithmic",
    "looks": "Looks",
    "low": "From",
    "mass": "On board (kg)",
    "metres": "Metres so far",
    "must_empty": "Must be emptied",
    "oldest": "Oldest reading (h)",
    "off": "Off by (percent)",
    "minutes": "Minutes",
    "minutes_without": "Minutes, congestion not looked at",
    "more": "Minutes more",
    "moved": "Stops moved",
    "musts": "Of these, must be made",
    "musts_without": "Musts, congestion not looked at",
    "outcome": "What becomes of it",
    "place": "Place",
    "places": "Places",
    "rate": "Long-run rate",
    "read": "Last read",
    "readings": "Readings",
    "reason": "Reason",
    "score": "Score",
    "sentence": "What would make it possible",
    "since": "Since",
    "site": "Junction",
    "state": "State",
    "stops": "Stops",
    "stops_before": "Stops of its regular round",
    "stops_without": "Stops, congestion not looked at",
    "store": "Store",
    "subject": "What",
    "tenth": "Tenth of the chances",
    "then": "Time, congestion not looked at",
    "time": "Time of the round",
    "truck": "Truck",
    "turn": "Turn",
    "value": "Dirty days prevented",
    "value_before": "Dirty days prevented by that",
    "volume": "On board (m³)",
    "what": "How it is known",
    "way": "Foretold",
    "why": "Why it is not believed",
}


def answer(
    made: Redirect | Absent,
    owing: pd.DataFrame | Absent,
    expected: Prevented | Absent,
    fresh: pd.DataFrame,
    day: pd.Timestamp,
) -> str:
    """Return what is planned today, and what is owed and does not fit, in few words.

    Parameters
    ----------
    made, owing, expected, fresh
        As from `morning.plan`, `owed`, `prevented` and `freshness`; an `Absent` becomes a sentence.
    day
        The morning.
    """
    stale = fresh[fresh["state"] != "fresh"]
    warning = "".join(
        f" {row.store} is {row.state}." if row.days != row.days else
        f" {row.store} is {row.state}: its last day is {row.days:.0f} days ago."
        for row in stale.itertuples()
    )  # fmt: skip
    if isinstance(made, Absent):
        return f"{made.chapter} of {day:%Y-%m-%d} cannot be planned: {made.why}{warning}"
    served = made.plan.stops[made.plan.stops["kind"].isin(list(KINDS))]
    text = (
        f"On {day:%Y-%m-%d} (valid this day alone) {counted(served['truck'].nunique(), 'truck')} "
        f"make {counted(len(served), 'stop')}"
    )
    if isinstance(owing, Absent) or isinstance(expected, Absent):
        return f"{text}: the regular rounds, as what lies there today is not known.{warning}"
    own = owing[owing["kind"].isin(list(KINDS))]
    missed = own["outcome"].str.startswith("no truck")
    full = ", and containers read as full," * bool((own["what"] == morning.FULL).any())
    return (
        f"{text}, expected to prevent {expected.days:.0f} dirty days "
        f"({100 * expected.confidence:g} % interval {expected.low:.0f} to {expected.high:.0f}). "
        f"Of {len(own):,} finds of yesterday and open reports{full} that are a truck's work, "
        f"{int((~missed).sum()):,} are served or gone, and {int(missed.sum()):,} do not fit: each "
        f"has its reason.{warning}"
    )


def metrics(made: Redirect | Absent) -> dict[str, float]:
    """Return the numbers worth following from day to day, by name."""
    if isinstance(made, Absent) or not len(made.trucks):
        return {}
    own = made.trucks[["stops", "musts", "value", "metres"]].sum()
    return {str(name): float(number) for name, number in own.items()}


@passes_absent
def highest(now: pd.DataFrame, rows: int) -> pd.DataFrame:
    """Return the places with the highest chance, and on what it rests."""
    # Rounded first, so that the order hangs on no processor's last digit.
    own = now[["cluster", "chance", "low", "high", "rate", "reason"]].round(4)
    return own.sort_values(["chance", "cluster"], ascending=[False, True]).head(rows)


def caption_of_scores(learnt: State | Absent, scores: pd.DataFrame | Absent) -> str:
    """Say in two sentences how the chances come about and what they are worth."""
    said = explain(learnt, scores)
    return said.reason if isinstance(said, Absent) else said


@passes_absent
def groups(tenths: pd.DataFrame) -> pd.DataFrame:
    """Return the tenths with the chance foretold as a label for a figure."""
    return tenths.assign(foretold=tenths["foretold"].map("{:.2f}".format))


@passes_absent
def of_trucks(made: Redirect) -> pd.DataFrame:
    """Return each truck's day beside its regular round, with distances in km and times by clock."""
    own = made.trucks
    return pd.DataFrame(
        {
            "truck": own["truck"],
            "stops": own["stops"],
            "stops_before": own["stops_before"],
            "value": own["value"],
            "value_before": own["value_before"],
            "km": own["metres"] / 1000,
            "km_before": own["metres_before"] / 1000,
            "home": own["home"].map(clock),
        }
    )


def stops(
    now: pd.DataFrame | Absent, made: Redirect | Absent, levels: pd.DataFrame | Absent
) -> pd.DataFrame | Absent:
    """Return the day stop by stop, with what the crew reads."""
    return made if isinstance(made, Absent) else facts(now, made.plan.stops, levels)


@passes_absent
def refusals(made: Redirect) -> pd.DataFrame:
    """Return what could not be planned, with what would make it possible."""
    return made.plan.refusals


@passes_absent
def left_out(made: Redirect) -> pd.DataFrame:
    """Return the places thought of and not served, with the reason of each."""
    return made.plan.left_out


@passes_absent
def describe_reliability(table: pd.DataFrame) -> str:
    """Say how far what was foretold lies from what was found."""
    foretold = table["foretold"].astype(float)
    off = (foretold - table["found"]).abs().max()
    return (
        f"Ten groups of looks by chance foretold, from {foretold.min():.2f} to "
        f"{foretold.max():.2f}; the share that found waste is at most {off:.2f} off."
    )


@passes_absent
def describe_map(table: pd.DataFrame) -> str:
    """Say what the map of stops shows."""
    own = table.loc[table["served by"] != "none", "served by"].value_counts().sort_index()
    parts = [f"{truck} {number}" for truck, number in own.items()]
    return f"Stops by truck: {', '.join(parts) or 'none'}; other places in grey. North is up."


@passes_absent
def decision_records(made: Redirect, owing: pd.DataFrame) -> pd.DataFrame:
    """Return one record per truck and one for what is left: part, recommended, expected."""
    rows = [
        (
            str(row.truck),
            f"{counted(row.stops, 'stop')}, {row.metres / 1000:.0f} km",
            f"{row.value:.0f} dirty days prevented",
        )
        for row in made.trucks.itertuples()
    ]
    missed = owing["kind"].isin(list(KINDS)) & owing["outcome"].str.startswith("no truck")
    if missed.any():
        number = counted(int(missed.sum()), "place")
        text = f"{number} that no truck reaches: another crew, or tomorrow"
        rows.append(("Team lead", text, "nothing lies there unseen"))
    return pd.DataFrame(rows, columns=["part", "recommended", "expected"])
