"""Words: what the studies say, a line each, and what is to be seen in their figures."""

import numpy as np
import pandas as pd
from scipy.stats import binom

from datamall.fairness.intervals import limits
from proofs.coverage import PERCENTILE
from proofs.power import GAP, HOLM, OURS

ORDER = ("fair", "at the edge", "biased")
EVER, LINES = 0.01, 6  # share of passes from which on a kind of world is drawn, and how many are
HEADINGS = {
    "alarms": "Any alarm",
    "arm": "Random arm",
    "below": "Cells below by two standard errors",
    "caseload": "People on benefit",
    "chance": "Of these by chance, if it held exactly as often as promised",
    "covered": "Holds the truth",
    "estimate": "Estimate (median)",
    "found": "Small group found",
    "gap": "Ratio of flags",
    "group_share": "Share of the group",
    "interval_high": "To (median)",
    "interval_low": "From (median)",
    "lowest": "Lowest cell",
    "naive": "Among the investigated",
    "p_fail": "P(FAIL)",
    "p_not_enough": "P(NOT ENOUGH EVIDENCE)",
    "p_pass": "P(PASS)",
    "ratio": "Planted ratio",
    "should": "Should be found here?",
    "truth": "World",
}


def summary(grid: pd.DataFrame) -> pd.DataFrame:
    """Return the verdicts on fair worlds, on worlds at the edge and on biased ones.

    Returns
    -------
    DataFrame
        truth, cells, worlds, p_pass, p_fail, p_not_enough (means over cells), most_pass and
        most_fail (of all cells the highest).
    """
    groups = grid.groupby("truth")
    table = groups[["p_pass", "p_fail", "p_not_enough"]].mean()
    table.insert(0, "cells", groups.size())
    table.insert(1, "worlds", groups["worlds"].sum())
    table["most_pass"], table["most_fail"] = groups["p_pass"].max(), groups["p_fail"].max()
    return table.loc[list(ORDER)].reset_index()


def arms(grid: pd.DataFrame) -> pd.DataFrame:
    """Return the random arm from which fair worlds pass in 8 of 10 cases.

    Returns
    -------
    DataFrame
        caseload, group_share and arm ("none tried" where no arm of the grid is enough).
    """
    fair = grid[grid["truth"] == "fair"]
    rows = []
    for (caseload, share), own in fair.groupby(["caseload", "group_share"]):
        enough = own.loc[own["p_pass"] >= 0.8, "random_arm"]
        rows.append((caseload, share, f"{enough.min():,}" if len(enough) else "none tried"))
    return pd.DataFrame(rows, columns=["caseload", "group_share", "arm"])


def passing(grid: pd.DataFrame) -> pd.DataFrame:
    """Return P(PASS) on fair worlds by random arm, for caseloads and groups that ever pass.

    Returns
    -------
    DataFrame
        arm (people drawn, as text), world, p_pass, low, high (exact 95 % limits of a share of so
        many worlds). Of the kinds of worlds that pass in `EVER` of the cases with some arm the six
        that pass most, the best first.
    """
    fair = grid[grid["truth"] == "fair"].copy()
    fair["world"] = fair["caseload"].map("{:,} people, ".format)
    fair["world"] += (100 * fair["group_share"]).map("group of {:g} %".format)
    best = fair.groupby("world", sort=False)["p_pass"].max().sort_values(kind="stable")[::-1]
    order = {world: place for place, world in enumerate(best[best >= EVER].index[:LINES])}
    fair = fair[fair["world"].isin(list(order))]
    fair = fair.sort_values("world", key=lambda names: names.map(order), kind="stable")
    fair = fair.sort_values("random_arm", kind="stable", ignore_index=True)
    passed = (fair["p_pass"] * fair["worlds"]).round()
    fair["low"], fair["high"] = limits(passed.to_numpy(), fair["worlds"].to_numpy(), 0.025)
    fair["arm"] = fair["random_arm"].map("{:,}".format)
    return fair[["arm", "world", "p_pass", "low", "high"]]


def covering(table: pd.DataFrame) -> pd.DataFrame:
    """Return the coverage of what the audit uses, and of the bootstrap, by case."""
    case = table["people"].map("{} people, ".format) + (100 * table["share"]).map("{:g} %".format)
    used = table["method"].isin([PERCENTILE, "exact"])
    return table.assign(case=case).loc[used, ["case", "method", "covered"]]


def holding(intervals: pd.DataFrame) -> pd.DataFrame:
    """Return how often each interval that the audit prints holds the truth.

    Parameters
    ----------
    intervals
        See `proofs.verdicts.grid`.

    Returns
    -------
    DataFrame
        check, interval, promised, covered (share of all worlds), lowest (of all cells), cells,
        below (cells in which it held less often than promised by more than two standard errors),
        and chance (how many these would be if it held exactly as often as promised).
    """
    promised, worlds = intervals["promised"], intervals["worlds"]
    least = promised - 2 * (promised * (1 - promised) / worlds) ** 0.5
    # The largest number of worlds that is below, and its probability.
    chance = binom.cdf(np.ceil(least * worlds) - 1, worlds, promised)
    table = intervals.assign(below=intervals["covered"] < least, chance=chance)
    groups = table.groupby(["check", "interval"], sort=False)
    return groups.agg(
        promised=("promised", "first"),
        covered=("covered", "mean"),
        lowest=("covered", "min"),
        cells=("covered", "size"),
        below=("below", "sum"),
        chance=("chance", "sum"),
    ).reset_index()


def lines(
    grid: pd.DataFrame, held: pd.DataFrame, power: pd.DataFrame, identified: pd.DataFrame
) -> list[str]:
    """Return the results that decide whether the audit can be trusted, a line each."""
    out = []
    for row in summary(grid).itertuples():
        out.append(
            f"{row.truth} worlds ({row.worlds:,}): P(PASS) {row.p_pass:.3f}, P(FAIL) "
            f"{row.p_fail:.3f}, P(NOT ENOUGH EVIDENCE) {row.p_not_enough:.3f}; in any of "
            f"{row.cells} cells at most PASS {row.most_pass:.3f}, FAIL {row.most_fail:.3f}"
        )
    fair = grid[grid["truth"] == "fair"]
    best = fair.loc[fair["p_pass"].idxmax()]
    out.append(
        f"the gate opens in {best.p_pass:.3f} of fair worlds with {best.caseload:,} people, a "
        f"random arm of {best.random_arm:,} and a group of {100 * best.group_share:g} %"
    )
    least = held.loc[held["covered"].idxmin()]
    out.append(
        f"printed intervals, promised {least.promised:.2f}: the kind of {len(held)} that holds "
        f"the truth least often ({least.check}, {least.interval}) does in {least.covered:.3f} of "
        f"worlds, the others in up to {held['covered'].max():.3f}; {held['below'].sum()} of "
        f"{held['cells'].sum():,} cells are two standard errors below, by chance it would be "
        f"{held['chance'].sum():.0f}"
    )
    found, alarms = (power[power["gap"] == gap].set_index("method") for gap in (GAP, 1.0))
    out.append(
        f"one 1.8 % group at {GAP} times, 12,700 people: found in {found.loc[OURS, 'found']:.3f} "
        f"of worlds (z tests with Holm {found.loc[HOLM, 'found']:.3f}); any alarm where there is "
        f"no gap {alarms.loc[OURS, 'alarms']:.3f} ({alarms.loc[HOLM, 'alarms']:.3f})"
    )
    known = identified.dropna(subset=["covered"])
    out.append(
        f"ratio of wrong flags {known['ratio'].iloc[0]}: 95 % intervals hold it in "
        f"{known['covered'].min():.3f} to {known['covered'].max():.3f} of worlds with a random "
        f"arm; among the investigated alone it looks like {known['naive'].iloc[0]:.1f} (arm "
        f"{known['random_arm'].iloc[0]}); without an arm it is not identified"
    )
    return out


def answer(grid: pd.DataFrame) -> str:
    """Return the answer of the page."""
    table = summary(grid).set_index("truth")
    fair, edge, biased = (table.loc[name] for name in ORDER)
    return (
        f"Of fair worlds {100 * fair.p_fail:.1f} % get a wrong FAIL, in any cell at most "
        f"{100 * fair.most_fail:.1f} %; of biased worlds {100 * biased.p_pass:.1f} % a wrong PASS. "
        f"With a gap exactly as large as tolerated {100 * edge.most_pass:.1f} % pass at most, and "
        f"{100 * edge.most_fail:.1f} % fail. {100 * fair.p_pass:.0f} % of fair worlds pass; most "
        "have too few people to tell."
    )


def metrics(grid: pd.DataFrame, held: pd.DataFrame, power: pd.DataFrame) -> dict[str, float]:
    """Return the numbers worth following from version to version."""
    table = summary(grid).set_index("truth")
    return {
        "intervals_hold_at_least": held["covered"].min(),
        "wrong_fail_at_most": table.loc["fair", "most_fail"],
        "wrong_pass_at_most": table.loc["biased", "most_pass"],
        "pass_at_the_edge_at_most": table.loc["at the edge", "most_pass"],
        "fail_at_the_edge_at_most": table.loc["at the edge", "most_fail"],
        "small_group_found": power.set_index(["method", "gap"]).loc[(OURS, GAP), "found"],
    }


def describe_passing(table: pd.DataFrame) -> str:
    """Say how P(PASS) grows with the random arm."""
    ends = [
        f"{world}: {own['p_pass'].iloc[0]:.2f} with {own['arm'].iloc[0]} drawn to "
        f"{own['p_pass'].iloc[-1]:.2f} with {own['arm'].iloc[-1]}"
        for world, own in table.groupby("world", sort=False)
    ]
    return f"P(PASS) on fair worlds by the number of people drawn. {'; '.join(ends)}."


def describe_coverage(table: pd.DataFrame) -> str:
    """Say how low the coverage of each method gets."""
    least = table.groupby("method", sort=False)["covered"].min()
    parts = [f"{method} {value:.2f}" for method, value in least.items()]
    return f"Lowest share of intervals that hold the truth: {', '.join(parts)}; promised 0.95."
