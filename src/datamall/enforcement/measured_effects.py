"""What the page about effects shows: actions as delivered, the next trial, and words about both."""

import pandas as pd

from datamall.enforcement import foretelling, trial
from datamall.enforcement.effect import IDENTIFIED, NAIVE, OWN
from datamall.enforcement.effects import FOUND
from datamall.enforcement.information import Tables
from datamall.enforcement.knowledge import dirty_rates
from datamall.enforcement.words import counted
from datamall.requirements import Absent, passes_absent

ACTIONS = "enforcement.actions"
TITLE = "Did it help?"
HEADINGS = {
    "about": "About",
    "action": "Action",
    "begun": "Has begun",
    "cluster": "Place",
    "compared": "Compared with (places)",
    "day": "Day",
    "drawn": "Drawn",
    "enough": "Enough",
    "estimate": "Change",
    "findable": "Smallest change found",
    "first_day": "First day",
    "gain": "More than the count",
    "gain_high": "To ",
    "gain_low": "From ",
    "high": "To",
    "identified": "What it can tell, and what not",
    "hit_rate": "Hit rate",
    "list": "List",
    "looks": "Looks",
    "low": "From",
    "method": "How",
    "pai": "Hit rate / share",
    "places": "Places",
    "role": "Used as",
    "share": "Share of places",
    "starts": "Starts in step",
    "step": "Step",
    "total": "Weeks in all",
    "verdict": "Verdict",
    "weeks": "Weeks a step",
}
DRAWN = {"yes": "treated", "no": "control"}


def actions(data: Tables) -> pd.DataFrame | Absent:
    """Return the actions as `effect.effects` takes them; drawn is treated or control."""
    if ACTIONS not in data or not len(data[ACTIONS]):
        return Absent(TITLE, f"Not possible here: the authority does not deliver {ACTIONS}.")
    table = data[ACTIONS]
    return table.assign(drawn=table["drawn"].map(DRAWN), cluster=table["cluster"].astype(str))


@passes_absent
def by_action(table: pd.DataFrame) -> pd.DataFrame:
    """Return how many places each action has, and how many were drawn to go without."""
    own = table.groupby(["action", "drawn"], as_index=False)
    return own.agg(places=("cluster", "nunique"), first_day=("first_day", "min"))


def next_places(data: Tables, confidence: float, number: int) -> pd.DataFrame | Absent:
    """Return the places of the highest pooled rates without an action: cluster, kind, district."""
    rates = dirty_rates(data, confidence)
    if isinstance(rates, Absent):
        return rates
    had = set(data[ACTIONS]["cluster"].astype(str)) if ACTIONS in data else set()
    own = rates[~rates["cluster"].isin(had)].nlargest(number, "rate", keep="first")
    return own[[name for name in ("cluster", "kind", "district") if name in own]]


@passes_absent
def drawn_calendar(
    places: pd.DataFrame, steps: int, start: pd.Timestamp, weeks: int, seed: int
) -> pd.DataFrame | Absent:
    """Return `trial.calendar`; an Absent where there are too few places for a lot."""
    if len(places) < 2 * (steps + 1):
        reason = (
            f"Not possible here: {counted(len(places), 'place')} without an action cannot be dealt "
            f"to {steps + 1} groups of two and more."
        )
        return Absent("The next trial", reason)
    return trial.calendar(places, steps, start, weeks, seed)


@passes_absent
def lengths(
    data: Tables, places: pd.DataFrame, drawn: pd.DataFrame, wanted: float
) -> pd.DataFrame | Absent:
    """Return what steps of each length could find at these places: see `trial.weeks_needed`."""
    past = trial.past_looks(data, list(places["cluster"]))
    return past if isinstance(past, Absent) else trial.weeks_needed(past, drawn, wanted)


@passes_absent
def lots(drawn: pd.DataFrame) -> pd.DataFrame:
    """Return for each place the step in which it starts."""
    return drawn[drawn["step"] == drawn["step"].min()][
        [name for name in ("cluster", "kind", "starts") if name in drawn]
    ].sort_values(["starts", "cluster"], ignore_index=True)


def _own(found: pd.DataFrame) -> pd.DataFrame:
    return found[(found["about"] == OWN) & (found["method"] != NAIVE)]


@passes_absent
def by_method(found: pd.DataFrame) -> pd.DataFrame:
    """Return the estimates with the verdict first, so that no screen hides it."""
    first = ["about", "verdict", "estimate", "low", "high", "method"]
    return found[[*first, *(name for name in found if name not in first)]]


def answer(found: pd.DataFrame | Absent, outcome: str, confidence: float) -> str:
    """Return what each action did to what was found, short enough for a small screen."""
    if isinstance(found, Absent):
        return f"Whether an action helped cannot be said. {found.reason}"
    what, parts = FOUND.get(outcome, "waste"), []
    for row in _own(found).itertuples():
        name = f"{row.action[0].upper()}{row.action[1:]}"
        if pd.isna(row.estimate):
            parts.append(f"{name}: too few looks to say, so {row.verdict}.")
            continue
        more = "less" if row.estimate < 0 else "more"
        parts.append(
            f"{name}: {what} found {abs(100 * row.estimate):.0f} % {more} often at "
            f"{counted(row.places, 'place')} ({row.method}; {100 * confidence:g} % interval "
            f"{_interval(row.low, row.high)}): {row.verdict}."
        )
    return " ".join(parts)


def _interval(low: float, high: float) -> str:
    """Return a change from one share to another, such as −43 to −16 %."""
    return f"{100 * low:+.0f} to {100 * high:+.0f} %".replace("-", "−")


@passes_absent
def identified(found: pd.DataFrame) -> pd.DataFrame:
    """Return what each method that was used can tell, and what it cannot."""
    methods = found["method"].drop_duplicates()
    return pd.DataFrame({"method": methods, "identified": methods.map(IDENTIFIED)})


def caption_of_lists(lists: pd.DataFrame | Absent) -> str:
    """Say what the lists foretell, the one to go by first."""
    said = foretelling.describe(lists)
    return said.reason if isinstance(said, Absent) else said


def caption_of_lengths(lengths: pd.DataFrame | Absent, places: int, wanted: float) -> str:
    """Say whether the next trial can find what it is made for."""
    return (
        lengths.reason if isinstance(lengths, Absent) else trial.describe(lengths, places, wanted)
    )


def metrics(found: pd.DataFrame | Absent) -> dict[str, float]:
    """Return each action's estimate and interval, by name."""
    if isinstance(found, Absent):
        return {}
    return {
        f"{row.action} {name}": float(getattr(row, name))
        for row in _own(found).itertuples()
        for name in ("estimate", "low", "high")
    }


@passes_absent
def decision_records(found: pd.DataFrame, drawn: pd.DataFrame, weeks: pd.DataFrame) -> pd.DataFrame:
    """Return one record per action, and one for the next trial: part, recommended, expected."""
    rows = [
        (
            row.action,
            row.verdict,
            "not known"
            if pd.isna(row.estimate)
            else f"{100 * row.estimate:+.0f} % ({_interval(row.low, row.high)})",
        )
        for row in _own(found).itertuples()
    ]
    places, enough = drawn["cluster"].nunique(), weeks[weeks["enough"]]
    length = f"{enough['weeks'].iloc[0]} weeks a step" if len(enough) else "more places first"
    rows.append(("next trial", f"start {counted(places, 'place')} by lot", length))
    return pd.DataFrame(rows, columns=["part", "recommended", "expected"])
