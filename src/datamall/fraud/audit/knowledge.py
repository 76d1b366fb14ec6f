"""Knowledge: where groups are treated differently, by whom, and what these counts cannot tell."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from datamall.fairness import Audit, audit, verdict
from datamall.fairness.plan import Check, Plan, Step
from datamall.fraud.audit.display import (
    THOUSAND,
    check_of,
    comparisons,
    frequency,
    printable,
    whose,
)
from datamall.fraud.audit.sources import latest, selection
from datamall.requirements import Absent, passes_absent

ORIGINS = ("origin", "background")
FLOW = ("flagged", "chosen", "visited")
WRONGLY_VISITED = "wrongly visited"
_OTHERS = {"not flagged": ("other",)}
WORDS = {verdict.PASS: "pass", verdict.FAIL: "FAIL", verdict.NOT_ENOUGH: "not enough"}
RANK = {verdict.FAIL: 0, verdict.NOT_ENOUGH: 1, verdict.PASS: 2}


@passes_absent
def judged(counts: pd.DataFrame, plan: Plan) -> Audit | Absent:
    """Audit the last year of each selection by the plan; see `datamall.fairness.audit`."""
    last = latest(counts)
    result = audit(selection(last[last["attribute"].isin(plan.groups)]), plan)
    if not len(result.comparisons):
        names = f"{', '.join(c.name for c in plan.checks)} by {', '.join(plan.groups)}"
        return Absent("The audit", f"Not possible here: no counts allow {names}.")
    return result


@passes_absent
def by_check(result: Audit, gating: bool) -> pd.DataFrame:
    """Return one sentence a check: the group that it is most about, in natural frequencies.

    Parameters
    ----------
    result
        As from `judged`.
    gating
        The checks that gate, or those that inform.

    Returns
    -------
    pandas.DataFrame
        check, verdict (of all its groups together), sentence with the ratio and its interval, and
        norm that it serves.
    """
    rows, said = [], result.checks.set_index("check")["verdict"]
    for name, own in comparisons(result, gating).groupby("check", sort=False):
        shown, what = printable(own), check_of(result, str(name))
        row = shown.loc[_strongest(own)]
        rows.append(
            {
                "check": name,
                "verdict": WORDS[said[name]],
                "sentence": sentence(row, what),
                "norm": what.norm,
            }
        )
    return pd.DataFrame(rows, columns=["check", "verdict", "sentence", "norm"])


def _strongest(own: pd.DataFrame) -> int:
    """Return the row of the group to whom it most surely happens more often, or else less."""
    more, fewer = np.log(own["low"].clip(1e-9)), -np.log(own["high"].clip(upper=1e9))
    far = np.maximum(more, fewer)
    order = own.assign(
        none=far <= 0,
        fewer=more <= 0,
        unknown=own["ratio"].isna(),
        near=-np.maximum(more, fewer).where(
            np.maximum(more, fewer) > 0, np.log(own["ratio"].clip(1e-9)).abs()
        ),
    )
    order["fewer"] &= ~order["none"] | order["ratio"].lt(1)
    order["elsewhere"] = order["none"] & ~order["attribute"].isin(ORIGINS)
    by = ["unknown", "none", "elsewhere", "fewer", "near"]
    return int(order.sort_values(by, kind="stable").index[0])


def sentence(row: pd.Series, what: Check) -> str:
    """Say a comparison in natural frequencies; `row` as from `display.printable`."""
    people = f"{row['people']} {what.among}".strip()
    if pd.isna(row["of_1000"]) or pd.isna(row["others_of_1000"]):
        return f"Too few {people} are counted to say how many {what.done}."
    one, other = frequency(row["of_1000"]), frequency(row["others_of_1000"])
    said = f"Of 1,000 {people}, {one} {what.done}; of 1,000 others, {other}"
    return f"{said}: {times(row)} times as often."


def times(row: pd.Series) -> str:
    """Return a ratio with its interval in words."""
    if pd.isna(row["ratio"]):
        return "too few to say"
    high = f"{row['high']:.1f}" if pd.notna(row["high"]) else "any number of"
    return f"{row['ratio']:.1f} ({row['low']:.1f} to {high})"


@passes_absent
def matrix(table: pd.DataFrame) -> pd.DataFrame:
    """Return the verdicts: one row a group, one column a check.

    Parameters
    ----------
    table
        As from `display.comparisons`.

    Returns
    -------
    pandas.DataFrame
        people, and for each check its verdict in a word and the ratio to everybody else.
    """
    cell = table["verdict"].map(WORDS) + np.where(
        table["ratio"].notna() & np.isfinite(table["ratio"]),
        ", × " + table["ratio"].map("{:.1f}".format),
        "",
    )
    result = table.assign(people=whose(table), cell=cell)
    wide = result.pivot_table(
        index=["study", "attribute", "people"], columns="check", values="cell", aggfunc="first"
    )
    order = list(dict.fromkeys(table["check"]))
    return wide[order].reset_index().drop(columns=["study", "attribute"]).rename_axis(columns=None)


@passes_absent
def gaps(table: pd.DataFrame, attributes: tuple[str, ...] = ORIGINS) -> pd.DataFrame | Absent:
    """Return the ratios by origin for a figure, step by step.

    Returns
    -------
    pandas.DataFrame
        label (group: check), ratio, low, high (of all checks at once), number, verdict. Ratios
        without a limit are left out.
    """
    own = table[table["attribute"].isin(attributes)]
    shown = printable(own).dropna(subset=["ratio", "low", "high"])
    if not len(shown):
        return Absent("Ratios by origin", "Not possible here: nobody counted by origin.")
    shown = shown.sort_values(["study", "attribute", "group"], kind="stable")
    study = " " + shown["study"] if len(set(shown["study"])) > 1 else ""
    label = shown["group"] + study + ": " + shown["check"]
    columns = ["ratio", "low", "high", "number", "verdict"]
    result = shown.assign(label=label)[["label", *columns]]
    return result.reset_index(drop=True)


@passes_absent
def decomposition(result: Audit) -> pd.DataFrame | Absent:
    """Return at which step of the selection people of an origin are treated differently.

    Parameters
    ----------
    result
        As from `judged`.

    Returns
    -------
    pandas.DataFrame
        people, step, who (takes it), ratio to everybody else with low and high, reading. The
        ratios of the steps multiply to about that of all of them.
    """
    table = comparisons(result, True)
    own = table[table["attribute"].isin(ORIGINS) & table["check"].isin(FLOW)]
    if own["check"].nunique() < 2:
        reason = "Not possible here: fewer than two steps were counted by origin."
        return Absent("Step by step", reason)
    shown = printable(own).sort_values(["study", "attribute", "group"], kind="stable")
    shown["who"] = [check_of(result, name).who for name in shown["check"]]
    shown["reading"] = [_reading(row) for row in shown.itertuples()]
    columns = ["people", "check", "who", "ratio", "low", "high", "reading"]
    return shown[columns].rename(columns={"check": "step"}).reset_index(drop=True)


def _reading(row: Any) -> str:
    if row.verdict == verdict.FAIL:
        return "more often than tolerated" if row.ratio > 1 else "less often than tolerated"
    if row.verdict == verdict.PASS:
        return "within the tolerance"
    if row.low > 1 or row.high < 1:
        return "different, perhaps within the tolerance"
    return "no difference shown, none ruled out"


@passes_absent
def errors(counts: pd.DataFrame, result: Audit) -> pd.DataFrame | Absent:
    """Return error rates as they are usually counted, and as the random draw identifies them.

    Returns
    -------
    pandas.DataFrame
        people, error, naive_of_1000 (among everybody investigated), of_1000 (by the random draw),
        naive_ratio, ratio with low and high (by the random draw). Those that are known first.
    """
    mine = [c for c in result.plan.checks if c.of == "everybody" and c.needs_outcome]
    own = comparisons(result)
    own = own[own["check"].isin([check.name for check in mine])]
    if not len(own):
        return Absent("Error rates", "Not possible here: no random draw of the same year.")
    checks = tuple(_naive(check) for check in mine)
    naive = judged(counts, replace(result.plan, checks=checks))
    by = ["study", "attribute", "group", "check"]
    true = printable(own).set_index(by)
    columns = {"of_1000": "naive_of_1000", "ratio": "naive_ratio"}
    if isinstance(naive, Absent):
        both = true.assign(naive_of_1000=np.nan, naive_ratio=np.nan).reset_index()
    else:
        seen = printable(comparisons(naive))
        # Of the people visited, naively, all with nothing found were visited wrongly.
        found = seen["check"].map(lambda name: check_of(naive, name).metric == "base_rate")
        for column in ("of_1000", "others_of_1000"):
            seen[column] = seen[column].where(~found, THOUSAND - seen[column])
        seen["ratio"] = (seen["of_1000"] / seen["others_of_1000"]).round(2)
        seen = seen.set_index(by)[[*columns]].rename(columns=columns)
        both = true.join(seen, how="left").reset_index()
    names = ["people", "check", "naive_of_1000", "of_1000", "naive_ratio", "ratio", "low", "high"]
    rank = both["check"].map([check.name for check in mine].index)
    order = both.assign(unknown=both["ratio"].isna(), rank=rank)
    order = order.sort_values(["unknown", "rank"], kind="stable")
    return order[names].rename(columns={"check": "error"}).reset_index(drop=True)


def _naive(check: Check) -> Check:
    """Return a check of everybody as it is counted among the investigated alone."""
    if check.step and check.step.to == "flagged":
        return replace(check, of="investigated")
    return replace(check, of="investigated", metric="base_rate", step=Step("finding"))


@passes_absent
def fragile(result: Audit) -> pd.DataFrame | Absent:
    """Return the conclusions that hang on what counts as a mistake found.

    Returns
    -------
    pandas.DataFrame
        check, people, and the ratio with its verdict under each definition; fragile (yes where
        the verdict, or the side of equal on which the interval lies, changes). Fragile ones first.
    """
    labels = [label for label in result.plan.labels if label in set(result.comparisons["label"])]
    parts = [comparisons(result, label=label) for label in labels]
    several = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    several = several[several["label"].isin(labels)] if parts else several
    if len(parts) < 2 or several["label"].nunique() < 2:
        reason = "Not possible here: there is one definition of a mistake found only."
        return Absent("What counts as a mistake", reason)
    shown = printable(several)
    side = np.select([shown["low"] > 1, shown["high"] < 1], ["more", "fewer"], "either")
    shown["cell"] = shown["ratio"].map("× {:.1f}".format).where(shown["ratio"].notna(), "too few")
    shown["said"] = shown["verdict"] + side
    keys = ["study", "attribute", "check", "people"]
    told = shown.groupby(keys, sort=False)["said"].nunique()
    wide = shown.pivot_table(index=keys, columns="label", values="cell", aggfunc="first")
    wide = wide[labels].loc[told.index].dropna(axis=1, how="all")
    # Where too few were counted under each definition, there is no conclusion to change.
    some = (wide.ne("too few") & wide.notna()).any(axis=1)
    wide["fragile"] = np.where(told.to_numpy() > 1, "yes", "no")
    wide = wide[some].reset_index().drop(columns=["study", "attribute"]).rename_axis(columns=None)
    return wide.sort_values("fragile", ascending=False, kind="stable").reset_index(drop=True)


@passes_absent
def too_small(table: pd.DataFrame) -> pd.DataFrame | Absent:
    """Return the comparisons without a conclusion, and the gap that would have been found.

    Returns
    -------
    pandas.DataFrame
        people, check, number, ratio with low and high, detectable (smallest ratio above 1 that
        would have been found; missing where none would).
    """
    shown = printable(table[table["verdict"].eq(verdict.NOT_ENOUGH)])
    if not len(shown):
        return Absent("Not enough evidence", "None: every check that gates has a conclusion.")
    return shown[["people", "check", "number", "ratio", "low", "high", "detectable"]].reset_index(
        drop=True
    )


@passes_absent
def calibration(counts: pd.DataFrame, plan: Plan) -> pd.DataFrame | Absent:
    """Return whether the same band of risk means the same in each group, in the random draw.

    Returns
    -------
    pandas.DataFrame
        band, people, number, of_1000 with a mistake found, others_of_1000, ratio with low and
        high, verdict; all groups of a band at once.
    """
    drawn = [check for check in plan.checks if check.metric == "base_rate" and check.step]
    drawn = [c for c in drawn if c.step and c.step.arms == (_random(plan),)]
    reason = "Not possible here: no random draw whose people had been given a band of risk."
    if not drawn:
        return Absent("Meaning of the score", reason)
    step, bands = Step("finding", arms=(_random(plan),)), {"flagged": plan.high_bands, **_OTHERS}
    checks = tuple(
        replace(drawn[0], name=name, step=replace(step, bands=own)) for name, own in bands.items()
    )
    result = judged(counts, replace(plan, checks=checks))
    if isinstance(result, Absent):
        return Absent("Meaning of the score", reason)
    shown = printable(comparisons(result)).rename(columns={"check": "band"})
    columns = ["number", "of_1000", "others_of_1000", "ratio", "low", "high", "verdict"]
    return shown[["band", "people", *columns]].dropna(subset=["of_1000"]).reset_index(drop=True)


def _random(plan: Plan) -> str:
    return (plan.identification.random or "") if plan.identification else ""


@passes_absent
def criteria(result: Audit) -> pd.DataFrame | Absent:
    """Return which criteria of fairness cannot hold together here, with the numbers.

    If a flag meant the same in each group (equal share of mistakes among the flagged) and missed
    as many, then the share of wrongly flagged people follows from the share of mistakes: equal
    only where that is equal (Chouldechova 2017; Kleinberg, Mullainathan and Raghavan 2016).

    Returns
    -------
    pandas.DataFrame
        people; of 1,000: mistakes (in the random draw), right_flags (of the flagged who were
        visited), wrongly_flagged (of those without a mistake), missed (of those with one), and
        if_equal (wrongly flagged, if the two others were equal to those of everybody).

    Notes
    -----
    The flagged who were visited stand for all of the flagged here.
    """
    keys, figures = ["flagged", "found", "hit rate"], result.figures
    first = figures.groupby(["study", "check"])["label"].transform("first")
    pairs = figures[figures["check"].isin(keys) & figures["label"].eq(first)]
    pairs = pairs.rename(columns={"by": "attribute"})
    complete = pairs.groupby("study")["check"].nunique()
    pairs = pairs[pairs["study"].isin(complete.index[complete == len(keys)])]
    if not len(pairs):
        reason = "Not possible here: it needs flags, visits and a random draw of the same year."
        return Absent("Criteria that cannot hold together", reason)
    index = ["study", "attribute", "group"]
    wide = pairs.pivot_table(index=index, columns="check", values=["successes", "trials"])
    known = wide.notna().all(axis=1).groupby(level=["study", "attribute"]).transform("all")
    wide = wide[known]
    if not len(wide):
        reason = "Not possible here: too few people were drawn at random to say so by group."
        return Absent("Criteria that cannot hold together", reason)
    # Each attribute counts all people once, so its groups add up to everybody.
    whole = wide.groupby(level=["study", "attribute"]).transform("sum")
    own, all_ = (part["successes"] / part["trials"] for part in (wide, whole))
    base, right, flags = own["found"], own["hit rate"], own["flagged"]
    found = (all_["flagged"] * all_["hit rate"] / all_["found"]).clip(upper=1)
    equal = base / (1 - base) * (1 - all_["hit rate"]) / all_["hit rate"] * found
    table = pd.DataFrame({"people": whose(wide.index.to_frame(index=False))})
    for name, share in (
        ("mistakes", base),
        ("right_flags", right),
        ("wrongly_flagged", flags * (1 - right) / (1 - base)),
        ("missed", 1 - flags * right / base),
        ("if_equal", equal),
    ):
        table[name] = (THOUSAND * share.clip(0, 1)).round().to_numpy()
    return table
