"""The published audit of Dutch student grants, re-run to the printed digit, then corrected.

Official counts of the control by DUO, by origin, rounded to 10 (NGO-Algorithm-Audit/DUO-CUB).
Where a figure here differs from the published one, the test says which and why; the authors
published data and code, without which none of this could be seen.
"""

import json
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fairlearn_rates import differs, metric_frame, rates
from workbooks import sheet

from datamall.errors import DatamallError
from datamall.fairness import Bounds, Cells, audit
from datamall.fairness.intervals import gap_limits
from datamall.fairness.metrics import METRICS
from datamall.fairness.stages import WHOLE, decompose, from_reached


@pytest.fixture(scope="module")
def truth(shared: Path) -> dict[str, Any]:
    return json.loads((shared / "truth" / "external_truth.json").read_text("utf-8"))


DUTCH, OTHER = "Dutch", "non-European"
TOTAL = "total"
# Columns of the tables: origin and place of birth. Dutch origin means born in the Netherlands.
ORIGINS = {
    2: (TOTAL, TOTAL),
    3: (TOTAL, "inside"),
    4: (TOTAL, "outside"),
    5: (DUTCH, TOTAL),
    6: ("European", TOTAL),
    7: (OTHER, TOTAL),
    8: (DUTCH, "inside"),
    9: ("European", "inside"),
    10: (OTHER, "inside"),
    11: ("European", "outside"),
    12: (OTHER, "outside"),
}
DIRECT = [(DUTCH, TOTAL), (OTHER, TOTAL)]
# The authors add up two columns where there is one.
SUMMED = [(DUTCH, TOTAL), (OTHER, "inside"), (OTHER, "outside")]

Stage = list[tuple[str, str, str]]


def of_everybody(*rows: str) -> Stage:
    """Return these rows as parts of the population: row, part, chosen."""
    parts = [(row, str(number), "yes") for number, row in enumerate(rows)]
    return [*parts, ("Total", TOTAL, TOTAL)]


def selected_of(*categories: int) -> Stage:
    """Return who was selected, and who not, of these risk categories."""
    risks = {f"Risk category {number}": str(number) for number in categories}
    parts = [(risk, part, TOTAL) for risk, part in risks.items()]
    for chosen in ("yes", "no"):
        parts += [(f"{r} & Selected for control: {chosen}", p, chosen) for r, p in risks.items()]
    return parts


# In the order of the published ratios. Category 1 is the highest risk, 6 is unknown.
STAGES: dict[str, Stage] = {
    "high_risk": of_everybody("Risk category 1", "Risk category 2"),
    "selected": [
        *of_everybody("Selected for control: yes"),
        ("Selected for control: no", "0", "no"),
    ],
    "selected_given_high": selected_of(1, 2),
    "selected_given_low": selected_of(3, 4, 5),
    "selected_given_unknown": selected_of(6),
    "wrong_visit": of_everybody("Outcome house visit: duly", "Unduly, appeal successful"),
}
TABLES = {"2014": "Table 1", "2019": "Table 2", "random 2014": "Table 3"}

Counts = dict[str, pd.DataFrame]


@pytest.fixture(scope="module")
def counts(shared: Path) -> Counts:
    """Return the published counts, one per row: row, origin, birth, people."""
    path = shared / "real" / "fraud" / "duo" / "DUO_CUB_Netherlands_Statistics.xlsx"
    tables = {}
    for year, name in TABLES.items():
        # Rows of counts have a number; titles, headers and "Source: CBS" have none.
        rows = [row for row in sheet(path, name) if isinstance(row.get(0), float)]
        long = [(row[1], *ORIGINS[column], row[column]) for row in rows for column in ORIGINS]
        tables[year] = pd.DataFrame(long, columns=["row", "origin", "birth", "people"])
    return tables


def stage(table: pd.DataFrame, name: str, columns: list[tuple[str, str]]) -> Bounds:
    rows = table.merge(pd.DataFrame(STAGES[name], columns=["row", "part", "chosen"]), on="row")
    rows = rows[[pair in columns for pair in zip(rows["origin"], rows["birth"], strict=True)]]
    keys = ["origin", "part"] if columns == DIRECT else ["origin", "birth", "part"]
    return Bounds.from_rounded(rows, keys, "chosen", count="people", rounding=10)


def gap(bounds: Bounds) -> pd.Series:
    gaps = bounds.gaps(["origin"], [DUTCH], ["selection_rate"]).set_index("origin")
    return gaps.loc[OTHER]


def sampled(bounds: Bounds) -> tuple[float, float]:
    """Return the 95 % limits of the ratio, at whichever counts the rounding makes them widest."""
    groups, ends = bounds.corners(["origin"], ["selection_rate"])
    one, other = (ends[list(groups["origin"]).index(origin), 0] for origin in (OTHER, DUTCH))
    low = gap_limits(tuple(one[0]), tuple(other[1]), 0.025, "ratio")[0]
    return float(low), float(gap_limits(tuple(one[1]), tuple(other[0]), 0.025, "ratio")[1])


@pytest.mark.parametrize("year", ["2014", "2019"])
@pytest.mark.parametrize("name", STAGES)
def test_published_shares_and_ratios(
    counts: Counts, truth: dict[str, Any], year: str, name: str
) -> None:
    bounds = stage(counts[year], name, SUMMED)
    groups, printed = bounds.proportions(["origin"], ["selection_rate"])
    shares = dict(zip(groups["origin"], printed[:, 0, 0] / printed[:, 0, 1], strict=True))
    published = truth[f"duo_{year}"]
    assert [shares[OTHER], shares[DUTCH]] == pytest.approx(published[name], abs=1e-15)
    ratio = gap(bounds)["ratio"]
    assert round(ratio, 1) == published["published_ratios"][list(STAGES).index(name)]


@pytest.mark.parametrize("year", ["2014", "2019"])
def test_low_risk_ratio_from_the_published_column_instead_of_a_sum(
    counts: Counts, truth: dict[str, Any], year: str
) -> None:
    low = gap(stage(counts[year], "selected_given_low", DIRECT))["ratio"]
    assert round(low, 3) == truth[f"duo_{year}"]["low_ratio_from_direct_column"]
    assert round(low, 2) == {"2014": 1.54, "2019": 5.57}[year]
    added = gap(stage(counts[year], "selected_given_low", SUMMED))["ratio"]
    assert round(added, 1) == {"2014": 1.8, "2019": 4.2}[year]


EACH = [(year, name) for year in ("2014", "2019") for name in STAGES]


def test_six_of_twelve_published_ratios_change_with_the_published_column(counts: Counts) -> None:
    changed = {}
    for year, name in EACH:
        added, direct = (
            round(gap(stage(counts[year], name, columns))["ratio"], 1)
            for columns in (SUMMED, DIRECT)
        )
        if added != direct:
            changed[year, name] = [added, direct]
    assert changed == {
        ("2014", "selected_given_low"): [1.8, 1.5],
        ("2014", "selected_given_unknown"): [2.3, 2.0],
        ("2014", "wrong_visit"): [3.0, 2.9],
        ("2019", "selected"): [3.6, 3.5],
        ("2019", "selected_given_low"): [4.2, 5.6],
        ("2019", "wrong_visit"): [2.3, 2.2],
    }


def test_what_rounding_alone_leaves_possible(counts: Counts) -> None:
    found = {key: gap(stage(counts[key[0]], key[1], DIRECT)) for key in EACH}
    ends = {
        key: [round(own[f"ratio{v}"], 2) for v in ("_low", "_high")] for key, own in found.items()
    }
    assert ends == {
        ("2014", "high_risk"): [1.98, 1.98],
        ("2014", "selected"): [6.21, 6.27],
        ("2014", "selected_given_high"): [5.40, 5.65],
        ("2014", "selected_given_low"): [1.46, 1.76],
        ("2014", "selected_given_unknown"): [1.71, 2.37],
        ("2014", "wrong_visit"): [2.85, 2.99],
        ("2019", "high_risk"): [0.94, 0.95],
        ("2019", "selected"): [3.41, 3.60],
        ("2019", "selected_given_high"): [3.49, 3.82],
        ("2019", "selected_given_low"): [1.99, 13.91],
        ("2019", "selected_given_unknown"): [0.84, 2.35],
        ("2019", "wrong_visit"): [2.01, 2.39],
    }


def test_a_published_total_beats_a_sum(counts: Counts) -> None:
    for year, name in EACH:
        added, direct = (gap(stage(counts[year], name, v)) for v in (SUMMED, DIRECT))
        widths = [own["ratio_high"] - own["ratio_low"] for own in (added, direct)]
        assert widths[0] > widths[1], (year, name)


def test_no_published_ratio_is_outside_its_bounds_and_one_is_at_their_edge(counts: Counts) -> None:
    # Within rounding nobody can call a published sum wrong, only further off than need be.
    for year, name in EACH:
        added, direct = (gap(stage(counts[year], name, v)) for v in (SUMMED, DIRECT))
        assert direct["ratio_low"] < added["ratio"] < direct["ratio_high"], (year, name)
    low = stage(counts["2014"], "selected_given_low", SUMMED)
    most = gap(stage(counts["2014"], "selected_given_low", DIRECT))["ratio_high"]
    assert [round(gap(low)["ratio"], 3), round(most, 3)] == [1.761, 1.763]


def test_a_printed_rate_never_lies_outside_its_own_bounds(counts: Counts) -> None:
    # 1,050 of 178,200 were selected and 177,160 not: rounded, so that the three disagree a little.
    for year, name in EACH:
        for columns in (SUMMED, DIRECT):
            rates = stage(counts[year], name, columns).rates(["origin"], ["selection_rate"])
            own = rates["selection_rate"]
            inside = (rates["selection_rate_low"] <= own) & (own <= rates["selection_rate_high"])
            assert inside.all(), (year, name)
    groups, printed = stage(counts["2014"], "selected", DIRECT).proportions(["origin"])
    dutch = list(groups["origin"]).index(DUTCH)
    assert printed[dutch, 0].tolist() == [1050, 178_200]


def test_bounds_hold_every_count_that_rounds_to_the_table(counts: Counts) -> None:
    """Lowest and highest share by linear programming, without the package."""
    for year, categories in (("2014", (3, 4, 5)), ("2019", (3, 4, 5)), ("2014", (1, 2))):
        name = "selected_given_high" if categories == (1, 2) else "selected_given_low"
        rates = stage(counts[year], name, DIRECT).rates(["origin"], ["selection_rate"])
        for row in rates.to_dict("records"):
            table = counts[year]
            own = table[(table["origin"] == row["origin"]) & (table["birth"] == TOTAL)]
            exact = extremes(own.set_index("row")["people"], categories)
            bounds = row["selection_rate_low"], row["selection_rate_high"]
            assert bounds[0] <= exact[0] + 1e-12 and exact[1] <= bounds[1] + 1e-12
            assert bounds == pytest.approx(exact, rel=0.01)


def extremes(people: pd.Series, categories: tuple[int, ...]) -> list[float]:
    from scipy.optimize import linprog

    size, rows, least, most = len(categories), [], [], []
    for i, number in enumerate(categories):
        for mark, parts in (
            (" & Selected for control: yes", [1, 0]),
            (" & Selected for control: no", [0, 1]),
            ("", [1, 1]),
        ):
            row = [0] * (2 * size)
            row[i], row[size + i] = parts
            rows.append(row)
            count = people[f"Risk category {number}{mark}"]
            least.append(max(count - 5, 0))
            most.append(count + 5)
    # A share of two sums (Charnes and Cooper 1962): unknowns times t, and t, with all people at 1.
    limits = [[*(-v for v in row), low] for row, low in zip(rows, least, strict=True)]
    limits += [[*row, -high] for row, high in zip(rows, most, strict=True)]
    goal, everybody = [1] * size + [0] * (size + 1), [[1] * (2 * size) + [0]]
    found = [
        linprog([sign * v for v in goal], limits, [0] * len(limits), everybody, [1]).fun
        for sign in (1, -1)
    ]
    return [found[0], -found[1]]


def test_in_2019_the_model_was_near_parity_and_the_human_choice_was_not(counts: Counts) -> None:
    model, human = (
        stage(counts["2019"], name, DIRECT) for name in ("high_risk", "selected_given_high")
    )
    assert round(gap(model)["ratio"], 2) == 0.94
    assert 0.9 < sampled(model)[0] < sampled(model)[1] < 1
    assert round(gap(human)["ratio"], 1) == 3.6
    assert sampled(human)[0] > 3
    # Both together: an audit of the flags alone would have seen nothing.
    assert gap(stage(counts["2019"], "selected", DIRECT))["ratio_low"] > 3.4


def test_in_2014_the_human_choice_came_on_top_of_the_model(counts: Counts) -> None:
    model, human = (
        stage(counts["2014"], name, DIRECT) for name in ("high_risk", "selected_given_high")
    )
    assert [round(v, 2) for v in sampled(model)] == [1.94, 2.02]
    assert [round(v, 2) for v in sampled(human)] == [4.91, 6.23]


def test_low_risk_ratios_are_above_one_and_otherwise_hardly_known(counts: Counts) -> None:
    # With chance and rounding together; 40 people were selected in 2019, give or take.
    ends = {y: sampled(stage(counts[y], "selected_given_low", DIRECT)) for y in ("2014", "2019")}
    rounded = {year: [round(v, 1) for v in pair] for year, pair in ends.items()}
    assert rounded == {"2014": [1.2, 2.1], "2019": [1.2, 30.3]}


def test_unknown_risk_in_2019_is_no_evidence_of_parity(counts: Counts) -> None:
    # Published as 1.0: from 30 people and 10.
    bounds = stage(counts["2019"], "selected_given_unknown", DIRECT)
    assert [round(v, 1) for v in sampled(bounds)] == [0.4, 7.5]


VISITS = {"duly": False, "unduly": True, "could not take place": None}


def whole(table: pd.DataFrame) -> pd.DataFrame:
    """Return all counts by risk category, selection and outcome of the visit, with their keys."""
    placed = {}
    for row in table["row"].unique():
        keys = {"category": TOTAL, "chosen": TOTAL, "visit": TOTAL}
        for part in [] if row == "Total" else row.split(" & "):
            about, _, value = part.partition(": ")
            if about.startswith("Risk category"):
                keys["category"] = about[-1]
            elif about == "Selected for control" or value == "not selected for control":
                keys["chosen"] = "no" if value.startswith("no") else "yes"
            elif about == "Outcome house visit":
                keys |= {"chosen": "yes", "visit": value}
            else:
                break
        else:
            placed[row] = keys
    return table.join(pd.DataFrame(placed).T, on="row", how="inner")


def cube(rows: pd.DataFrame) -> Bounds:
    keys, labels = ["origin", "birth", "category"], {"visit": VISITS}
    return Bounds.from_rounded(
        rows, keys, "chosen", "visit", count="people", rounding=10, labels=labels
    )


@pytest.mark.parametrize(("year", "off"), [("2014", 93), ("2019", 65)])
def test_all_published_counts_agree_within_rounding(counts: Counts, year: str, off: int) -> None:
    table = counts[year]
    wide = table.pivot(index="row", columns=["origin", "birth"], values="people")
    added = wide[(OTHER, "inside")] + wide[(OTHER, "outside")]
    assert ((added - wide[(OTHER, TOTAL)]).abs() == 10).sum() == off
    assert ((added - wide[(OTHER, TOTAL)]).abs() <= 10).all()
    rows = whole(table)
    assert len(rows) == 37 * 11
    cube(rows)
    # One count a hundred off is found.
    wrong = rows[["row", "origin", "birth"]].eq(["Risk category 5", DUTCH, TOTAL]).all(axis=1)
    assert wrong.sum() == 1
    with pytest.raises(DatamallError, match="contradict"):
        cube(rows.assign(people=rows["people"] + 100 * wrong))


def test_the_profile_finds_more_than_chance_whatever_the_rounding(counts: Counts) -> None:
    # The authors had the random control of 2014 and did not compare it: 10 of 380, against 44 %.
    arms = [
        whole(counts[year])
        .query("chosen == 'yes' and visit != 'total' and category == 'total'")
        .query("origin == 'total' and birth == 'total'")
        .assign(drawn=drawn)
        for year, drawn in (("2014", "profile"), ("random 2014", "random"))
    ]
    found = Bounds.from_rounded(
        pd.concat(arms),
        [],
        None,
        "visit",
        arm="drawn",
        count="people",
        rounding=10,
        labels={"visit": VISITS},
    )
    rates = found.rates(["arm"], ["base_rate"]).set_index("arm").filter(like="base").round(3)
    assert rates.loc["random"].tolist() == [0.026, 0.013, 0.039]
    assert rates.loc["profile"].tolist() == [0.441, 0.440, 0.443]
    ratios = found.gaps(["arm"], ["random"], ["base_rate"]).iloc[0].filter(like="ratio")
    assert ratios.astype(float).round(1).tolist() == [16.8, 11.1, 33.7]


def reached(table: pd.DataFrame) -> Bounds:
    """Return who reached a high risk, and who of these was selected."""
    high = ("Risk category 1", "Risk category 2")
    of = {"Total": ("population", TOTAL)} | {row: ("high risk", row[-1]) for row in high}
    of |= {f"{row} & Selected for control: yes": ("selected", row[-1]) for row in high}
    rows = table[table["row"].isin(of)]
    rows = rows[[p in DIRECT for p in zip(rows["origin"], rows["birth"], strict=True)]]
    rows = rows.assign(
        reached=[of[row][0] for row in rows["row"]], part=[of[row][1] for row in rows["row"]]
    )
    order = ["population", "high risk", "selected"]
    return from_reached(rows, ["origin", "part"], "reached", order, count="people", rounding=10)


def test_stages_say_where_the_gap_comes_in(counts: Counts, truth: dict[str, Any]) -> None:
    """Model and human choice multiply to the whole way; in 2019 all of it was human."""
    found = {}
    for year in ("2014", "2019"):
        bounds, order = reached(counts[year]), ["high risk", "selected"]
        table = decompose(bounds, order, ["origin"], reference={"origin": DUTCH})
        own = table[table["group"] == OTHER].set_index("stage")
        found[year] = own
        published = truth[f"duo_{year}"]["published_ratios"]
        assert [round(own.loc[v, "ratio"], 1) for v in order] == [published[0], published[2]]
        assert own.loc[order, "ratio"].prod() == pytest.approx(own.loc[WHOLE, "ratio"])
    model, human, whole = found["2019"]["ratio"]
    assert [round(v, 2) for v in (model, human, whole)] == [0.94, 3.59, 3.38]
    assert found["2019"]["share"].round(2).tolist() == [-0.05, 1.05, 1.0]
    assert found["2014"]["share"].round(2).tolist() == [0.29, 0.71, 1.0]
    # With chance and rounding together: the model is below parity, the human choice far above.
    assert found["2019"]["ratio_high"].iloc[0] < 1 < 2.8 < found["2019"]["ratio_low"].iloc[1]


def test_an_audit_of_the_flags_alone_would_have_passed_in_2019(counts: Counts) -> None:
    edges = {"kind": "ratio", "low": 0.8, "high": 1.25, "reason": "four fifths"}
    checks = [
        {"name": n, "metric": "selection_rate", "where": {"stage": n}, "tolerance": edges}
        for n in ("high risk", "selected")
    ]
    plan = {"groups": ["origin"], "reference": {"origin": DUTCH}, "checks": checks}
    bounds = reached(counts["2019"])
    flags = audit(bounds, plan | {"checks": checks[:1]})
    assert flags.verdict.overall == "PASS"
    both = audit(bounds, plan)
    assert both.checks["verdict"].tolist() == ["PASS", "FAIL"]
    assert both.verdict.overall == "FAIL"


DISJOINT = [ORIGINS[column] for column in (5, 9, 10, 11, 12)]


def students(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per student, as many of each kind as the table prints.

    The flag `d` is a high risk, the outcome `y` that of a visit, missing for those not visited.
    """
    printed = table.set_index(["row", "origin", "birth"])["people"].astype(int)
    kinds = []
    for category, (origin, birth) in product(range(1, 7), DISJOINT):
        risk = f"Risk category {category} & "
        visits = [("Outcome house visit: duly", 0), ("Outcome house visit: unduly", 1)]
        counts = [(printed[risk + name, origin, birth], y) for name, y in visits]
        every = sum(
            printed[f"{risk}Selected for control: {w}", origin, birth] for w in ("yes", "no")
        )
        counts.append((max(every - sum(n for n, _ in counts), 0), None))
        kinds += [(origin, birth, category, int(category <= 2), y, n) for n, y in counts]
    own = pd.DataFrame(kinds, columns=["origin", "birth", "category", "d", "y", "n"])
    own = own.astype({"y": "Int8"})
    return own.loc[own.index.repeat(own["n"])].drop(columns="n").reset_index(drop=True)


@pytest.mark.slow
@pytest.mark.parametrize(("year", "by"), [("2014", ["origin"]), ("2019", ["origin", "birth"])])
def test_rates_of_rows_drawn_to_these_counts_are_fairlearns(
    counts: Counts, year: str, by: list[str]
) -> None:
    people = students(counts[year])
    cells = Cells.from_frame(people, ["origin", "birth"], "d", "y")
    ours = cells.rates(by).set_index(by)[list(METRICS)]
    assert differs(ours, rates(people, by)) < 1e-12
    # Counted before, with the counts as weights, fairlearn says the same.
    kinds = people.value_counts(["origin", "birth", "d", "y"], dropna=False).reset_index()
    assert len(people) > 50_000 and len(kinds) < 40
    assert differs(ours, rates(kinds, by, weight="count")) < 1e-12
    # Fairlearn takes no row whose outcome is missing, and so no student who was not visited.
    with pytest.raises(ValueError, match="no more than two unique y values"):
        metric_frame(people.astype({"y": float}), by, ["fpr"])
