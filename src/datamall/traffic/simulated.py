"""Plans on simulated days: that of now, Webster's, a searched one, and a signal that follows."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias
from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datamall.requirements import passes_absent
from datamall.threads import in_order
from datamall.traffic import search, weekly
from datamall.traffic.capacity import NOT_ENOUGH, cut_off
from datamall.traffic.peaks import PEAKS, Peaks
from datamall.traffic.plans import KINDS, Plan, Rules
from datamall.traffic.weekly import Floats
from datamall.traffic.wisdom import DOUBT, KEEP, RECOMMENDED, REFUSED

CHOOSING, JUDGING = 30, 30  # days of each peak that are simulated, spread over the weeks
MOST = 24  # plans that are simulated, those that save most; a large city has hundreds
SEED = 20260101
FELT = 1.0  # seconds of a mean wait from which on somebody is called helped or worse off
SAME = "the search finds the same plan"
BETTER = "the searched plan loses less"
ONLY = "only the searched plan is better than that of now"
NO_BETTER = "no better beyond chance: keep Webster's"
WORSE = "worse on other weeks: keep Webster's"
NEITHER = "neither is better than the plan of now beyond chance: keep that"
LEFT_OUT = f"not simulated: {MOST} others save more"
UNKNOWN = "not simulated: too few days were counted"
PEOPLE = dict(zip(KINDS, ("cars and buses", "cyclists", "pedestrians"), strict=True))
_KEYS = ["site", "name", "peak"]
# The row of a junction and peak; what plans save on each judged day, and the weeks of these.
Simulated: TypeAlias = tuple[dict[str, Any], tuple[Floats, NDArray[np.int64]] | None]
WAITS = ("now", "webster", "searched", "actuated")
SAVED = ("saved", "saved_low", "saved_high", "wins")
FOUND = ("gain", "gain_low", "gain_high", "search_wins")
BOTH = ("both", "both_low", "both_high", "both_wins")
SEARCH = (*FOUND, *BOTH, "days", *KINDS, "cycle", "searched_cycle", "searched_greens")
HEADINGS = {
    "actuated": "With a signal that follows the traffic",
    "both": "Searched plan saves beside now",
    "both_high": "The same beside now, to",
    "both_low": "The same beside now, from",
    "both_wins": "Days on which it wins over now",
    "cycle": "Webster's cycle (s)",
    "days": "Of days",
    "finding": "The search",
    "gain": "Searched plan saves beside Webster's",
    "gain_high": "The same, to",
    "gain_low": "The same, from",
    "helped": "Who waits less than now",
    "motor": "Of that people in cars and buses",
    "bike": "Cyclists",
    "now": "Person-hours a peak now",
    "saved": "Webster's plan saves",
    "saved_high": "To",
    "saved_low": "From",
    "search_wins": "Days on which it wins",
    "searched": "With the searched plan",
    "searched_cycle": "Its cycle (s)",
    "searched_greens": "Its greens",
    "webster": "With Webster's plan",
    "wins": "Days on which it wins",
    "worse_off": "Who waits longer than now",
}


@passes_absent
def simulated(
    parts: tuple[Peaks, ...],
    plans: tuple[Plan, ...],
    plateaus: pd.DataFrame,
    choices: pd.DataFrame,
    rules: Rules,
    confidence: float,
) -> pd.DataFrame:
    """Hold plans that may be worth trying against simulated queues of counted days.

    Parameters
    ----------
    parts, plans, plateaus, choices
        As from `peaks.peaks`, `plans.propose`, `censoring.plateaus` and `wisdom.proposals`.
    rules
        What a plan must keep to.
    confidence
        Probability with which all intervals of the table hold together.

    Returns
    -------
    pandas.DataFrame
        site, name, peak, then person-hours a peak: now, webster, searched and actuated (a signal
        that follows the traffic); saved (now − webster) with saved_low and saved_high, wins (days
        on which Webster's plan loses less than that of now); gain (webster − searched) with
        gain_low and gain_high, search_wins; both (now − searched) with both_low, both_high and
        both_wins; days; `plans.KINDS` (what each kind of people gains beside Webster's plan);
        cycle, searched_cycle (s), searched_greens (by phase), finding, helped and worse_off (whose
        mean wait changes by `FELT` or more, with the searched plan where it is better, else with
        Webster's). The order of `choices`.

    Notes
    -----
    The search chooses on days of every other week, with the headroom that Webster's plan has; all
    are judged on days of the weeks between, as counted. Where demand is cut off it is too low in
    both, so that all waits are too. Weeks are the witnesses of the intervals. A signal that follows
    the traffic needs detectors that see every car.
    """
    asked = choices["verdict"].eq(RECOMMENDED)
    asked |= choices["verdict"].eq(DOUBT) & choices["doubt"].eq("")
    table = choices.loc[asked, [*_KEYS, "cycle"]].reset_index(drop=True)
    place = {(row.site, row.peak): number for number, row in enumerate(table.itertuples())}
    rows: list[dict[str, Any]] = [{"finding": LEFT_OUT} for _ in place]
    # Of each row what a plan saves beside another by day (`SAVED`, `FOUND`, `BOTH`), and the weeks.
    paired: list[tuple[Floats, NDArray[np.int64]] | None] = [None for _ in place]
    asked_of: list[tuple[int, Callable[[], Simulated]]] = []
    for own, plan in zip(parts, plans, strict=True):
        cut = cut_off(own, plateaus), cut_off(own, plateaus, NOT_ENOUGH)
        for site, members in own.groups.groupby("site").indices.items():
            for peak, name in enumerate(PEAKS):
                number = place.get((site, name), MOST)
                if number >= MOST:
                    continue
                unknown = cut[0][members, peak], cut[1][members, peak]
                one = partial(_simulated, own, plan, members, peak, unknown, rules)
                asked_of.append((number, one))
    told = in_order(lambda one: one[1](), asked_of)
    for (number, _), (said_of, pair) in zip(asked_of, told, strict=True):
        rows[number], paired[number] = said_of, pair
    columns = [*WAITS, *KINDS, "searched_cycle", "searched_greens", "finding", "helped"]
    result = table.join(pd.DataFrame(rows, columns=[*columns, "worse_off"]))
    names = (SAVED, FOUND, BOTH)
    result[[*SAVED, *FOUND, *BOTH, "days"]] = np.nan
    together = len(names) * sum(each is not None for each in paired)
    for number, each in enumerate(paired):
        if each is None:
            continue
        means = weekly.means(*each, confidence, together)
        for row, about in enumerate(names):
            ends = means.mean[row], means.low[row], means.high[row]
            result.loc[number, list(about)] = *ends, (each[0][row] > 0).sum()
        result.loc[number, "days"] = each[0].shape[1]
    first, gain, both = (result[low] > 0 for _, low, _, _ in names)
    worse, same = result["gain_high"] < 0, result["finding"].eq(SAME)
    steps = [result["days"].isna(), ~first & ~both, ~first, same, gain, worse]
    said = [result["finding"], NEITHER, ONLY, SAME, BETTER, WORSE]
    result["finding"] = np.select(steps, said, NO_BETTER)
    kept = result["finding"].isin([BETTER, ONLY]).to_numpy(dtype=int)
    for name in ("helped", "worse_off"):
        pairs = zip(result[name], kept, strict=True)
        result[name] = [one[which] if isinstance(one, tuple) else "" for one, which in pairs]
    order = [*_KEYS, *WAITS, *SAVED, *SEARCH, "finding", "helped", "worse_off"]
    return result[order]


def _simulated(
    own: Peaks,
    plan: Plan,
    members: NDArray[np.int64],
    peak: int,
    unknown: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    rules: Rules,
) -> Simulated:
    """Return the row of one junction and peak, and what plans save on each judged day."""
    groups = own.groups.iloc[members]
    here = search.junction(groups, rules)
    counted = search.counted(own, members, peak)
    chosen = _spread(np.flatnonzero(counted & ~plan.judged), CHOOSING)
    judged = _spread(np.flatnonzero(counted & plan.judged), JUDGING)
    if not len(chosen) or not len(judged):
        return {"finding": UNKNOWN}, None
    # A junction's lots are its own, whichever others there are.
    rng = np.random.Generator(np.random.PCG64([SEED, crc32(groups["site"].iloc[0].encode()), peak]))
    more = search.room_for(own, members, peak, unknown, ~plan.judged, rules)
    webster = np.empty(len(here.least))
    webster[here.phase] = plan.green[members, peak]
    best = search.choose(here, search.days(own, members, peak, chosen, rng, more), webster)
    seen = search.days(own, members, peak, judged, rng)
    now = search.hours_of(
        here, seen, groups[["green"]].to_numpy(float), groups[["cycle"]].to_numpy(float)
    )[..., 0]
    then = search.person_hours(here, seen, np.column_stack([webster, best]))
    follows = search.actuated(here, seen, webster)
    lost = [one.sum(axis=(0, 1)).round(6) for one in (now, then[..., 0], then[..., 1])]
    saves = np.stack([lost[0] - lost[1], lost[1] - lost[2], lost[0] - lost[2]])
    kinds = (then[..., 0] - then[..., 1]).sum(axis=1).mean(axis=1).round(6)
    felt = [_felt(groups, seen, now, then[..., each]) for each in range(2)]
    names = sorted(groups["phase"].unique())
    waits = [*(one.mean() for one in lost), follows.sum(axis=(0, 1)).mean()]
    row = dict(zip(WAITS, waits, strict=True)) | dict(zip(KINDS, kinds, strict=True))
    row |= {"searched_cycle": best.sum() + here.lost_time}
    row |= {
        "searched_greens": "; ".join(f"{n}: {g:.0f} s" for n, g in zip(names, best, strict=True))
    }
    row |= {"finding": SAME if (best == webster).all() else BETTER}
    row |= {
        name: (felt[0][each], felt[1][each]) for each, name in enumerate(("helped", "worse_off"))
    }
    return row, (saves, own.week[judged])


def _spread(days: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return so many of the days at most, evenly spread."""
    if len(days) <= most:
        return days
    return days[np.linspace(0, len(days) - 1, most).round().astype(int)]


def _felt(groups: pd.DataFrame, days: search.Days, now: Floats, then: Floats) -> tuple[str, str]:
    """Say whose mean wait becomes shorter and whose longer."""
    cars = (days.came.sum(axis=0) * days.people).sum(axis=1)
    people = np.stack([cars, *days.soft.sum(axis=2)])
    change = (then - now).sum(axis=2) * 3600 / np.where(people > 0, people, 1)
    names = (groups["approach"] + " " + groups["lane_group"]).to_numpy()
    said = []
    for sign in (-1, 1):
        felt = (sign * change.round(6) >= FELT) & (people > 0)
        each = [
            f"{PEOPLE[k]}: {', '.join(names[own])}"
            for k, own in zip(KINDS, felt, strict=True)
            if own.any()
        ]
        said.append("; ".join(each) or "nobody")
    return said[0], said[1]


@passes_absent
def confirmed(choices: pd.DataFrame, held: pd.DataFrame) -> pd.DataFrame:
    """Return the proposals without those that simulated queues do not confirm.

    Parameters
    ----------
    choices, held
        As from `wisdom.proposals` and `simulated`.

    Returns
    -------
    pandas.DataFrame
        As `choices`: what was worth trying by the formula, and saves nothing beyond chance in
        simulated queues, is "not enough evidence" and says so.
    """
    against = held.loc[held["finding"].isin([NEITHER, ONLY])].set_index(["site", "peak"])
    keys = pd.MultiIndex.from_frame(choices[["site", "peak"]])
    rows = choices["verdict"].eq(RECOMMENDED) & keys.isin(against.index)
    number = against[["wins", "days"]].reindex(keys[rows]).astype(int)
    said = [
        f"The formula promises a gain, simulated queues do not: less time is lost on {row.wins} of "
        f"{row.days} days. A quarter near capacity leaves a queue to the next."
        for row in number.itertuples()
    ]
    result = choices.copy()
    result.loc[rows, "verdict"], result.loc[rows, "reason"] = DOUBT, said
    place = result["verdict"].map([RECOMMENDED, REFUSED, DOUBT, KEEP].index)
    return result.iloc[np.argsort(place.to_numpy(), kind="stable")].reset_index(drop=True)


@passes_absent
def describe(table: pd.DataFrame) -> str:
    """Say what the search adds to Webster's plans, and what following the traffic would."""
    known = table.dropna(subset="webster")
    if known.empty:
        return "No plan was simulated."
    better = known["finding"].isin([BETTER, ONLY])
    now, webster, actuated = known[["now", "webster", "actuated"]].sum()
    saves = (known["saved_low"] > 0).sum()
    text = f"Of {len(known)} plans of Webster, {saves} save time on simulated days beyond chance; "
    text += f"a search finds a better one beyond chance for {better.sum()}"
    if better.any():
        text += f", which saves {known.loc[better, 'gain'].sum():.1f} person-hours a day more"
    return (
        f"{text}. Together {now:.0f} person-hours a day with the plans of now, {webster:.0f} with "
        f"Webster's, {actuated:.0f} where signals follow the traffic."
    )
