"""Words of what a council can choose: headings, what is to be seen, and the answer's sentence."""

import pandas as pd

from datamall.requirements import Absent, passes_absent
from datamall.traffic import words
from datamall.traffic.scenarios import NOTHING, TIMINGS

HEADINGS = words.HEADINGS | {
    "all_gone": "If all it stops stay away",
    "all_round": "If all go round",
    "approach": "Approach",
    "both": "One offset for both ways (s)",
    "conflicts": "Conflicts and clearances",
    "costs": "Costs time at",
    "crossings": "Lengths of crossings",
    "junctions": "Junctions",
    "plan": "A plan is",
    "cycle_neighbour": "Neighbour's cycle now (s)",
    "distance": "Distance (m)",
    "done": "Junctions and peaks",
    "known": "Of it where demand is known",
    "leg": "Its approach",
    "miss": "Off by, each way (s)",
    "moved": "Moved (ban: pcu/h, dosing: pcu)",
    "neighbour": "Neighbour",
    "not_reckoned": "Not reckoned",
    "offset": "Neighbour's green begins later by (s)",
    "offset_back": "For the way back (s)",
    "price": "What it costs",
    "ratio_all": "Volume / capacity, if all come",
    "ratio_part": "The same, if an even part comes",
    "reach": "Queue (m)",
    "saves": "Saves time at",
    "then": "With plans",
    "travel": "On the way (s)",
    "unknown": "Demand unknown at",
    "what": "What is done",
}
DAY = HEADINGS | {"gain": "Person-hours saved a day", "lost": "Person-hours still lost a day"}
COORDINATION = HEADINGS | {"cycle": "Cycle now (s)"}


@passes_absent
def of(table: pd.DataFrame, scenario: str) -> pd.DataFrame:
    """Return the rows of one scenario, the largest loss first, what is not reckoned last."""
    own = table[table["scenario"] == scenario]
    own = own.assign(order=own["gain"].round(9)).sort_values(["order", "site", "peak"])
    return own.drop(columns=["order", "scenario"]).reset_index(drop=True)


@passes_absent
def describe(totals: pd.DataFrame) -> str:
    """Say what is to be seen of `scenario_tables.totals`."""
    parts = [
        f"{row.scenario} {row.gain:,.0f} ({row.low:,.0f} to {row.high:,.0f}) at {row.done}"
        for row in totals.itertuples()
        if row.scenario != NOTHING and row.done
    ]
    if not parts:
        return "At no junction can anything be reckoned."
    return (
        "Person-hours saved on a working day beside doing nothing, and at how many junctions and "
        f"peaks: {'; '.join(parts)}."
    )


def sentence(totals: pd.DataFrame | Absent, scenario: str, confidence: float) -> str:
    """Return what the answer says of one scenario, with a blank before it; or nothing.

    Of timings the answer speaks anyway, and of what cannot be reckoned it says nothing.
    """
    if isinstance(totals, Absent) or scenario == TIMINGS:
        return ""
    row = totals.set_index("scenario").loc[scenario]
    if scenario == NOTHING:
        return f" With nothing done, {row['lost']:.0f} person-hours a working day stay lost."
    if not row["done"]:
        return f" A {scenario} can be reckoned nowhere."
    unknown = f"; at {row['unknown']} of them demand is unknown" if row["unknown"] else ""
    named = {"dosing": "Dosing", "ban": "A ban of left turns"}.get(scenario, f"A {scenario}")
    return (
        f" {named}, at all {row['done']} junctions and peaks at which it can be reckoned, would "
        f"change what is lost by {-row['gain']:+.0f} person-hours a working day "
        f"({100 * confidence:g} % interval {-row['high']:+.0f} to {-row['low']:+.0f}){unknown}; "
        "what it costs is not delivered."
    )
