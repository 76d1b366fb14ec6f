"""The state of each place on a morning: the chance that waste lies there now, and of which kind.

The long-run rate is the prior. What the last look found fades at one rate for the whole city
(`chain`); what residents have reported and is still open multiplies the odds by a factor that was
counted on past looks. Where that foretells no better than the long-run rate, the rate is used.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit, logit, ndtri

from datamall.enforcement import crews, histories
from datamall.enforcement.causes import place_causes
from datamall.enforcement.chain import Chain, shift
from datamall.enforcement.chain import fit as fit_chain
from datamall.enforcement.effects import FOUND
from datamall.enforcement.information import COUNTED, Tables, registered
from datamall.enforcement.knowledge import check_level, dirty_rates
from datamall.enforcement.sums import INSPECTIONS, recorded_causes
from datamall.enforcement.words import counted
from datamall.requirements import Absent, needs, passes_absent

TITLE = "What lies there this morning"
STARTS = f"{INSPECTIONS}.period_start"
_WEEK = np.timedelta64(7, "D")
_OF_ROLE = {"cleaning crew": "a cleaning crew", "enforcement officer": "an officer"}
# Finds that a share of causes given a report, or given the last find, is worth before any is seen.
_PRIOR = 5.0
_SAME = 0.7


@dataclass(frozen=True)
class State:
    """What was learnt of waste that comes and goes; no day later than `until` was used.

    Attributes
    ----------
    until
        Morning on which it was learnt.
    rates
        As from `knowledge.dirty_rates`.
    causes
        As from `causes.place_causes`.
    chain
        See `chain.Chain`.
    usual
        Log-odds by which each role's finds differ from the long-run rate, without any state.
    reports
        One row per category and age of the oldest open report: category, age, looks and found (on
        which it rests), factor (of the odds that waste lies there), low, high and sd (of its
        logarithm).
    given
        Causes among the finds, by "category" of the open report or "last" find (a cause), shape
        (givens, causes): share as a multiple of the usual one.
    mix
        Share of each role in the looks.
    confidence
        Level of all intervals.
    """

    until: pd.Timestamp
    rates: pd.DataFrame
    causes: pd.DataFrame
    chain: Chain
    usual: pd.Series
    reports: pd.DataFrame
    given: pd.DataFrame
    mix: pd.Series
    confidence: float


@needs(TITLE, *COUNTED, varying=(STARTS,))
def fit(data: Tables, as_of: pd.Timestamp, confidence: float) -> State | Absent:
    """Learn how waste comes and goes from the looks and reports before a morning.

    Parameters
    ----------
    data
        The extract; what is later than the morning of `as_of` plays no part.
    as_of
        The day.
    confidence
        Level of the intervals.

    Returns
    -------
    State
        Or an `Absent`, where the inspections are not delivered by day or none is that early.
    """
    check_level("confidence", confidence)
    known = histories.before(data, as_of)
    starts = np.unique(known[INSPECTIONS]["period_start"].to_numpy("M8[s]"))
    if not (np.diff(starts) < _WEEK).any():
        return Absent(
            TITLE,
            "Not possible here: no inspections of single days are known from before "
            f"{as_of:%Y-%m-%d}, and what lies at a place hangs on the day of its last look.",
        )
    rates = dirty_rates(known, confidence)
    seen, told = histories.looks(known), crews.reports(known)
    happened = histories.events(seen, told, crews.cleared(known, seen))
    table = histories.mornings(seen, happened, told)
    table["rate"] = table["cluster"].map(rates.set_index("cluster")["rate"])
    width = float(ndtri((1 + confidence) / 2))
    quiet = table[(table["open"] == 0) & (table["event"] != "")]
    chain = fit_chain(quiet, width)
    table["same"] = _same(table, chain)
    usual = {
        role: shift(own["found"].to_numpy(), own["rate"].to_numpy())[0]
        for role, own in table.groupby("role")
    }
    return State(
        as_of,
        rates,
        place_causes(known, rates),
        chain,
        pd.Series(usual),
        _reports(table[table["open"] > 0], chain, width),
        _given(table),
        table["role"].value_counts(normalize=True).sort_index(),
        confidence,
    )


def _by_chain(table: pd.DataFrame, chain: Chain) -> np.ndarray:
    """Return the chance by the last event alone."""
    columns = (table[name].to_numpy() for name in ("rate", "role", "event", "days"))
    return chain.chance(*columns).clip(1e-6, 1 - 1e-6)


def _reports(table: pd.DataFrame, chain: Chain, width: float) -> pd.DataFrame:
    """Count how much more often waste is found where a report is open than the chain expects."""
    rows = []
    table = table.assign(expected=_by_chain(table, chain))
    for (category, age), own in table.groupby(["category", "age"]):
        by, sd = shift(own["found"].to_numpy(), own["expected"].to_numpy())
        ends = np.exp(by + np.array([0, -width, width]) * sd)
        rows.append((category, age, len(own), int(own["found"].sum()), *ends, sd))
    columns = ["category", "age", "looks", "found", "factor", "low", "high", "sd"]
    numbers = dict.fromkeys(("factor", "low", "high", "sd"), float)
    table = pd.DataFrame(rows, columns=columns).astype(numbers)
    order = {age: turn for turn, age in enumerate(histories.AGES.values())}
    return table.sort_values(
        ["category", "age"], key=lambda own: own.map(order) if own.name == "age" else own
    ).reset_index(drop=True)


def _same(table: pd.DataFrame, chain: Chain) -> np.ndarray:
    """Return the chance that waste, if it lies there, is what the last look found."""
    left, kept = chain.left(table["event"].to_numpy(), table["days"].to_numpy())
    return np.clip(left * kept / _by_chain(table, chain), 0, 1)


def _given(table: pd.DataFrame) -> pd.DataFrame:
    """Return how much more often each cause is found given an open report, or given the last find.

    The last find counts where what lies there is mostly the same still.
    """
    causes = recorded_causes(table)
    finds = table[table["found"] > 0]
    divided = finds[causes].div(finds[causes].sum(axis=1).clip(lower=1), axis=0)
    usual = divided.mean().clip(lower=1e-6)
    rows = {}
    for category, own in divided.groupby(finds["category"]):
        if category:
            rows[category] = own.sum(), len(own)
    fresh = finds["same"] > _SAME
    for cause in causes:
        own = divided[fresh & (finds[f"last_{cause}"] > 0)]
        rows[f"last {cause}"] = own.sum(), len(own)
    shares = {
        name: (total + _PRIOR * usual) / (number + _PRIOR) / usual
        for name, (total, number) in rows.items()
    }
    return pd.DataFrame(shares).T.reindex(columns=causes)


def foretell(table: pd.DataFrame, state: State) -> np.ndarray:
    """Return the chance that a look finds waste, for rows of `histories.mornings` with a rate."""
    factor = state.reports.set_index(["category", "age"])["factor"]
    keys = pd.MultiIndex.from_frame(table[["category", "age"]])
    # A category that was never open before says as much as nothing.
    by = np.log(factor.reindex(keys).fillna(1).to_numpy())
    return np.asarray(expit(logit(_by_chain(table, state.chain)) + by))


def every_rate(data: Tables, state: State) -> pd.DataFrame:
    """Return cluster, kind, rate, low and high of all places, those never inspected included.

    Such a place has the mean rate of its kind (and district, where one is known and inspected) and
    an interval that holds as many of the others as is set.
    """
    names = ["cluster", "kind", "rate", "low", "high"]
    rates = state.rates
    register = registered(data)
    if isinstance(register, Absent):
        return rates[names]
    never = register[~register["cluster"].isin(rates["cluster"])]
    tail = (1 - state.confidence) / 2
    tables = [rates[names]]
    for by in (["kind", "district"], ["kind"], []):
        if never.empty or not set(by) <= set(rates) & set(never):
            continue
        groups = rates.groupby(by) if by else rates.groupby(np.zeros(len(rates)))
        about = groups["rate"].agg(
            rate="mean", low=lambda own: own.quantile(tail), high=lambda own: own.quantile(1 - tail)
        )
        own = never.merge(about.reset_index(), on=by) if by else never.merge(about, how="cross")
        tables.append(own[names])
        never = never[~never["cluster"].isin(own["cluster"])]
    return pd.concat(tables, ignore_index=True)


@passes_absent
def today(data: Tables, state: State, scores: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Return the state of each place on a morning.

    Parameters
    ----------
    data
        The extract; what is later than the morning of `as_of` plays no part.
    state, scores
        As from `fit` and, its first table, `held_out`: where the state foretold no better than the
        long-run rate by either score, the rate is returned.
    as_of
        The day; or a moment of it, at which what is known of the day by then counts, too.

    Returns
    -------
    pandas.DataFrame
        One row per place by cluster: cluster, chance (that a look finds waste, by the usual mix of
        roles), low, high, the recorded causes and unknown (chance of waste of that cause; they add
        up to chance), rate (long-run), days (since the last look; missing for none), last (what it
        found), open (reports), oldest (days; missing for none) and reason (one sentence).

    Notes
    -----
    The interval holds what is not known of the long-run rate and of the factor of an open report;
    not that of the chain, which rests on all places. Of what a report or the last find says of the
    cause, each is taken alone; where both speak, their factors are multiplied.
    """
    known = histories.before(data, as_of)
    seen, told = histories.looks(known), crews.reports(known)
    places = every_rate(data, state).sort_values("cluster", ignore_index=True)
    asked = places[["cluster"]].assign(day=np.datetime64(as_of, "s"))
    cleared = crews.cleared(known, seen)
    table = histories.mornings(asked, histories.events(seen, told, cleared), told)
    table = table.merge(places, on="cluster")
    looked = seen.drop_duplicates("cluster", keep="last").set_index("cluster")
    last_day = looked["day"].reindex(table["cluster"]).to_numpy()
    used = bool(scores["better"].all())
    ends = {}
    for name in ("rate", "low", "high"):
        own = table.assign(rate=table[name].clip(1e-6, 1 - 1e-6))
        roles = [
            share * foretell(own.assign(role=role), state) for role, share in state.mix.items()
        ]
        ends[name] = np.sum(roles, axis=0) if used else own["rate"].to_numpy()
    keys = pd.MultiIndex.from_frame(table[["category", "age"]])
    sd = state.reports.set_index(["category", "age"])["sd"].reindex(keys).fillna(0).to_numpy()
    middle = logit(ends["rate"])
    told_half = float(ndtri((1 + state.confidence) / 2)) * sd * used
    low = middle - np.hypot(middle - logit(ends["low"]), told_half)
    high = middle + np.hypot(logit(ends["high"]) - middle, told_half)
    result = pd.DataFrame(
        {
            "cluster": table["cluster"],
            "chance": ends["rate"],
            "low": expit(low),
            "high": expit(high),
        }
    )
    shares = _causes_now(table, state, used)
    result = result.join(shares.mul(result["chance"], axis=0))
    result["rate"] = table["rate"]
    result["days"] = np.floor((np.datetime64(as_of, "s") - last_day) / histories.DAY)
    last = looked.assign(last=_named(looked))["last"].reindex(table["cluster"])
    result["last"] = last.fillna("").to_numpy()
    result["open"], result["oldest"] = table["open"], table["oldest"]
    by = looked["role"].reindex(table["cluster"]).fillna("").to_numpy()
    facts = result[["days", "last", "open", "oldest"]].assign(role=by, category=table["category"])
    done = table["days"].where(table["event"] == histories.CLOSED)
    by_crew = cleared.groupby("cluster")["day"].max().reindex(table["cluster"])
    since = np.floor((np.datetime64(as_of, "s") - by_crew.to_numpy("M8[s]")) / histories.DAY)
    return result.assign(
        reason=[
            reason(*row)
            for row in zip(
                *facts.assign(done=done, used=used, crew=done == since).T.to_numpy(), strict=True
            )
        ]
    )


def reason(
    days: float,
    last: str,
    reports: int,
    oldest: float,
    role: str,
    category: str,
    done: float,
    used: bool,
    crew: bool = False,
) -> str:
    """Say in one sentence on what the chance of a place rests.

    Parameters
    ----------
    days, last, role
        Since the last look, what it found, and who looked; NaN where nobody ever did.
    reports, oldest, category
        Open reports, since how many days the oldest is open and what it says.
    done
        Days since a report was closed, where nobody has looked since; else NaN.
    used
        Whether the state is used, and not the long-run rate alone.
    crew
        Whether it was a crew that took away what lay there, and no report that was closed.
    """
    parts = []
    if reports:
        what = "" if category in ("other", "any") else f" ({category})"
        since = "today" if oldest == 0 else "yesterday" if oldest == 1 else f"{int(oldest)} days"
        first = "" if reports == 1 else ", the oldest"
        parts.append(f"{counted(reports, 'open report')}{first}{what} since {since}")
    if not np.isnan(done):
        parts.append(f"{'a crew was here' if crew else 'a report was closed'} {_ago(done)}")
    if np.isnan(days):
        parts.append("nobody has ever looked here")
    else:
        parts.append(f"{_OF_ROLE.get(role, 'somebody')} found {last} {_ago(days)}")
    text = "; ".join(parts)
    text = text if used else f"the long-run rate alone: {text}"
    return f"{text[0].upper()}{text[1:]}."


def _ago(days: float) -> str:
    return {0: "today", 1: "yesterday"}.get(int(days), f"{int(days)} days ago")


def _causes_now(table: pd.DataFrame, state: State, used: bool) -> pd.DataFrame:
    """Return the share of each cause given waste there, by place; rows add up to 1."""
    own = state.causes.set_index("cluster").drop(columns="weight")
    shares = own.reindex(table["cluster"]).fillna(own.mean()).reset_index(drop=True)
    causes = list(state.given.columns)
    if not used or not causes:
        return shares
    factor = np.ones((len(table), len(causes)))
    category = state.given.reindex(table["category"]).fillna(1).to_numpy()
    factor *= category
    role = np.full(len(table), state.mix.idxmax())
    same = _same(table.assign(role=role), state.chain)
    found = table[[f"last_{cause}" for cause in causes]].fillna(0).to_numpy()
    for turn, cause in enumerate(causes):
        said = state.given.loc[f"last {cause}"].to_numpy()
        weight = (found[:, turn] / found.sum(axis=1).clip(1) * same)[:, None]
        factor *= said[None, :] ** weight
    shares[causes] *= factor
    return shares.div(shares.sum(axis=1), axis=0)


def _named(looked: pd.DataFrame) -> list[str]:
    """Return in words what each last look found."""
    causes = recorded_causes(looked)
    words = []
    for found, *own in looked[["found", *causes]].itertuples(index=False):
        names = [FOUND[cause] for cause, there in zip(causes, own, strict=True) if there]
        words.append((" and ".join(names) or "waste") if found else "nothing")
    return words
