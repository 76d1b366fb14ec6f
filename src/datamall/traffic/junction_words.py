"""Words of a junction's page: its answer, what is asked first, and what its figures show."""

import pandas as pd

from datamall.handed import Results
from datamall.requirements import Absent, passes_absent
from datamall.traffic import junction, words
from datamall.traffic.levels import FAULTY

HEADINGS = words.HEADINGS | {
    "where": "Lane group",
    "when": "Hour of the week",
    "expected": "What is expected, or why not",
    "number": "Expected",
}
NOT_TOLD = "Not known: "


def answer(city: Results, site: str) -> str:
    """Return what is proposed at a junction, with its interval, or why nothing is."""
    plans = city.at("plans", site)
    if isinstance(plans, Absent):
        told = "Whether anybody waits here cannot be said: no capacity or signal plan is known."
        return f"{told} {_volume(city, site)}"
    sentences = []
    for peak in junction.PEAKS:
        tried = junction.row(plans, peak=peak)
        other = junction.row(city.at("no_plan", site), peak=peak)
        if tried:
            gain = f"{tried['gain']:.1f} person-hours ({city.level} {tried['low']:.1f} to "
            sentences.append(
                f"{_title(peak)}: try another plan, which saves {gain}{tried['high']:.1f})."
            )
        elif other:
            why = "" if other["verdict"] != "no plan" else f": {_first(str(other['reason']))}"
            sentences.append(f"{_title(peak)}: {other['verdict']}{why}".rstrip(".") + ".")
    return " ".join(sentences) or f"No lane group is on file here. {_volume(city, site)}"


def facts(city: Results, site: str) -> dict[str, str]:
    """Return what is asked first about a junction, and what is known of it."""
    return {
        "Where": _where(city, site),
        "How busy": _volume(city, site),
        "How full": _full(city, site),
        "Time lost": _lost(city, site),
        "What is proposed, or why not": _proposed(city, site),
        "What to measure": _measure(city, site),
        "What changed": _changed(city, site),
        "Its detectors": _detectors(city, site),
        "Next week": _ahead(city, site),
    }


def _where(city: Results, site: str) -> str:
    own = junction.row(city.at("junctions", site))
    if own is None or pd.isna(own["x"]) or pd.isna(own["y"]):
        return "Its position was not delivered."
    return (
        f"{own['x']:,.0f} m east and {own['y']:,.0f} m north in the authority's grid. "
        f"Needed, as on the map of the city: {own['needs']}."
    )


def _volume(city: Results, site: str) -> str:
    days = city.at("working_days", site)
    own = junction.row(days)
    if own is None:
        return _reason(days) or "How many cars pass on a working day is not known."
    return (
        f"{own['mean']:,.0f} cars pass on a working day ({city.level} {own['low']:,.0f} to "
        f"{own['high']:,.0f}; {words.counted(int(own['weeks']), 'week')})."
    )


def _full(city: Results, site: str) -> str:
    table = junction.fullness(city, site)
    if isinstance(table, Absent):
        return table.reason
    known = table.dropna(subset="ratio")
    if known.empty:
        return NOT_TOLD + "no lane group has both a volume and a capacity."
    top = known.sort_values(["ratio", "where"], ascending=[False, True]).iloc[0]
    demand = "" if pd.isna(top["demand"]) or not top["demand"] else f"; {top['demand']}"
    return (
        f"The fullest lane group, {top['where']}: {top['ratio']:.3f} of its capacity "
        f"({city.level} {top['low']:.3f} to {top['high']:.3f}), {top['verdict']}{demand}."
    )


def _lost(city: Results, site: str) -> str:
    table = city.at("lost_time", site)
    own = junction.row(table)
    if own is None or pd.isna(own["lost"]):
        return _reason(table) or NOT_TOLD + "counts, capacities or the plan of now are missing."
    least = "" if pd.isna(own["demand"]) or not own["demand"] else f" ({own['demand']})"
    text = (
        f"{own['lost']:.0f} person-hours in the peaks of a working day ({city.level} "
        f"{own['low']:.0f} to {own['high']:.0f}){least}."
    )
    saved = junction.row(city.at("ranking", site))
    if saved is None or pd.isna(saved["avoidable"]):
        return text
    return (
        f"{text} As far as counts tell, other plans would save {saved['avoidable']:.0f} of them "
        f"({saved['low']:.0f} to {saved['high']:.0f})."
    )


def _proposed(city: Results, site: str) -> str:
    table = junction.proposed(city, site)
    if isinstance(table, Absent):
        return table.reason
    return " ".join(
        f"{_title(one.peak)}: {one.recommended.removeprefix('no change now: ')}. "
        f"{str(one.expected).rstrip('.')}."
        for one in table.itertuples()
    )


def _measure(city: Results, site: str) -> str:
    table = junction.to_confirm(city, site)
    if isinstance(table, Absent):
        others = city.at("no_plan", site)
        doubt = "" if isinstance(others, Absent) or others.empty else _doubt(others)
        return doubt or table.reason
    return " ".join(
        f"{_title(one.peak)}: {one.measure}, {words.counted(int(one.weeks_needed), 'week')} before "
        f"and as many after at least; less than {one.detectable:.1f} person-hours is not seen."
        for one in table.itertuples()
    )


def _doubt(others: pd.DataFrame) -> str:
    told = others[others["doubt"].notna() & (others["doubt"] != "")]
    parts = [f"{_title(one.peak)}: the queue at {one.doubt}" for one in told.itertuples()]
    return "; ".join(parts) + ": counts cannot tell whether more come." if parts else ""


def _changed(city: Results, site: str) -> str:
    table = city.at("changes", site)
    if isinstance(table, Absent):
        return table.reason
    if table.empty:
        return junction.unless_uncounted(city, site, junction.NO_CHANGE)
    return " ".join(f"{_title(one.approach)}: {one.evidence}" for one in table.itertuples())


def _detectors(city: Results, site: str) -> str:
    table = city.at("faults", site)
    if isinstance(table, Absent):
        return table.reason
    if table.empty:
        return junction.unless_uncounted(city, site, junction.NOT_ODD)
    number = table.groupby(["verdict", "kind"], sort=True).size()
    verdicts = sorted(set(table["verdict"]), key=lambda verdict: (verdict != FAULTY, verdict))
    parts = [
        f"{_title(verdict)}: " + ", ".join(f"{kind} ({n})" for kind, n in number[verdict].items())
        for verdict in verdicts
    ]
    return ". ".join(parts) + ". Evidence and days are below; what is faulty is left out."


def _ahead(city: Results, site: str) -> str:
    week = junction.week_ahead(city, site)
    if isinstance(week, Absent):
        return week.reason
    return (
        f"{describe_ahead(week)} {100 * city.confidence:g} % of single hours are promised inside."
    )


@passes_absent
def describe_ahead(week: pd.DataFrame) -> str:
    """Say when most are expected; `week` as from `junction.week_ahead`."""
    own = week[week["line"] == "forecast"].dropna(subset="number")
    if own.empty:
        return "Nothing is expected in any hour."
    top = own.sort_values(["number", "hour"], ascending=[False, True]).iloc[0]
    return (
        f"Most are expected on {top['when']}: {top['number']:,.0f} by {top['mode']} "
        f"({top['low']:,.0f} to {top['high']:,.0f})."
    )


@passes_absent
def describe_week(week: pd.DataFrame) -> str:
    """Say when most pass in the usual week, by mode; `week` as from `junction.usual_week`."""
    parts = []
    for mode, own in week.groupby("line", sort=False):
        known = own.dropna(subset="mean")
        if len(known):
            top = known.sort_values(["mean", "hour"], ascending=[False, True]).iloc[0]
            parts.append(f"{mode}, most on {top['when']}: {top['mean']:,.0f}")
    return f"Passages an hour in the usual week: {'; '.join(parts) or 'none known'}."


@passes_absent
def describe_fullness(table: pd.DataFrame) -> str:
    """Say how full lane groups are; `table` as from `junction.fullness`."""
    number = table["verdict"].value_counts()
    parts = [f"{number[name]} {name}" for name in sorted(number.index)]
    return f"Lane groups of this junction in both peaks: {', '.join(parts)}."


def _title(text: str) -> str:
    return text[:1].upper() + text[1:]


def _first(reason: str) -> str:
    """Return the first sentence of a reason, without the letter that begins one."""
    first = reason.split(". ")[0].rstrip(".")
    return first[:1].lower() + first[1:]


def _reason(table: pd.DataFrame | Absent) -> str:
    return table.reason if isinstance(table, Absent) else ""
