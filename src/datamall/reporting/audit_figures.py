"""The figures of an audit's page: each check's gaps, and what its score does to each group."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import pandas as pd

from datamall.reporting import canvas, forest, score_figures
from datamall.reporting.canvas import Draw
from datamall.reporting.rounding import rounded

DRAWN = 12  # checks whose figures fit a page that is light
NAMED = 8  # groups that a sentence names
CURVES = {  # metric: people of whom it is the rate, and what it is
    "selection_rate": ("all people", "selected"),
    "tpr": ("people with the outcome", "selected (true positive rate)"),
    "fpr": ("people without the outcome", "selected (false positive rate)"),
}


def of_checks(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the checks of an audit, those that gate first, each with its figure.

    Parameters
    ----------
    record
        What `datamall.fairness.words.record` returns.

    Returns
    -------
    list of dict
        Each check with ``id`` and ``figure``: None, or name, title, svg and notes (sentences).
    """
    checks = sorted(record["checks"], key=lambda check: not check["gating"])
    gaps = record["tables"].get("comparisons")
    out = []
    for place, check in enumerate(checks):
        own = None if gaps is None else gaps[gaps["check"] == check["name"]]
        drawn = own is not None and len(own) and place < DRAWN
        figure = _of_check(check, own, record, f"gaps-{place + 1}") if drawn else None
        out.append({**check, "id": f"check-{place + 1}", "figure": figure})
    return out


def _of_check(
    check: Mapping[str, Any], gaps: pd.DataFrame, record: Mapping[str, Any], name: str
) -> dict[str, Any]:
    numbers = rounded(gaps.reset_index(drop=True))
    judged = (numbers["not_judged"] == "").to_numpy()
    known = numbers["identified"].astype(bool).to_numpy()
    numbers = numbers.assign(
        row=_labels(numbers),
        verdict=numbers["verdict"].where(judged, "not judged"),
        note=numbers["not_judged"].where(~judged, ["" if k else "not identified" for k in known]),
    )
    ratio, level = check["kind"] == "ratio", f"{100 * record['level']:g} %"
    what = f"times as often as {check['others']}" if ratio else f"difference from {check['others']}"
    plot = forest.Forest(
        "row", "gap", "gap_low", "gap_high", "people", what,
        kind=check["kind"], tolerance=(check["low"], check["high"]), wide=("all_low", "all_high"),
        interval_label="each by itself", wide_label="all at once", verdict="verdict", note="note",
    )  # fmt: skip
    notes = [
        "Furthest out first; all are among the numbers." if len(numbers) > forest.ROWS else "",
        ""
        if known.all()
        else "Not identified: a line is what the worst cases leave open, and has no mark.",
        "These people and nobody else: there is no chance in it, and a line is what rounded or "
        "hidden counts leave open."
        if (numbers["estimand"] == "list").all()
        else f"Thick: each gap by itself, each end at {level}; PASS needs it inside the band. "
        f"Thin: all gaps of this check at once, at {level}. FAIL is found by tests that share "
        "their error among all that gates, so the thin line of a FAIL may touch the band.",
        _without_gap(numbers, record["tables"].get("figures"), check),
    ]
    alt = f"{check['name']}: {plot.describe(numbers)}"
    return {
        "name": name,
        "title": f"{check['name']}: {what}",
        "svg": canvas.svg(plot.draw, numbers, plot.height(numbers), name, alt),
        "notes": [note for note in notes if note],
    }


def _labels(gaps: pd.DataFrame) -> list[str]:
    """Return the names of rows: of which attribute and under which label, where that is open."""
    several = gaps.groupby("group")["by"].transform("nunique") > 1
    rivals = len(set(gaps["label"])) > 1
    return [
        (f"{by}: " if open_ else "") + group + (f" ({label})" if rivals else "")
        for by, group, label, open_ in zip(
            gaps["by"], gaps["group"], gaps["label"], several, strict=True
        )
    ]


def _without_gap(gaps: pd.DataFrame, rates: pd.DataFrame | None, check: Mapping[str, Any]) -> str:
    """Name the groups that have a rate and no gap, other than those all are compared with."""
    if rates is None:
        return ""
    own = rates[rates["check"] == check["name"]]
    drawn = set(zip(gaps["by"], gaps["group"], strict=True))
    names = [
        group
        for by, group in dict.fromkeys(zip(own["by"], own["group"], strict=True))
        if (by, group) not in drawn
        and group != " × ".join(check["reference"].get(name, "") for name in by.split(" × "))
    ]
    if not names:
        return ""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"Nobody to compare with, so no gap: {', '.join(names[:NAMED])}{more}."


def by_score(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the chapters on the score, each a heading, sentences and figures; none without."""
    return [chapter for chapter in (_sweep(record), _calibration(record)) if chapter["figures"]]


def _sweep(record: Mapping[str, Any]) -> dict[str, Any]:
    table = record["tables"].get("thresholds")
    figures = [] if table is None else list(_thresholds(rounded(table), record))
    return {
        "id": "by-threshold",
        "title": "If the threshold were another",
        "text": (
            "What each group would have met if everybody from a score upwards were selected. The "
            "dotted line is the threshold that selects about as many people as now. Rates of "
            "people with and without the outcome are drawn only where it is known of everybody, "
            "or of a random draw, and are of these. Bands and bars are limits at "
            f"{100 * record['level']:g} %, each by itself."
        ),
        "figures": figures,
    }


def _thresholds(table: pd.DataFrame, record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    wanted = [c for c in record["checks"] if c["metric"] == "selection_rate"]
    edges = next(((c["low"], c["high"]) for c in wanted if c["kind"] == "ratio"), None)
    table = table[table["rate"].notna()]
    for number, (by, of_attribute) in enumerate(table.groupby("by", sort=False), 1):
        groups = score_figures.largest(of_attribute)
        for metric, (whom, what) in CURVES.items():
            own = of_attribute[of_attribute["metric"] == metric]
            if len(own):
                title = f"{by}: % of {whom} {what}"
                draw: Draw = score_figures.rates
                yield _curve(f"{metric}-{number}", title, draw, own, groups, "rate")
            own = own[own["ratio"].notna()]
            if metric == "selection_rate" and len(own):
                others = record["reference"].get(str(by), "everybody else")
                draw = partial(score_figures.ratios, tolerance=edges)
                title = f"{by}: selected, times as often as {others}"
                yield _curve(f"ratio-{number}", title, draw, own, groups, "ratio")


def _curve(
    name: str, title: str, draw: Draw, table: pd.DataFrame, groups: list[str], value: str
) -> dict[str, Any]:
    rows, said = score_figures.drawn(table, groups)
    used = rows[rows["in_use"].astype(bool)]
    pairs = zip(used["group"], used[value], strict=True)
    each = ", ".join(f"{group} {number:.3g}" for group, number in pairs)
    alt = f"{title}, over thresholds; at the threshold in use: {each or 'not known'}."
    svg = canvas.svg(draw, rows, score_figures.height(rows), name, alt)
    return {"name": name, "title": title, "svg": svg, "notes": [said] if said else []}


def _calibration(record: Mapping[str, Any]) -> dict[str, Any]:
    table = record["tables"].get("calibration")
    figures = []
    by_attribute = [] if table is None else table.groupby("by", sort=False)
    for number, (by, rows) in enumerate(by_attribute, 1):
        own = rounded(rows.reset_index(drop=True))
        groups, others = score_figures.largest(own), record["reference"].get(by)
        apart = int(((own["difference_low"] > 0) | (own["difference_high"] < 0)).sum())
        found = (
            f"In {apart} of {len(own)} bands and groups the difference from "
            f"{others or 'everybody else'} is more than chance (all at once)."
        )
        if others:  # it has no rows of its own, and is what the others are seen against
            theirs = own.drop_duplicates("score_band").assign(group=others, rate=own["other_rate"])
            own = pd.concat([theirs.assign(low=math.nan, high=math.nan), own], ignore_index=True)
            groups = [others, *groups]
        own = own[own["score_band"] != -math.inf]  # nobody's score; in the table
        few, said = score_figures.drawn(own, groups)
        name, title = f"calibration-{number}", f"{by}: % with the outcome, by score band"
        alt = f"{title}: {', '.join(dict.fromkeys(few['group']))}. {found}"
        svg = canvas.svg(score_figures.calibration, few, score_figures.height(few), name, alt)
        notes = [note for note in (found, said) if note]
        figures.append({"name": name, "title": title, "svg": svg, "notes": notes})
    return {
        "id": "calibration-by-group",
        "title": "Does the same score mean the same?",
        "text": (
            "Of people whose outcome is known (of those drawn at random, where there are), the "
            "share with the outcome at each score. Bands and bars are limits at "
            f"{100 * record['level']:g} %, each by itself."
        ),
        "figures": figures,
    }
