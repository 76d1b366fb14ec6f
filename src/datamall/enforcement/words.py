"""Words: the answer, what is to be seen in each figure, and the headings of tables."""

from typing import TypeAlias

import numpy as np
import pandas as pd

from datamall.requirements import Absent, passes_absent

Result: TypeAlias = pd.DataFrame | Absent

# Headings of columns whose names do not say enough.
HEADINGS = {
    "cluster": "Place",
    "decided_by_role": "Decided by (role)",
    "dirty": "Dirty without a visit",
    "district": "District",
    "expected": "Expected",
    "gain": "Gain",
    "gain_high": "Gain, to",
    "gain_low": "Gain, from",
    "high": "To",
    "jaccard": "Agreement (Jaccard)",
    "jaccard_with_rate": "Agreement (Jaccard) with pooled rate",
    "low": "From",
    "moran_i": "Moran's I",
    "observed": "Share with waste",
    "one_day_high": "One day, to",
    "one_day_low": "One day, from",
    "per_stop_high": "Per stop, to",
    "per_stop_low": "Per stop, from",
    "rank_high": "Rank, to",
    "rank_low": "Rank, from",
    "rate": "Chance of waste",
    "removed": "Nuisance removed",
    "spearman": "Rank correlation (Spearman)",
    "share": "Share with waste",
    "z": "z-score",
}


def only(table: Result, *columns: str) -> Result:
    """Return the columns that readers need, of those that are known; an Absent is passed on."""
    if isinstance(table, Absent):
        return table
    return table[[name for name in columns if name in table]]


def counted(number: int, noun: str) -> str:
    """Return a number and its noun, in the plural unless it is 1."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def answer(
    comparison: Result, truck: Result, totals: Result, reported: Result, confidence: float
) -> str:
    """Return the answer of the analysis with its intervals, short enough for a small screen.

    Parameters
    ----------
    comparison, truck, totals, reported
        As from `wisdom.compare_plans`, `causes.truck_reach`, `information.totals` and
        `reports.reported`. Without a comparison the answer is what inspections, or else reports,
        tell without it.
    confidence
        Level of the intervals.
    """
    if isinstance(comparison, Absent):
        return f"{_known(totals, reported)}No plan for tomorrow: {comparison.why}"
    own = comparison.iloc[0]
    text = (
        f"{counted(own['stops'], 'stop')} {'is' if own['stops'] == 1 else 'are'} expected to "
        f"remove nuisance worth {own['removed']:.1f} ({100 * confidence:g} % interval "
        f"{own['low']:.1f} to {own['high']:.1f}) inspections with waste, if actions work as "
        "stated below."
    )
    if isinstance(truck, Absent) or truck["share"].isna().iloc[0]:
        return text
    return f"{text} Of all nuisance, {_share(truck.iloc[0])} is bulky."


def evidence(comparison: Result) -> list[str]:
    """Return the tables that the answer rests on; `comparison` as for `answer`."""
    if isinstance(comparison, Absent):
        return ["totals", "reported"]
    return ["comparison", "truck_reach", "plan", "agreement"]


def _known(totals: Result, reported: Result) -> str:
    """Return in a sentence, and a space, what inspections or reports tell by themselves."""
    if not isinstance(totals, Absent):
        looked = totals.iloc[-1]
        share = f"{100 * looked['share']:.0f} %"
        return f"Waste was found at {share} of {_many(looked['inspections'], 'inspection')}. "
    if isinstance(reported, Absent):
        return ""
    whole = reported.iloc[0]
    text = f"{_many(whole['reports'], 'report')} came in"
    if pd.notna(whole.get("days")):
        text += f"; half were closed within {_many(whole['days'], 'day')}"
    if "still_open" in whole:
        text += f", {whole['still_open']:.0f} still open at the end"
    return f"{text}. "


def _many(number: float, noun: str) -> str:
    return f"{number:,.0f} {noun}{'' if number == 1 else 's'}"


def describe_truck(truck: Result) -> str:
    """Say how much is bulky and where containers were full; as from `causes.truck_reach`."""
    if isinstance(truck, Absent):
        return truck.reason
    if truck["share"].isna().iloc[0]:
        return "No inspection found waste, so that nothing is known of what it was"
    text = (
        f"Of the inspections with waste, {_share(truck.iloc[0])} is bulky, beyond a regular truck"
    )
    if len(truck) > 1:
        text += f"; the container was recorded full at {_share(truck.iloc[1])}"
    return text + _apart(truck)


def _share(row: pd.Series) -> str:
    """Return a share in per cent with its interval."""
    text = f"{100 * row['share']:.0f} % ({100 * row['low']:.0f} to {100 * row['high']:.0f} %)"
    return f"at most {text}" if row.get("apart", 0) else text


def _apart(table: pd.DataFrame) -> str:
    """Say that some of it was found at inspections without waste; as from `cause_shares`."""
    if "apart" not in table:
        return ""
    return (
        ". Some of it was found at inspections without waste (apart), which are no part of these "
        "shares; from counts it cannot be told exactly how many, so that a share is the most there "
        "can be and its interval holds what is not known as well"
    )


def caption_of_causes(table: Result) -> str:
    """Return the caption of the causes by kind of place; as from `causes.cause_shares`."""
    text = "Causes by kind of place, as a share of the inspections with waste"
    return text if isinstance(table, Absent) else text + _apart(table)


def with_undefined(caption: str, table: Result, column: str) -> str:
    """Return a caption that names the values of which a statistic of space is undefined.

    Parameters
    ----------
    caption
        What the table holds.
    table, column
        As from `hotspots.hot_spot_lists` or `hotspots.clustering`, and the statistic.
    """
    if isinstance(table, Absent) or not table[column].isna().any():
        return caption
    own = table[table[column].isna()]
    names = "; ".join(own["value"] + " (" + own["kind"] + ")")
    return f"{caption}. Undefined where all places have equal values: {names}"


def metrics(comparison: Result, truck: Result, agreed: Result, hot: Result) -> dict[str, float]:
    """Return the numbers worth following from run to run, by name.

    Parameters
    ----------
    comparison, truck, agreed, hot
        As from `wisdom.compare_plans`, `causes.truck_reach`, `knowledge.agreement` and
        `hotspots.hot_spot_lists`. What an Absent would have given is left out.
    """
    numbers: dict[str, float] = {}
    if not isinstance(comparison, Absent):
        numbers |= comparison.iloc[0][["stops", "dirty", "removed", "low", "high"]].to_dict()
        numbers["gain"] = comparison.iloc[1]["gain"]
    if not isinstance(truck, Absent):
        numbers |= dict(zip(["bulky_share", "full_share"], truck["share"], strict=False))
    for row in () if isinstance(agreed, Absent) else agreed.itertuples():
        numbers[f"jaccard_{row.kind}".replace(" ", "_")] = row.jaccard
    if not isinstance(hot, Absent):
        for row in hot.itertuples():
            numbers[f"hot_{row.kind}_{row.value}".replace(" ", "_")] = row.hot_spots
    return {name: float(value) for name, value in numbers.items()}


def describe_exposure(table: Result) -> str:
    """Say where inspectors go most and least; `table` as from `information.exposure`."""
    if isinstance(table, Absent):
        return table.reason
    parts = []
    for kind, own in table.groupby("kind"):
        least, most = (own.loc[own["inspections_per_place"].agg(f)] for f in ("idxmin", "idxmax"))
        parts.append(
            f"A {kind} is inspected between {least['inspections_per_place']:.1f} times "
            f"({least['district']}) and {most['inspections_per_place']:.1f} times "
            f"({most['district']}) on average."
        )
    return " ".join(parts)


def describe_months(table: Result) -> str:
    """Say how the months differ; `table` as from `information.months`."""
    if isinstance(table, Absent):
        return table.reason
    least, most = (table.loc[table["share"].agg(f)] for f in ("idxmin", "idxmax"))
    return (
        f"Waste was found at {100 * least['share']:.1f} % of the inspections in {least['month']}, "
        f"the lowest of {counted(len(table), 'month')}, and at {100 * most['share']:.1f} % in "
        f"{most['month']}, the highest."
    )


@passes_absent
def describe_map(table: pd.DataFrame, column: str, what: str) -> str:
    """Say where on the map the highest values lie.

    Parameters
    ----------
    table
        cluster, x, y (m) and `column`, one row per place.
    column
        Column that is drawn.
    what
        What it is, in the plural, e.g. "inspections with waste".
    """
    top = table.nlargest(max(len(table) // 10, 1), column)
    share = top[column].sum() / max(table[column].sum(), 1e-12)
    return (
        f"Map of {counted(len(table), 'place')}. The tenth with the highest values "
        f"({counted(len(top), 'place')}) lies {_where(top, table)} and holds "
        f"{100 * share:.0f} % of all {what}."
    )


@passes_absent
def describe_ranking(table: pd.DataFrame) -> str:
    """Say how sure the order is; `table` holds the dirtiest places, as from `dirty_rates`."""
    first = table.iloc[0]
    return (
        f"{counted(len(table), 'place')} with rates from {table['rate'].min():.2f} to "
        f"{table['rate'].max():.2f}. The first place may have rank "
        f"{first['rank_low']} to {first['rank_high']}, the last one shown rank "
        f"{table.iloc[-1]['rank_low']} to {table.iloc[-1]['rank_high']}."
    )


@passes_absent
def describe_lists(agreed: pd.DataFrame) -> str:
    """Say how far counts and rates agree; `agreed` as from `knowledge.agreement`."""
    parts = [
        f"Shared by the list by count and the list by rate, of {counted(row.top, row.kind)} each: "
        f"{row.shared}."
        for row in agreed.itertuples()
    ]
    return " ".join(parts)


def describe_hot_spots(table: Result) -> str:
    """Say where hot spots lie and how many are shared; `table` as from `hotspots.hot_spots`."""
    if isinstance(table, Absent):
        return table.reason
    number = table["hot"].value_counts()
    both, count, rate = (int(number.get(k, 0)) for k in ("both lists", "count only", "rate only"))
    text = (
        f"Map of {counted(len(table), 'place')}. Hot spots: {both} by count and by rate, {count} "
        f"by count only and {rate} by rate only."
    )
    rated = table[table["hot_rate"]]
    return f"{text} Those by rate lie {_where(rated, table)}." if len(rated) else text


@passes_absent
def describe_causes(table: pd.DataFrame) -> str:
    """Say how often each cause was found; `table` as from `causes.cause_shares`."""
    own = table[table["kind"] == "all places"]
    if own.empty:
        return "No causes are recorded."
    if own["share"].isna().all():
        return "No inspection found waste."
    parts = [f"{row.cause} at {100 * row.share:.0f} %" for row in own.itertuples()]
    return f"Of the inspections with waste, {', '.join(parts)}."


@passes_absent
def describe_stops(stops: Result, places: pd.DataFrame) -> str:
    """Say what the plan consists of and where; `stops` as from `wisdom.plan`."""
    if isinstance(stops, Absent):
        return stops.reason
    parts = [f"{number} to {action}" for action, number in stops["action"].value_counts().items()]
    where = stops.drop_duplicates("cluster")
    several = int(stops.loc[stops["cluster"].duplicated(), "cluster"].nunique())
    districts = where["district"].nunique() if "district" in where else 0
    inside = f" in {counted(districts, 'district')}" if districts else ""
    return (
        f"Map of {counted(len(stops), 'stop')}, {' and '.join(parts)}, at "
        f"{counted(len(where), 'place')}{inside}, {several} of them with more than one crew. "
        f"Their middle lies {_where(where, places)}."
    )


def describe_plans(comparison: Result) -> str:
    """Say how the plans compare; `comparison` as from `wisdom.compare_plans`."""
    if isinstance(comparison, Absent):
        return comparison.reason
    parts = [
        f"{row.plan}: {row.removed:.1f} ({row.low:.1f} to {row.high:.1f})"
        for row in comparison.itertuples()
    ]
    return f"Nuisance removed by plan, in inspections with waste. {'; '.join(parts)}."


@passes_absent
def caption_of_reports(table: pd.DataFrame) -> str:
    """Return what `reports.reported` holds, and what it lacks for want of a column."""
    parts = {"duplicates": "duplicates", "days": "median days to closing"}
    groups = [by for by in ("category", "channel") if by in set(table["by"])]
    held = ["reports", *(text for name, text in parts.items() if name in table)]
    text = " and ".join([", ".join(held[:-1]), held[-1]] if held[1:] else held)
    text = text.capitalize() + "".join(
        f"{' and' if turn else ','} by {by}" for turn, by in enumerate(groups)
    )
    lacking = [text for name, text in parts.items() if name not in table]
    lacking += ["the places"] if "without_place" not in table else []
    lacking += [by for by in ("category", "channel") if by not in groups]
    return f"{text}. Not known here: {', '.join(lacking)}" if lacking else text


def describe_trend(table: Result) -> str:
    """Say how the months differ in reports; `table` as from `reports.trend`."""
    if isinstance(table, Absent):
        return table.reason
    least, most = (table.loc[table["reports_per_day"].agg(f)] for f in ("idxmin", "idxmax"))
    return (
        f"Between {least['reports_per_day']:.1f} reports a day in {least['month']} and "
        f"{most['reports_per_day']:.1f} in {most['month']}, of {counted(len(table), 'month')}."
    )


@passes_absent
def describe_squares(table: pd.DataFrame) -> str:
    """Say where reports came from; `table` as from `report_places.squares`."""
    text = describe_map(table, "reports", "reports").replace("place", "square")
    if table["z"].isna().all():
        return f"{text} Too few squares, or equal numbers, for hot spots."
    hot = table[table["hot"]]
    where = f", {_where(hot, table)}" if len(hot) else ""
    return f"{text} {counted(len(hot), 'hot spot')}{where}."


@passes_absent
def describe_reporting(rates: pd.DataFrame, difference: pd.DataFrame) -> str:
    """Say how readily residents report; as from `reports.reporting_rates` and `differences`."""
    own = rates.iloc[:-1].dropna(subset="rate")
    if own.empty:
        return "No report was open for a day, so that it is not known how readily people report."
    ends = [own.loc[own["rate"].agg(f)] for f in ("idxmin", "idxmax")]
    parts = [
        f"{row['rate']:.2f} ({row['low']:.2f} to {row['high']:.2f}) in {row['district']}"
        for row in [*ends, rates.iloc[-1]]
    ]
    found = (
        "Districts differ more than chance allows."
        if difference.loc[0, "differ"]
        else "No difference between districts was shown, which is no evidence that there is none."
    )
    return f"Reports a day on a thing that lies there: {', '.join(parts)}. {found}"


@passes_absent
def describe_raw(rates: pd.DataFrame) -> str:
    """Say what raw counts would make of districts; as from `reports.reporting_rates`."""
    own = rates.iloc[:-1]
    least, most = (own.loc[own["reports_per_place"].agg(f)] for f in ("idxmin", "idxmax"))
    return (
        f"Taken for dirt, reports per place would set {most['district']} "
        f"({most['reports_per_place']:.1f}) against {least['district']} "
        f"({least['reports_per_place']:.1f}). What they go together with, by district"
    )


def _where(part: pd.DataFrame, whole: pd.DataFrame) -> str:
    """Say in which direction the middle of some places lies from the middle of all."""
    east = part["x"].median() - whole["x"].median()
    north = part["y"].median() - whole["y"].median()
    spread = float(np.hypot(whole["x"].std(), whole["y"].std()))
    if not np.hypot(east, north) > 0.15 * spread:
        return "around the middle of the map"
    # Eight directions of 45 degrees, the first one east.
    names = ["east", "north-east", "north", "north-west", "west", "south-west", "south"]
    step = int(np.round(np.arctan2(north, east) / (np.pi / 4))) % 8
    return f"mostly to the {[*names, 'south-east'][step]} of the middle"
