"""Published audits, re-run: the figure in print beside the figure that its own counts give.

Two audits published their data, so that anybody can check them. Where a figure here differs from
the one in print, the table says why; without the openness of their authors none of it could be
seen. Sources: NGO Algorithm Audit, DUO-CUB (counts by Statistics Netherlands); Lighthouse Reports,
suspicion_machines_sweden (released by the Swedish Social Insurance Inspectorate).
"""

import numpy as np
import pandas as pd

from datamall.fairness import Bounds, steps
from datamall.fairness.counting import NO, TOTAL, YES
from datamall.fairness.intervals import gap_limits
from datamall.fairness.plan import Meaning, Step
from datamall.fairness.steps import ALL, Cell
from datamall.fraud.audit.sources import selection
from datamall.requirements import Absent, passes_absent

TO_HIGH = Step("flagged")
CHOSEN, CHOSEN_HIGH = (Step("chosen", of, arms=("profile",)) for of in ("population", "flagged"))
# Visited with nothing found, or with something that an objection put right: two counts in print.
WRONGLY = (
    Cell(("finding", "profile", ALL, "duly"), YES, part="found nothing"),
    Cell(("upheld", "profile", ALL, ALL), YES, part="put right"),
    Cell(None, NO),
    Cell(("population", ALL, ALL, ALL), TOTAL, TOTAL, part=ALL),
)
# Figure, its step, the bands that count as high, and the ratios in print of 2014 and 2019: origin
# outside Europe to the Netherlands.
GRANTS: dict[str, tuple[Step | tuple[Cell, ...], tuple[str, ...], dict[str, float]]] = {
    "high risk by the model": (TO_HIGH, ("1", "2"), {"2014": 2.0, "2019": 0.9}),
    "chosen, of everybody": (CHOSEN, (), {"2014": 6.2, "2019": 3.6}),
    "chosen by people, of high risk": (CHOSEN_HIGH, ("1", "2"), {"2014": 5.5, "2019": 3.6}),
    "chosen by people, of low risk": (CHOSEN_HIGH, ("3", "4", "5"), {"2014": 1.8, "2019": 4.2}),
    "chosen by people, risk unknown": (CHOSEN_HIGH, ("unknown",), {"2014": 2.3, "2019": 1.0}),
    "visited for nothing, or put right": (WRONGLY, (), {"2014": 3.0, "2019": 2.3}),
}
OUTSIDE, HERE = "outside Europe", "Netherlands"
# What counts as an error, and why it matters; the first is the one in print.
SWEDEN = "Sweden 2017"
_SURE = {"errors found": True, "no errors found": False}
_PUT_FORWARD = ("control investigation", "no control investigation")
LIFTS: dict[str, Meaning] = {
    "as published: with people only put forward for investigation": (
        _SURE | dict.fromkeys(_PUT_FORWARD, True)
    ),
    "other results left out: they hardly occur in the random draw": (
        _SURE | dict.fromkeys(_PUT_FORWARD, None)
    ),
    "errors alone: the only result that means the same in both arms": (
        _SURE | dict.fromkeys(_PUT_FORWARD, False)
    ),
}
PUBLISHED_LIFT = 1.66
_ADDED = "in print two rounded columns were added up, not their total"
_ROUNDED = "the same, but rounding alone leaves a wide range"
_TAIL = 0.025
_WIDE = 1.5


@passes_absent
def rerun(counts: pd.DataFrame) -> pd.DataFrame | Absent:
    """Return published figures beside those of their own counts.

    Parameters
    ----------
    counts
        As from `sources`.

    Returns
    -------
    pandas.DataFrame
        study, figure, published (ratio in print), ratio (from the counts), low and high (95 %,
        at whichever counts the rounding makes them widest), why.
    """
    rows = [*grants(counts), *lifts(counts)]
    if not rows:
        return Absent(
            "Published audits, re-run", "None of the published audits is among these data."
        )
    names = ["study", "figure", "published", "ratio", "low", "high", "why"]
    return pd.DataFrame(rows, columns=names)


def grants(counts: pd.DataFrame) -> list[tuple[object, ...]]:
    """Return the stages of the control of Dutch student grants; see `rerun`."""
    rows: list[tuple[object, ...]] = []
    for year in ("2014", "2019"):
        study = f"DUO {year}"
        own = counts[counts["study"].eq(study) & counts["attribute"].eq("origin")]
        for figure, (_, _, published) in GRANTS.items():
            found = of_figure(own, figure)
            if found is None:
                continue
            ratio, low, high, rounding = ratio_of(found)
            printed = published[year]
            why = "confirmed" if round(ratio, 1) == printed else _ADDED
            why = _ROUNDED if rounding > _WIDE and why == "confirmed" else why
            rows.append((study, figure, printed, round(ratio, 2), low, high, why))
    return rows


def of_figure(counts: pd.DataFrame, figure: str) -> Bounds | None:
    """Return the counts by origin of one of the `GRANTS`, of one study; None without them."""
    for study in selection(counts).studies(["origin"]):
        step, high, _ = GRANTS[figure]
        return (
            steps.reached(study, step, high)
            if isinstance(step, Step)
            else steps.assemble(study, step)
        )
    return None


def ratio_of(found: Bounds) -> tuple[float, float, float, float]:
    """Return the ratio of two origins, its limits, and by how much rounding can change it.

    The limits hold at whichever counts the rounding makes them widest.
    """
    [by] = found.axes
    gap = found.gaps([by], [HERE], ["selection_rate"]).set_index(by).loc[OUTSIDE]
    groups, ends = found.corners([by], ["selection_rate"])
    one, other = (ends[list(groups[by]).index(group), 0] for group in (OUTSIDE, HERE))
    low = gap_limits(tuple(one[0]), tuple(other[1]), _TAIL, "ratio")[0]
    high = gap_limits(tuple(one[1]), tuple(other[0]), _TAIL, "ratio")[1]
    rounding = float(gap["ratio_high"] / gap["ratio_low"])
    return float(gap["ratio"]), round(float(low), 2), round(float(high), 2), rounding


def lifts(counts: pd.DataFrame) -> list[tuple[object, ...]]:
    """Return how many times as often errors were found as at random; see `rerun`."""
    own = counts[counts["study"].eq(SWEDEN)]
    if not len(own):
        return []
    own = own[own["attribute"].eq(own["attribute"].min()) & own["group"].eq(ALL)]
    own = own[own["band"].eq(ALL) & own["arm"].ne(ALL) & own["outcome"].ne(ALL)]
    rows: list[tuple[object, ...]] = []
    for why, meaning in LIFTS.items():
        value = own["outcome"].map(meaning)
        drawn = own["arm"].eq("random")
        pairs = []
        for arm in (~drawn, drawn):
            told = own[arm & value.notna()]
            yes = told.loc[value[told.index].astype(bool), "people"].sum()
            pairs.append((np.array(float(yes)), np.array(float(told["people"].sum()))))
        (x, n), (y, m) = pairs
        low, high = gap_limits(pairs[0], pairs[1], _TAIL, "ratio")
        ratio = float((x / n) / (y / m))
        ends = round(float(low), 2), round(float(high), 2)
        rows.append(
            (SWEDEN, "errors, to a random draw", PUBLISHED_LIFT, round(ratio, 2), *ends, why)
        )
    return rows
