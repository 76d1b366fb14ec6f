"""Wisdom: a plan for tomorrow that somebody can take, change and answer for."""

import numpy as np
import pandas as pd
from scipy.special import betaincinv, ndtr, ndtri

from datamall.chapters import Gap
from datamall.enforcement.information import Tables
from datamall.enforcement.knowledge import check_level, leading
from datamall.errors import DatamallError

_OUR_RANGE = "assumption: what a visit leaves undone on the day is not recorded"
_BOARDS = (
    "Amsterdam OIS 2021, boards at the 100 worst places: {} %; not corrected for regression to the "
    "mean (the worst places improve by themselves), so taken as the highest value"
)
# What an action takes away of the nuisance of one cause, as a share: every value between low and
# high is held to be equally likely. Replace by measured effects as soon as there are any.
EFFECTS = pd.DataFrame(
    [
        ("bulky", "pick up bulky waste", "Bulky waste crew", 0.7, 1.0, _OUR_RANGE),
        ("full", "empty the container", "Waste collection", 0.7, 1.0, _OUR_RANGE),
        ("broken", "repair the container", "Maintenance", 0.7, 1.0, _OUR_RANGE),
        ("residual", "inform and enforce", "Enforcement", 0.0, 0.20, _BOARDS.format("−20")),
        ("cardboard", "inform and enforce", "Enforcement", 0.0, 0.29, _BOARDS.format("−29")),
    ],
    columns=["cause", "action", "department", "low", "high", "source"],
)
_NAMES = {
    "bulky": "bulky waste",
    "full": "a full container",
    "broken": "a broken container",
    "residual": "bags beside a container that was not full",
    "cardboard": "cardboard beside a container that was not full",
}
_DRAWS, _LEVELS = 2000, 200


def options(rates: pd.DataFrame, causes: pd.DataFrame, only: str = "") -> pd.DataFrame | Gap:
    """Return the best action at each place.

    Parameters
    ----------
    rates, causes
        As from `knowledge.dirty_rates` and `causes.place_causes`.
    only
        An action of `EFFECTS`; empty for the best of all.

    Returns
    -------
    pandas.DataFrame
        `rates` and `causes` side by side with cause (the one that the action is about most), its
        share of the inspections with waste, action, department, and expected: dirty inspections
        avoided per stop. A Gap where no cause is recorded.
    """
    use = EFFECTS[EFFECTS["cause"].isin(causes.columns)]
    use = use[use["action"].eq(only)] if only else use
    if use.empty:
        reason = "Not possible here: the authority records no cause that an action could remove."
        return Gap("Tomorrow's plan", reason)
    table = rates.merge(causes, on="cluster", validate="one_to_one", suffixes=("_found", ""))
    effect = ((use["low"] + use["high"]) / 2).to_numpy()
    parts = table["rate"].to_numpy()[:, None] * table[list(use["cause"])].to_numpy() * effect
    actions = use["action"].drop_duplicates().tolist()
    member = use["action"].to_numpy()[:, None] == np.array(actions)
    value = (parts @ member).round(12)
    best = value.argmax(axis=1)
    rows = np.arange(len(table))
    main = np.where(member.T[best], parts, -1).argmax(axis=1)
    for column in ("cause", "action", "department"):
        table[column] = use[column].to_numpy()[main]
    share = table[list(use["cause"])].to_numpy()[rows, main]
    return table.assign(share=share, expected=value[rows, best])


def plan(
    choices: pd.DataFrame | Gap, stops: int, confidence: float, seed: int
) -> pd.DataFrame | Gap:
    """Choose the stops that avoid most.

    Parameters
    ----------
    choices
        As from `options`; a Gap is passed on.
    stops
        Number of stops that the crews can make.
    confidence
        Level of the intervals.
    seed
        Of the simulated intervals.

    Returns
    -------
    pandas.DataFrame
        stop, cluster, kind, district, x, y, action, department, cause, inspections, with_waste,
        rate (probability that waste lies there) with rate_low and rate_high, avoided (expected
        dirty inspections avoided) with avoided_low and avoided_high, certainty and reason.
        Certainty is that the stop beats the best place left out: firm (at least 90 %), likely (at
        least 70 %), or open.

    Notes
    -----
    Intervals join the uncertainty of the rate, of the share of the cause and of the effect of the
    action. They are about the expected number; a single day varies more.
    """
    if isinstance(choices, Gap):
        return choices
    _check_number("stops", stops)
    check_level("confidence", confidence)
    best = leading(choices, "expected", stops + 1)
    chosen = best.head(stops).reset_index(drop=True)
    left_out = float(best["expected"].iloc[-1]) if len(best) > stops else 0.0
    _, certain, draws = _draws(chosen, seed)
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    low, high = np.quantile(draws, tails, axis=1)
    chance = (certain > left_out).mean(axis=1)
    reason = [
        f"Waste at {w} of {n} inspections; about {100 * s:.0f} % of it goes back to {_NAMES[c]}."
        for w, n, s, c in zip(
            chosen["with_waste"],
            chosen["inspections"],
            chosen["share"],
            chosen["cause"],
            strict=True,
        )
    ]
    about = ["cluster", "kind", "district", "x", "y", "action", "department", "cause"]
    result = chosen[[*about, "inspections", "with_waste", "rate"]].assign(
        rate_low=chosen["low"],
        rate_high=chosen["high"],
        avoided=chosen["expected"],
        avoided_low=low,
        avoided_high=high,
        certainty=np.select([chance >= 0.9, chance >= 0.7], ["firm", "likely"], "open"),
        reason=reason,
    )
    result.insert(0, "stop", np.arange(1, len(result) + 1))
    return result


def stops_on_map(places: pd.DataFrame, stops: pd.DataFrame | Gap) -> pd.DataFrame | Gap:
    """Return all places with the action planned there, the stops first.

    Parameters
    ----------
    places, stops
        As from `information.places` and `plan`; a Gap is passed on.

    Returns
    -------
    pandas.DataFrame
        cluster, x, y (m), action ("none" at places without a stop).
    """
    if isinstance(stops, Gap):
        return stops
    columns = ["cluster", "x", "y"]
    others = places.loc[~places["cluster"].isin(stops["cluster"]), columns]
    return pd.concat([stops[[*columns, "action"]], others.assign(action="none")], ignore_index=True)


def compare_plans(
    rates: pd.DataFrame, causes: pd.DataFrame, stops: int, confidence: float, seed: int
) -> pd.DataFrame | Gap:
    """Set the plan beside what would be done without it.

    Returns
    -------
    pandas.DataFrame
        plan, stops, shared_stops (with the recommended plan), dirty (expected dirty inspections at
        these stops), avoided with low and high, one_day_low and one_day_high (range of the number
        on a single day), gain (recommended minus this plan) with gain_low and gain_high. Plans:
        recommended; the places with most records, best action there; the same by a regular truck
        only (where full containers are recorded).
    """
    choices = options(rates, causes)
    if isinstance(choices, Gap):
        return choices
    naive = set(leading(rates, "with_waste", stops)["cluster"])
    plans = {
        "recommended": leading(choices, "expected", stops),
        "unchanged: most records, best action": choices[choices["cluster"].isin(naive)],
    }
    truck = options(rates, causes, only="empty the container")
    if not isinstance(truck, Gap):
        own = truck[truck["cluster"].isin(naive)]
        plans["unchanged: most records, regular truck only"] = own
    # One draw per place and per effect for all plans, so that differences are not blurred.
    everywhere = pd.concat(plans.values())
    rate, _, draws = _draws(everywhere, seed)
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    width, edges = ndtri(tails), np.cumsum([0, *(len(own) for own in plans.values())])
    recommended = draws[: edges[1]].sum(axis=0)
    rows = []
    for (name, own), start, end in zip(plans.items(), edges[:-1], edges[1:], strict=True):
        total = draws[start:end].sum(axis=0)
        value = own["expected"]
        day = np.sqrt(total.var() + (value * (1 - value)).sum())
        one_day = np.maximum(value.sum() + width * day, 0)
        shared = len(set(own["cluster"]) & set(plans["recommended"]["cluster"]))
        gain = plans["recommended"]["expected"].sum() - value.sum()
        bounds = np.quantile(total, tails), one_day, np.quantile(recommended - total, tails)
        row = [name, len(own), shared, rate[start:end].mean(axis=1).sum(), value.sum()]
        rows.append((*row, *bounds[0], *bounds[1], gain, *bounds[2]))
    columns = ["plan", "stops", "shared_stops", "dirty", "avoided", "low", "high"]
    columns += ["one_day_low", "one_day_high", "gain", "gain_low", "gain_high"]
    return pd.DataFrame(rows, columns=columns)


def inspection_plan(
    data: Tables,
    choices: pd.DataFrame | Gap,
    rates: pd.DataFrame,
    stops: int,
    inspections: int,
    random_share: float,
    seed: int,
) -> pd.DataFrame:
    """Say where to look tomorrow: partly at random, for the rest where looking is worth most.

    Parameters
    ----------
    data, choices, rates
        The extract; as from `options` and `knowledge.dirty_rates`.
    stops
        Number of stops of the plan that these inspections should improve.
    inspections
        Number of places that inspectors can visit.
    random_share
        Share of them drawn at random.
    seed
        Of the random draw.

    Returns
    -------
    pandas.DataFrame
        cluster, kind, district, x, y, inspections (so far), drawn ("at random" or "on purpose"),
        inclusion_probability (of the random draw, equal for all registered places), gain (dirty
        inspections that knowing the place would avoid at most, empty at random), reason.

    Notes
    -----
    The random part is a systematic sample with one random start through all registered places in
    order of kind, district and cluster: every place has the same known probability, and districts
    get their share. Rates estimated from this part alone owe nothing to past choices. For the rest:
    value of perfect information on whether a place belongs among the stops.
    """
    _check_number("inspections_per_day", inspections)
    check_level("random_share", random_share)
    frame = data["enforcement.containers"].merge(data["shared.neighbourhoods"], on="neighbourhood")
    frame = frame.astype({"x": float, "y": float})
    frame = frame.sort_values(["kind", "district", "cluster"], ignore_index=True)
    number = min(inspections, len(frame))
    drawn = max(round(random_share * number), 1)
    start = np.random.Generator(np.random.PCG64(seed)).random()
    index = np.floor((start + np.arange(drawn)) * len(frame) / drawn).astype(int)
    random = frame.iloc[index].assign(
        drawn="at random", reason="Keeps rates estimable without a bias of choice."
    )
    columns = ["cluster", "kind", "district", "x", "y"]
    rest = _worth_knowing(rates, choices, stops)
    rest = rest[~rest["cluster"].isin(random["cluster"])]
    rest = leading(rest[rest["gain"] > 0], "gain", number - drawn).assign(drawn="on purpose")
    table = pd.concat([random[[*columns, "drawn", "reason"]], rest], ignore_index=True)
    so_far = rates.set_index("cluster")["inspections"]
    table["inspections"] = table["cluster"].map(so_far).fillna(0).astype(int)
    table["inclusion_probability"] = drawn / len(frame)
    return table[[*columns, "inspections", "drawn", "inclusion_probability", "gain", "reason"]]


def own_lists(
    rates: pd.DataFrame, causes: pd.DataFrame, stops: int, confidence: float, seed: int
) -> pd.DataFrame | Gap:
    """Return the best places for each action by itself, for crews that cannot do the others' work.

    Returns
    -------
    pandas.DataFrame
        As from `plan` without certainty, one list after another; the lists are equally long and
        hold `stops` places together.
    """
    choices = options(rates, causes)
    if isinstance(choices, Gap):
        return choices
    actions = EFFECTS.loc[EFFECTS["cause"].isin(causes.columns), "action"].unique()
    number = max(stops // len(actions), 1)
    lists = [plan(options(rates, causes, action), number, confidence, seed) for action in actions]
    return pd.concat(lists, ignore_index=True).drop(columns="certainty")


def decision_records(
    stops: pd.DataFrame | Gap, lists: pd.DataFrame | Gap, inspections: pd.DataFrame
) -> pd.DataFrame:
    """Return one record per part of the plan, to be completed by who decides.

    Parameters
    ----------
    stops, lists, inspections
        As from `plan`, `own_lists` and `inspection_plan`.

    Returns
    -------
    pandas.DataFrame
        part (department or inspectors), recommended, places, expected, and the empty columns
        decided, decided_by_role, why_different and what_came_of_it.
    """
    rows = []
    if not isinstance(stops, Gap) and not isinstance(lists, Gap):
        for (department, action), own in lists.groupby(["department", "action"], sort=False):
            chosen = stops[stops["action"] == action]
            text = f"{len(chosen)} stops to {action}, see the plan"
            if chosen.empty:
                first = ", ".join(own["cluster"].head(3))
                text = f"No stop in the plan; a crew that is free begins at {first}"
            expected = f"{chosen['avoided'].sum():.1f} dirty inspections avoided"
            rows.append((department, text, len(chosen), expected))
    for drawn, own in inspections.groupby("drawn"):
        text = f"{len(own)} inspections {drawn}"
        random = drawn == "at random"
        expected = "rates without a bias of choice" if random else "a better plan the day after"
        rows.append(("Inspectors", text, len(own), expected))
    table = pd.DataFrame(rows, columns=["part", "recommended", "places", "expected"])
    return table.assign(decided="", decided_by_role="", why_different="", what_came_of_it="")


def _worth_knowing(rates: pd.DataFrame, choices: pd.DataFrame | Gap, stops: int) -> pd.DataFrame:
    """Return for each place what knowing it exactly would add to tomorrow's plan."""
    columns = ["cluster", "kind", "district", "x", "y"]
    if isinstance(choices, Gap):
        doubt = "The rate is uncertain and no cause is recorded."
        return rates[columns].assign(gain=rates["sd"], reason=doubt)
    value = choices["expected"].to_numpy()
    order = np.sort(value)[::-1]
    edge = order[stops] if len(order) > stops else 0.0
    share = choices["share"].clip(1e-9, 1)
    spread = np.hypot(choices["sd"] / choices["rate"], np.sqrt((1 / share - 1) / choices["weight"]))
    sd = np.maximum(value * spread, 1e-12)
    away = np.abs(value - edge) / sd
    doubt = sd * (np.exp(-(away**2) / 2) / np.sqrt(2 * np.pi) - away * (1 - ndtr(away)))
    # Were the unknown cause known, and removable like the others, the stop would be worth this.
    best_effect = ((EFFECTS["low"] + EFFECTS["high"]) / 2).max()
    hidden = choices["rate"] * choices["unknown"] * best_effect
    unknown = np.maximum(hidden - np.maximum(value, edge), 0)
    reason = np.where(
        unknown > doubt,
        "Much waste, cause unknown: inspect first.",
        "Near the edge of the plan: one more look decides.",
    )
    return choices[columns].assign(gain=np.maximum(doubt, unknown), reason=reason)


def _draws(chosen: pd.DataFrame, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Simulate the rate, and what is avoided with and without a known effect of the action.

    Returns three arrays of shape (rows of `chosen`, draws). A place that occurs twice has the same
    rate and causes in both rows; the effect of an action is drawn once for all places.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    about = EFFECTS[EFFECTS["cause"].isin(chosen.columns)]
    own = chosen.drop_duplicates("cluster").sort_values("cluster")
    mean = np.column_stack([own["rate"], own[list(about["cause"])]]).clip(1e-6, 1 - 1e-6)
    weight = np.repeat(own["weight"].to_numpy()[:, None], mean.shape[1], axis=1)
    weight[:, 0] = mean[:, 0] * (1 - mean[:, 0]) / own["sd"].to_numpy().clip(1e-6) ** 2 - 1
    levels = (np.arange(_LEVELS) + 0.5) / _LEVELS
    a, b = (mean * weight)[:, :, None], ((1 - mean) * weight)[:, :, None]
    index = rng.integers(_LEVELS, size=(*mean.shape, _DRAWS))
    drawn = np.take_along_axis(betaincinv(a, b, levels), index, axis=2)
    row = own["cluster"].searchsorted(chosen["cluster"])
    rate, shares = drawn[row, 0], drawn[row, 1:]
    member = chosen["action"].to_numpy()[:, None] == about["action"].to_numpy()
    low, high = about["low"].to_numpy(), about["high"].to_numpy()
    effect = low[:, None] + (high - low)[:, None] * rng.random((len(about), _DRAWS))
    known = np.einsum("pcs,pc->ps", shares, member * (low + high) / 2)
    return rate, rate * known, rate * np.einsum("pcs,cs,pc->ps", shares, effect, member * 1.0)


def _check_number(name: str, number: int) -> None:
    if number < 1:
        raise DatamallError(f"{name} is {number}: set it to at least 1 in params.yaml.")
