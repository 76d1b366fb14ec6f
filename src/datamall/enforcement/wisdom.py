"""Wisdom: a plan for tomorrow that somebody can take, change and answer for."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from scipy.special import ndtri

from datamall.enforcement.effects import EFFECTS, FOUND, draws, recorded
from datamall.enforcement.information import known_of
from datamall.enforcement.knowledge import check_level, leading
from datamall.enforcement.words import counted
from datamall.errors import DatamallError
from datamall.requirements import Absent, passes_absent


def crews(bulky: int, collection: int, maintenance: int, enforcement: int) -> dict[str, int]:
    """Return how many stops each crew can make tomorrow, by crew; 0 for one that stays in.

    Raises
    ------
    DatamallError
        When a number is negative.
    """
    given = {
        "bulky": bulky,
        "collection": collection,
        "maintenance": maintenance,
        "enforcement": enforcement,
    }
    for name, stops in given.items():
        if stops < 0:
            raise DatamallError(f"stops_{name} is {stops}: set it to 0 or more in params.yaml.")
    return dict(zip(EFFECTS["crew"].unique(), given.values(), strict=True))


class Options(Mapping[str, pd.DataFrame]):
    """What each crew would remove at each place: a table for each crew, made when it is asked for.

    A table has one row per place: what is known of the place, inspections, with_waste, found of
    each cause, rate and sd, and its causes, side by side with action, crew, records (inspections at
    which a cause of this action was found), share (of the inspections with waste) and expected:
    nuisance removed per stop, counted in inspections with waste. `effects` are those it rests on.
    """

    def __init__(
        self, places: pd.DataFrame, removed: Mapping[str, pd.DataFrame], effects: pd.DataFrame
    ) -> None:
        self._places, self._removed, self.effects = places, removed, effects

    def __getitem__(self, crew: str) -> pd.DataFrame:
        [action] = EFFECTS.loc[EFFECTS["crew"] == crew, "action"].unique()
        place = self._places.assign(action=action, crew=crew)
        return pd.concat([place, self._removed[crew]], axis=1)

    def expected(self, crew: str) -> pd.DataFrame:
        """Return cluster and expected alone; the table is wide, and a city has many places."""
        return self._places[["cluster"]].assign(expected=self._removed[crew]["expected"])

    def __iter__(self) -> Iterator[str]:
        return iter(self._removed)

    def __len__(self) -> int:
        return len(self._removed)


@passes_absent
def options(
    rates: pd.DataFrame, causes: pd.DataFrame, effects: pd.DataFrame = EFFECTS
) -> Options | Absent:
    """Return what each crew would remove at each place.

    Parameters
    ----------
    rates, causes
        As from `knowledge.dirty_rates` and `causes.place_causes`.
    effects
        What actions take away: assumed, or with measured ranges as from `effects.replaced`.

    Returns
    -------
    Options
        By crew for which a cause is recorded. An Absent where no cause is recorded.

    Notes
    -----
    An inspection with two causes counts half for each, so that what two actions remove at one place
    adds up; the place stays dirty if one of them stays away. Where one cause is recorded, all of
    the inspection counts for it, so that what is removed is an upper bound.
    """
    counts = {cause: f"{cause}_found" for cause in EFFECTS["cause"]}
    found = list(recorded(rates)["cause"])
    known = [*known_of(rates), "inspections", "with_waste", *found, "rate", "sd"]
    table = rates[known].rename(columns=counts)
    table = table.merge(causes, on="cluster", validate="one_to_one")
    removed = {}
    for crew, own in recorded(causes, effects).groupby("crew", sort=False):
        shares = table[list(own["cause"])].to_numpy()
        expected = table["rate"] * (shares @ own[["low", "high"]].mean(axis=1).to_numpy())
        records = table[[counts[cause] for cause in own["cause"]]].sum(axis=1)
        parts = {"records": records, "share": shares.sum(axis=1), "expected": expected.round(12)}
        removed[str(crew)] = pd.DataFrame(parts)
    if not removed:
        reason = "Not possible here: the authority records no cause that an action could remove."
        return Absent("Tomorrow's plan", reason)
    return Options(table, removed, effects)


def plan(
    choices: Options | Absent, crews: Mapping[str, int], confidence: float, seed: int
) -> pd.DataFrame | Absent:
    """Choose for each crew the stops at which it removes most.

    Parameters
    ----------
    choices
        As from `options`; an Absent is passed on.
    crews
        Number of stops that each crew can make, as from `crews`: crews cannot do each other's work.
    confidence
        Level of the intervals.
    seed
        Of the simulated intervals.

    Returns
    -------
    pandas.DataFrame
        crew, cluster, kind, district, x, y (as far as known), action, inspections, with_waste, rate
        (probability that waste lies there), removed (nuisance expected to be
        removed, in inspections with waste) with low and high, certainty
        and reason; the most useful stop of each crew first. A place may have two crews, for two
        causes. Certainty is that the stop is above what is expected of the best place that this
        crew leaves out: firm (at least 90 % sure), likely (at least 70 %), or open. `Absent` where
        no crew has work.

    Notes
    -----
    Intervals join the uncertainty of the rate, of the share of the cause and of the effect of the
    action. They are about the expected number; a single day varies more.
    """
    chosen = chosen_stops(choices, crews)
    if isinstance(choices, Absent) or isinstance(chosen, Absent):
        return chosen
    certain, drawn = draws(chosen, seed, choices.effects)
    low, high = np.quantile(drawn, _tails(confidence), axis=1)
    edge = chosen["crew"].map(left_out(choices, crews)).to_numpy()
    chance = (certain > edge[:, None]).mean(axis=1)
    reason = "Waste " + chosen["with_waste"].astype(str) + " of "
    reason += chosen["inspections"].map(lambda number: counted(number, "time"))
    for row in recorded(chosen).itertuples():
        found = chosen[f"{row.cause}_found"].map(lambda number: counted(round(number), "time"))
        reason += (f", {FOUND[row.cause]} " + found).where(chosen["crew"] == row.crew, "")
    about = [*known_of(chosen), "action"]
    return chosen[["crew", *about, "inspections", "with_waste", "rate"]].assign(
        removed=chosen["expected"],
        low=low,
        high=high,
        certainty=np.select([chance >= 0.9, chance >= 0.7], ["firm", "likely"], "open"),
        reason=reason,
    )


def crew_values(
    choices: Options | Absent, crews: Mapping[str, int], confidence: float, seed: int
) -> pd.DataFrame | Absent:
    """Say for each crew what its stops remove, to see where one stop more or less counts.

    Parameters
    ----------
    choices, crews, confidence, seed
        As for `plan`.

    Returns
    -------
    pandas.DataFrame
        crew, stops, removed (nuisance in inspections with waste, all its stops) with low and high,
        per_stop with per_stop_low and per_stop_high, last_stop (the least useful one of its list)
        and next_stop (the best place left out). Empty: the crew stays in, or what it removes
        is not recorded (then next_stop is empty too).
    """
    chosen = chosen_stops(choices, crews)
    if isinstance(choices, Absent) or isinstance(chosen, Absent):
        return chosen
    drawn = pd.DataFrame(draws(chosen, seed, choices.effects)[1]).groupby(chosen["crew"]).sum()
    own = chosen.groupby("crew")["expected"]
    table = pd.DataFrame(index=pd.Index(crews, name="crew"))
    table["stops"] = own.size().reindex(table.index, fill_value=0)
    table["removed"] = own.sum()
    table["low"], table["high"] = (drawn.quantile(q, axis=1) for q in _tails(confidence))
    for column in ("removed", "low", "high"):
        table[f"per_stop_{column}".removesuffix("_removed")] = table[column] / table["stops"]
    table["last_stop"], table["next_stop"] = own.min(), left_out(choices, crews)
    return table.reset_index()


@passes_absent
def stops_on_map(places: pd.DataFrame, stops: pd.DataFrame) -> pd.DataFrame:
    """Return all places with the action planned there, the stops first.

    Parameters
    ----------
    places, stops
        As from `information.on_map` and `plan`; an Absent is passed on.

    Returns
    -------
    pandas.DataFrame
        cluster, x, y (m), action ("none" at places without a stop, "more than one crew" at those
        with several).
    """
    several = stops["cluster"].duplicated(keep=False)
    planned = stops.assign(action=stops["action"].mask(several, "more than one crew"))
    others = places[~places["cluster"].isin(stops["cluster"])].assign(action="none")
    table = pd.concat([planned.drop_duplicates("cluster"), others], ignore_index=True)
    return table[["cluster", "x", "y", "action"]]


def compare_plans(
    choices: Options | Absent, crews: Mapping[str, int], confidence: float, seed: int
) -> pd.DataFrame | Absent:
    """Set the plan beside what would be done without it.

    Parameters
    ----------
    choices, crews, confidence, seed
        As for `plan`.

    Returns
    -------
    pandas.DataFrame
        plan, stops, shared_stops (with the recommended plan, place and crew), dirty (expected dirty
        inspections at these places, each place once), removed (nuisance, in
        inspections with waste) with low and high, one_day_low and
        one_day_high (range of the number on a single day), gain (recommended minus this plan) with
        gain_low and gain_high. Plans: recommended; the same crews, each at the places with most
        records of what it removes; the same at the places with most records of waste; and the
        collection crew alone, with its regular truck, at the places with most records of full
        containers (where these are recorded).

    Notes
    -----
    Gains are judged by the model that chose the recommended plan, so that they can hardly be
    negative: they say what the model holds to be lost, and are no proof that the plan is better.
    """
    best = chosen_stops(choices, crews)
    if isinstance(choices, Absent) or isinstance(best, Absent):
        return best
    naive = _leading(choices, crews, "records")
    plans = {"recommended": best, "records of own cause": naive}
    plans["records of any waste"] = _leading(choices, crews, "with_waste")
    truck = naive[naive["crew"] == "Collection"]
    if len(truck):
        plans["regular truck only"] = truck
    # One draw per place and per effect for all plans, so that differences are not blurred.
    _, drawn = draws(pd.concat(plans.values()), seed, choices.effects)
    tails, edges = _tails(confidence), np.cumsum([0, *(len(own) for own in plans.values())])
    pairs = pd.MultiIndex.from_frame(best[["cluster", "crew"]])
    rows = []
    for (name, own), start, end in zip(plans.items(), edges[:-1], edges[1:], strict=True):
        total = drawn[start:end].sum(axis=0)
        value = own.groupby("cluster")["expected"].sum()
        day = np.sqrt(total.var() + (value * (1 - value)).sum())
        one_day = np.maximum(value.sum() + ndtri(tails) * day, 0)
        shared = pd.MultiIndex.from_frame(own[["cluster", "crew"]]).isin(pairs).sum()
        dirty = own.drop_duplicates("cluster")["rate"].sum()
        gain = round(best["expected"].sum() - value.sum(), 9)
        gains = np.quantile(drawn[: edges[1]].sum(axis=0) - total, tails)
        row = [name, len(own), shared, dirty, value.sum(), *np.quantile(total, tails)]
        rows.append((*row, *one_day, gain, *gains))
    columns = ["plan", "stops", "shared_stops", "dirty", "removed", "low", "high"]
    columns += ["one_day_low", "one_day_high", "gain", "gain_low", "gain_high"]
    return pd.DataFrame(rows, columns=columns)


def decision_records(
    stops: pd.DataFrame | Absent, inspections: pd.DataFrame | Absent
) -> pd.DataFrame | Absent:
    """Return one record per part of the plan that people have to decide on.

    Parameters
    ----------
    stops, inspections
        As from `plan` and `inspection_plan`.

    Returns
    -------
    pandas.DataFrame
        part (a crew with stops, or inspectors), recommended, expected.
    """
    if isinstance(inspections, Absent) and isinstance(stops, Absent):
        return inspections
    rows = []
    if not isinstance(stops, Absent):
        for (crew, action), own in stops.groupby(["crew", "action"], sort=False):
            text = f"{counted(len(own), 'stop')} to {action}, first {own['cluster'].iloc[0]}"
            expected = f"{own['removed'].sum():.1f}"
            rows.append((crew, text, expected))
    looks = () if isinstance(inspections, Absent) else inspections.groupby("drawn")
    for drawn, own in looks:
        text = f"{counted(len(own), 'inspection')} {drawn}"
        random = drawn == "at random"
        expected = "rates without bias" if random else "a better next plan"
        rows.append(("Inspectors", text, expected))
    return pd.DataFrame(rows, columns=["part", "recommended", "expected"])


def _tails(confidence: float) -> list[float]:
    check_level("confidence", confidence)
    return [(1 - confidence) / 2, (1 + confidence) / 2]


def _leading(choices: Options, crews: Mapping[str, int], column: str) -> pd.DataFrame:
    """Return for each crew as many of its best rows by `column` as it has stops."""
    own = [leading(choices[crew], column, crews[crew]) for crew in crews if crew in choices]
    return pd.concat(own, ignore_index=True)


def chosen_stops(choices: Options | Absent, crews: Mapping[str, int]) -> pd.DataFrame | Absent:
    """Return the stops of all crews, or why there are none."""
    if isinstance(choices, Absent):
        return choices
    chosen = _leading(choices, crews, "expected")
    reason = "No crew has a stop and a recorded cause to remove: see stops_… in params.yaml."
    return chosen if len(chosen) else Absent("Tomorrow's plan", reason)


def left_out(choices: Options, crews: Mapping[str, int]) -> dict[str, float]:
    """Return what each crew could remove at the best place it leaves out; 0 if it serves all."""
    return {
        crew: float(leading(own, "expected", crews[crew] + 1)["expected"].iloc[crews[crew] :].sum())
        for crew, own in choices.items()
    }
