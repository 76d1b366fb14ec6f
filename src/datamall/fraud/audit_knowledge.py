"""Knowledge: where groups are treated differently, by whom, and what these counts cannot tell."""

import numpy as np
import pandas as pd

from datamall.chapters import Gap, passes_gaps
from datamall.fairness import verdict
from datamall.fraud.audit_checks import CHECKS, definitions
from datamall.fraud.audit_counts import CROSSED, earlier, latest
from datamall.fraud.audit_errors import ABOUT, WRONGLY_VISITED
from datamall.fraud.audit_judge import Plan, every_step, judged, steps
from datamall.fraud.audit_show import THOUSAND, frequency, printable, whose

ORIGINS = ("origin", "background")
FLOW = ("flagged", "chosen", "visited")
READ = ("found", "hit rate", "wrongly flagged", "missed", WRONGLY_VISITED)
_RANK = {verdict.FAIL: 0, verdict.NOT_ENOUGH: 1, verdict.PASS: 2}


def about(check: str) -> object:
    """Return what a check is about: a `Check`."""
    return ABOUT if check == WRONGLY_VISITED else CHECKS[check]


@passes_gaps
def by_check(table: pd.DataFrame) -> pd.DataFrame:
    """Return one sentence a check: the group that it is most about, in natural frequencies.

    Parameters
    ----------
    table
        As from `audit_judge.gate` or `audit_judge.inform`.

    Returns
    -------
    pandas.DataFrame
        check, verdict (of all its groups together), sentence, ratio in words with its interval,
        decides (who takes the step), norm.
    """
    rows = []
    for check, own in table.groupby("check", sort=False):
        shown, what = printable(own), about(str(check))
        row = shown.loc[_strongest(own)]
        rows.append(
            {
                "check": check,
                "verdict": verdict.overall(own["verdict"]),
                "sentence": sentence(row, what),
                "times_as_often": times(row),
                "who": what.who,
                "norm": what.norm,
            }
        )
    return pd.DataFrame(rows)


def _strongest(own: pd.DataFrame) -> int:
    """Return the row that is most surely far from equal, of those to whom it happens more."""
    order = own.assign(
        rank=own["verdict"].map(_RANK),
        # At whichever end of the interval is nearer to equal.
        near=-np.maximum(np.log(own["low"].clip(1e-9)), -np.log(own["high"].clip(upper=1e9))),
        fewer=own["ratio"].fillna(0) < 1,
    )
    return int(order.sort_values(["rank", "fewer", "near"], kind="stable").index[0])


def sentence(row: pd.Series, what: object) -> str:
    """Say a comparison in natural frequencies; `row` as from `audit_show.printable`."""
    if pd.isna(row["of_1000"]) or pd.isna(row["others_of_1000"]):
        return f"Of {row['people']} too few can be counted to say how many {what.done}."
    return (
        f"Of 1,000 {what.among}, among {row['people']} {frequency(row['of_1000'])} {what.done}; "
        f"among the others {frequency(row['others_of_1000'])}."
    )


def times(row: pd.Series) -> str:
    """Return a ratio with its interval in words."""
    if pd.isna(row["ratio"]):
        return "too few to say"
    high = f"{row['high']:.1f}" if pd.notna(row["high"]) else "any number"
    return f"{row['ratio']:.1f} ({row['low']:.1f} to {high})"


@passes_gaps
def matrix(table: pd.DataFrame) -> pd.DataFrame:
    """Return the verdicts: one row a group, one column a check.

    Parameters
    ----------
    table
        As from `audit_judge.gate`.

    Returns
    -------
    pandas.DataFrame
        people, and for each check its verdict in a word and the ratio to everybody else.
    """
    words = {verdict.PASS: "pass", verdict.FAIL: "FAIL", verdict.NOT_ENOUGH: "not enough"}
    cell = table["verdict"].map(words) + np.where(
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


@passes_gaps
def gaps(table: pd.DataFrame, attributes: tuple[str, ...] = ORIGINS) -> pd.DataFrame | Gap:
    """Return the ratios by origin for a figure, step by step.

    Returns
    -------
    pandas.DataFrame
        label (people: check), ratio, low, high (of all checks at once), number, verdict. Ratios
        without a limit are left out.
    """
    own = table[table["attribute"].isin(attributes)]
    shown = printable(own).dropna(subset=["ratio", "low", "high"])
    if not len(shown):
        return Gap("Ratios by origin", "Not possible here: nobody counted by origin.")
    label = shown["people"].str.removeprefix("people ") + ": " + shown["check"]
    columns = ["ratio", "low", "high", "number", "verdict"]
    result = shown.assign(label=label)[["label", *columns]]
    return result.reset_index(drop=True)


@passes_gaps
def decomposition(table: pd.DataFrame) -> pd.DataFrame | Gap:
    """Return at which step of the selection people of an origin are treated differently.

    Parameters
    ----------
    table
        As from `audit_judge.gate`.

    Returns
    -------
    pandas.DataFrame
        people, step, who (takes it), ratio to everybody else with low and high, reading. The
        ratios of the steps multiply to about that of all of them.
    """
    own = table[table["attribute"].isin(ORIGINS) & table["check"].isin(FLOW)]
    if own["check"].nunique() < 2:
        reason = "Not possible here: fewer than two steps were counted by origin."
        return Gap("Step by step", reason)
    shown = printable(own).sort_values(["study", "attribute", "group"], kind="stable")
    shown["who"] = [about(check).who for check in shown["check"]]
    shown["reading"] = [_reading(row) for row in shown.itertuples()]
    columns = ["people", "check", "who", "ratio", "low", "high", "reading"]
    return shown[columns].rename(columns={"check": "step"}).reset_index(drop=True)


def _reading(row: object) -> str:
    if row.verdict == verdict.FAIL:
        return "more often than tolerated" if row.ratio > 1 else "less often than tolerated"
    if row.verdict == verdict.PASS:
        return "within the tolerance"
    if row.low > 1 or row.high < 1:
        return "different, perhaps within the tolerance"
    return "no difference shown, none ruled out"


@passes_gaps
def errors(counts: pd.DataFrame, plan: Plan) -> pd.DataFrame | Gap:
    """Return error rates of the flags: counted naively, and as the random draw identifies them.

    Returns
    -------
    pandas.DataFrame
        people, error, naive_of_1000 (among everybody investigated), of_1000 (in the random draw),
        ratio naively, ratio with low and high in the random draw.
    """
    last = latest(counts)
    last = last[last["attribute"].isin(plan.groups)]
    keys = [key for key in ("wrongly flagged", "missed") if key in (*plan.gating, *plan.informing)]
    pairs = every_step(last, plan, keys) if len(last) else last
    naive = every_step(last, plan, keys, arm="total") if len(last) else last
    if not len(pairs):
        return Gap("Errors of the flags", "Not possible here: no random draw was flagged, too.")
    keys = ["study", "attribute", "group", "check"]
    true, seen = (printable(judged(t, plan)).set_index(keys) for t in (pairs, naive))
    both = true.join(seen[["of_1000", "ratio"]].add_prefix("naive_"), how="left").reset_index()
    names = ["people", "check", "naive_of_1000", "of_1000", "naive_ratio", "ratio", "low", "high"]
    return both[names].rename(columns={"check": "error"})


@passes_gaps
def fragile(counts: pd.DataFrame, plan: Plan) -> pd.DataFrame | Gap:
    """Return the conclusions that hang on what counts as a mistake found.

    Returns
    -------
    pandas.DataFrame
        check, people, and the ratio with its verdict under each definition; fragile (yes where
        the verdict, or the side of equal on which the interval lies, changes). Fragile ones first.
    """
    last, parts = latest(counts), []
    last = last[last["attribute"].isin(plan.groups)]
    keys = [key for key in (*plan.gating, *plan.informing) if key in READ]
    for _, own in last.groupby("study", sort=True):
        for label in definitions(own, plan.labels):
            pairs = steps(own, keys, label)
            if len(pairs):
                parts.append(judged(pairs, plan).assign(label=label))
    several = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    if not parts or several["label"].nunique() < 2:
        reason = "Not possible here: there is one definition of a mistake found only."
        return Gap("What counts as a mistake", reason)
    shown = printable(several)
    side = np.select([shown["low"] > 1, shown["high"] < 1], ["more", "fewer"], "either")
    shown["cell"] = shown["ratio"].map("× {:.1f}".format).where(shown["ratio"].notna(), "too few")
    shown["said"] = shown["verdict"] + side
    keys = ["study", "attribute", "check", "people"]
    told = shown.groupby(keys, sort=False)["said"].nunique()
    wide = shown.pivot_table(index=keys, columns="label", values="cell", aggfunc="first")
    wide = wide[[label for label in plan.labels if label in wide]].loc[told.index]
    wide["fragile"] = np.where(told.to_numpy() > 1, "yes", "no")
    wide = wide.reset_index().drop(columns=["study", "attribute"]).rename_axis(columns=None)
    return wide.sort_values("fragile", ascending=False, kind="stable").reset_index(drop=True)


@passes_gaps
def too_small(table: pd.DataFrame) -> pd.DataFrame | Gap:
    """Return the comparisons without a conclusion, and the gap that would have been found.

    Returns
    -------
    pandas.DataFrame
        people, check, number, ratio with low and high, detectable (smallest ratio above 1 that
        would have been found; missing where none would).
    """
    shown = printable(table[table["verdict"].eq(verdict.NOT_ENOUGH)])
    if not len(shown):
        return Gap("Not enough evidence", "None: every check that gates has a conclusion.")
    return shown[
        ["people", "check", "number", "ratio", "low", "high", "detectable"]
    ].reset_index(drop=True)


@passes_gaps
def calibration(counts: pd.DataFrame, plan: Plan) -> pd.DataFrame | Gap:
    """Return whether the same band of risk means the same in each group, in the random draw.

    Returns
    -------
    pandas.DataFrame
        band, people, number, of_1000 with a mistake found, others_of_1000, ratio with low and
        high, verdict; all bands and groups at once.
    """
    last, parts = latest(counts), []
    last = last[last["attribute"].isin(plan.groups)]
    for band in ("high", "other"):
        pairs = [
            steps(own, ["found"], plan.label(own), band)
            for _, own in last.groupby("study", sort=True)
        ]
        parts += [part.assign(band=band) for part in pairs if len(part)]
    if not parts:
        reason = "Not possible here: no random draw whose people had been given a band of risk."
        return Gap("The same score, the same meaning?", reason)
    pairs = pd.concat(parts, ignore_index=True)
    # Bands are told apart by their check while all of them are judged as one family.
    pairs["label"] = pairs["band"]
    shown = printable(judged(pairs, plan))
    names = {"high": "flagged", "other": "not flagged"}
    shown.insert(0, "band", shown["label"].map(names))
    columns = ["number", "of_1000", "others_of_1000", "ratio", "low", "high", "verdict"]
    result = shown[["band", "people", *columns]].dropna(subset=["of_1000"])
    return result.sort_values("band", kind="stable").reset_index(drop=True)


@passes_gaps
def criteria(counts: pd.DataFrame, plan: Plan) -> pd.DataFrame | Gap:
    """Return which criteria of fairness cannot hold together here, with the numbers.

    If a flag meant the same in each group (equal share of mistakes among the flagged) and missed
    as many, then the share of wrongly flagged people follows from the share of mistakes: equal
    only where that is equal (Chouldechova 2017; Kleinberg, Mullainathan and Raghavan 2016).

    Returns
    -------
    pandas.DataFrame
        people; of 1,000 in the random draw: mistakes, wrongly_flagged, missed; and if_equal (of
        1,000 without a mistake, those who would be flagged if the two others were equal to those
        of everybody).
    """
    last = latest(counts)
    last = last[last["attribute"].isin(plan.groups)]
    keys = ["found", "wrongly flagged", "missed"]
    pairs = every_step(last, plan, keys, every_group=True) if len(last) else last
    if set(keys) - set(pairs["check"] if len(pairs) else []):
        reason = "Not possible here: it needs a random draw whose people had been flagged or not."
        return Gap("Criteria that cannot hold together", reason)
    index = ["study", "attribute", "group"]
    wide = pairs.pivot_table(index=index, columns="check", values=["successes", "trials"])
    yes, of = wide["successes"], wide["trials"]
    base = yes["found"] / of["found"]
    # Of everybody: each attribute counts all people once, so any of them adds up to the whole.
    whole = wide.groupby(level=["study", "attribute"]).transform("sum")
    hits = whole["trials", "missed"] - whole["successes", "missed"]
    precise = hits / (hits + whole["successes", "wrongly flagged"])
    found = hits / whole["trials", "missed"]
    equal = base / (1 - base) * (1 - precise) / precise * found
    table = wide.index.to_frame(index=False)
    result = pd.DataFrame({"people": whose(table)})
    for name, share in (
        ("mistakes", base),
        ("wrongly_flagged", yes["wrongly flagged"] / of["wrongly flagged"]),
        ("missed", yes["missed"] / of["missed"]),
        ("if_equal", equal),
    ):
        result[name] = (THOUSAND * share).round().to_numpy()
    return result.dropna(subset=["mistakes"]).reset_index(drop=True)


@passes_gaps
def crossed(counts: pd.DataFrame, plan: Plan, checks: tuple[str, ...] = ("flagged",)) -> pd.DataFrame:
    """Return the crossed groups that a look at one attribute at a time would miss.

    Returns
    -------
    pandas.DataFrame
        people, number, of_1000, others_of_1000, ratio with low and high, verdict; all crossed
        groups at once, those outside the tolerance first, then by how sure it is.
    """
    last = latest(counts)
    both = last[last["attribute"].str.contains(CROSSED, regex=False)]
    both = pd.concat([both, last[last["attribute"].eq("origin and sex")]])
    pairs = every_step(both, plan, list(checks)) if len(both) else both
    if not len(pairs):
        return Gap("Where groups cross", "Not possible here: nobody counted crossed groups.")
    table = judged(pairs, plan)
    rank = table["verdict"].map(_RANK)
    far = np.maximum(np.log(table["low"].clip(1e-9)), -np.log(table["high"].clip(upper=1e9)))
    order = table.assign(rank=rank, far=-far).sort_values(["rank", "far"], kind="stable")
    columns = ["people", "number", "of_1000", "others_of_1000", "ratio", "low", "high", "verdict"]
    return printable(order)[columns].reset_index(drop=True)


@passes_gaps
def years(counts: pd.DataFrame, table: pd.DataFrame, plan: Plan) -> pd.DataFrame | Gap:
    """Return how the gaps have moved since earlier years.

    Returns
    -------
    pandas.DataFrame
        people, check, and per year the ratio to everybody else in words, with an interval that
        holds for that year's checks at once. Many people are in both years, so that the years are
        not independent of each other.
    """
    before = earlier(counts)
    before = before[before["attribute"].isin(plan.groups)]
    pairs = every_step(before, plan, plan.gating) if len(before) else before
    if not len(pairs):
        return Gap("Earlier years", "Not possible here: there are counts of one year only.")
    parts = [table, *(judged(own, plan) for _, own in pairs.groupby("study", sort=True))]
    shown = pd.concat([printable(part) for part in parts], ignore_index=True)
    shown["said"] = [times(row) for _, row in shown.iterrows()]
    shown["year"] = shown["study"].str.rsplit(" ", n=1).str[-1]
    shown["people"] = shown["people"].str.replace(r" \([^)]*\)$", "", regex=True)
    keys = ["attribute", "people", "check"]
    wide = shown.pivot_table(index=keys, columns="year", values="said", aggfunc="first")
    wide = wide.dropna().reset_index().drop(columns="attribute").rename_axis(columns=None)
    return wide.reset_index(drop=True)
