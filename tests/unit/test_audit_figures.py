"""The figures of an audit's page say what its tables say, and leave nothing out in silence."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from accessible_page import check
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from datamall.fairness import Cells, audit
from datamall.fairness.bounds import Bounds
from datamall.fairness.plan import Plan
from datamall.fairness.sweeps import by_threshold, calibration
from datamall.fairness.words import record
from datamall.reporting import audit_figures, canvas, forest, score_figures
from datamall.reporting.audits import page, write

EDGES = {"kind": "ratio", "low": 0.8, "high": 1.25, "reason": "four fifths"}
CHECKS = [
    {"name": "informs", "metric": "selection_rate", "tolerance": EDGES, "gating": False},
    {"name": "decides", "metric": "selection_rate", "tolerance": EDGES},
]


def counted(groups: int) -> Cells:
    draw = np.random.Generator(np.random.PCG64(4))
    people = draw.integers(15, 4000, groups)
    chosen = draw.binomial(people, draw.choice([0.04, 0.05, 0.09], groups))
    rows = [(f"g{i:03}", d, n) for i in range(groups)
            for d, n in ((1, chosen[i]), (0, people[i] - chosen[i]))]  # fmt: skip
    table = pd.DataFrame(rows, columns=["g", "d", "n"])
    return Cells.from_frame(table, ["g"], "d", count="n")


@pytest.fixture(scope="module")
def scored() -> tuple[Cells, dict[str, Any]]:
    draw = np.random.Generator(np.random.PCG64(2))
    n = 6000
    frame = pd.DataFrame({"g": draw.choice(list("abc"), n, p=[0.5, 0.3, 0.2])})
    frame["band"] = draw.integers(1, 9, n) + (frame["g"] == "c")
    frame["d"], y = frame["band"] >= 7, draw.random(n) < frame["band"] / 20
    frame["arm"] = np.where(draw.random(n) < 0.2, "random", np.where(frame["d"], "profile", "none"))
    frame["result"] = pd.Series(np.where(y, "wrong", "right")).where(frame["arm"] != "none")
    cells = Cells.from_frame(frame, ["g", "result"], "d", arm="arm", score_band="band")
    plan = {
        "groups": ["g"],
        "result": "result",
        "labels": {"found": {"wrong": True, "right": False}},
        "identification": {"random": "random", "profile": "profile", "reason": "all are visited"},
        "checks": CHECKS,
    }
    return cells, plan


@pytest.fixture
def plots(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Collect the numbers and the forest plot that each figure of a page is drawn from."""
    found: dict[str, Any] = {}

    def svg(draw: Any, numbers: pd.DataFrame, height: float, name: str, alt: str) -> str:
        found[name] = numbers
        found[f"{name} plot"] = getattr(draw, "__self__", None)
        return "<svg></svg>"

    monkeypatch.setattr(canvas, "svg", svg)
    return found


def test_every_comparison_is_in_the_figure_of_its_check(plots: dict[str, Any]) -> None:
    plan = {"groups": ["g"], "checks": CHECKS, "smallest": 30, "leave_out": {"g": ["g003"]}}
    result = audit(counted(18), plan)
    shown = audit_figures.of_checks(record(result))
    assert [each["name"] for each in shown] == ["decides", "informs"]  # what gates comes first
    for place, each in enumerate(shown, 1):
        numbers, plot = plots[f"gaps-{place}"], plots[f"gaps-{place} plot"]
        assert (plot.low, plot.high, plot.wide) == ("gap_low", "gap_high", ("all_low", "all_high"))
        assert (plot.kind, plot.tolerance) == ("ratio", (0.8, 1.25))
        own = result.comparisons[result.comparisons["check"] == each["name"]]
        assert sorted(numbers["row"]) == sorted(own["group"])
        assert len(numbers) <= forest.ROWS
        merged = numbers.merge(own, on="group", suffixes=("", "_"))
        for name in ("gap", "gap_low", "gap_high", "all_low", "all_high"):
            np.testing.assert_allclose(merged[name], merged[f"{name}_"], rtol=1e-5)
        # What does not gate is named with its reason.
        judged = own["not_judged"] == ""
        assert set(numbers.loc[numbers["verdict"] == "not judged", "note"]) == set(
            own.loc[~judged, "not_judged"]
        )
        assert numbers["row"].iloc[0] == each["group"]  # the sentence and the first row agree
        order = [{"FAIL": 0, "NOT ENOUGH EVIDENCE": 1, "PASS": 2}.get(v, 3) for v in
                 numbers["verdict"]]  # fmt: skip
        assert order == sorted(order)


def test_what_is_not_drawn_is_counted_and_all_is_in_the_file(tmp_path: Path) -> None:
    said = record(audit(counted(576), {"groups": ["g"], "checks": CHECKS}))
    _, path = write(said, tmp_path, "many")
    html = path.read_text("utf-8")
    assert f"First {forest.ROWS} of 576; not drawn: " in html
    kept = json.loads((tmp_path / "many.audit.json").read_text("utf-8"))["tables"]["comparisons"]
    assert len(kept) == 2 * 576


def test_groups_that_are_compared_with_nobody_are_named() -> None:
    plan = {"groups": ["g"], "checks": CHECKS, "reference": {"g": "g001"}}
    figure = audit_figures.of_checks(record(audit(counted(4), plan)))[0]["figure"]
    assert "times as often as g001" in figure["title"]
    assert not any("Nobody to compare with" in note for note in figure["notes"])
    said = record(audit(counted(4), plan))
    gaps = said["tables"]["comparisons"]
    said["tables"]["comparisons"] = gaps[gaps["group"] != "g002"]
    for each in audit_figures.of_checks(said):
        assert "Nobody to compare with, so no gap: g002." in each["figure"]["notes"]


def test_limits_that_do_not_exist_are_no_letters_in_a_table() -> None:
    rows = [("a", 1, 3), ("a", 0, 27), ("b", 1, 0), ("b", 0, 30)]
    cells = Cells.from_frame(pd.DataFrame(rows, columns=["g", "d", "n"]), ["g"], "d", count="n")
    html = page(record(audit(cells, {"groups": ["g"], "checks": CHECKS})), "x")
    assert ">∞</td>" in html and ">inf<" not in html
    assert "30 people, any number of times" in html


def test_rows_say_which_attribute_and_which_label(plots: dict[str, Any]) -> None:
    table = pd.DataFrame(
        [(a, b, r, d, 50 + 3 * d) for a in ("yes", "no") for b in ("yes", "no")
         for r in ("x", "y") for d in (0, 1)],
        columns=["car", "job", "result", "d", "n"],
    )  # fmt: skip
    cells = Cells.from_frame(table, ["car", "job", "result"], "d", count="n")
    labels = {"one": {"x": True, "y": False}, "two": {"x": False, "y": True}}
    checks = [{"name": "c", "metric": "tpr", "tolerance": EDGES}]
    plan = {"groups": ["car", "job"], "result": "result", "labels": labels, "checks": checks}
    audit_figures.of_checks(record(audit(cells, plan)))
    rows = list(plots["gaps-1"]["row"])
    assert len(set(rows)) == len(rows) == 8
    assert {"car: yes (one)", "car: yes (two)", "job: no (one)"} <= set(rows)
    assert rows[0].replace("(one)", "(two)") == rows[1]  # a group under its labels stands together


def test_rounded_counts_and_lists_say_that_there_is_no_chance() -> None:
    rows = [("a", "yes", 260), ("a", "total", 27_890), ("b", "yes", 650), ("b", "total", 19_580)]
    table = pd.DataFrame(rows, columns=["g", "d", "n"])
    counts = Bounds.from_rounded(table, ["g"], "d", count="n", rounding=10)
    checks = [{"name": "c", "metric": "selection_rate", "tolerance": EDGES, "estimand": "list"}]
    (each,) = audit_figures.of_checks(record(audit(counts, {"groups": ["g"], "checks": checks})))
    assert any("no chance in it" in note for note in each["figure"]["notes"])
    assert not any("PASS needs" in note for note in each["figure"]["notes"])


def test_rates_at_each_threshold_are_those_of_deciding_by_it(scored: Any) -> None:
    cells, plan = scored
    table = by_threshold(cells, Plan.read(plan))
    frame = cells.by(["g", "score_band"])
    people = fill(frame)
    for threshold, rows in table[table["metric"] == "selection_rate"].groupby("threshold"):
        above = people[people["score_band"] >= threshold].groupby("g")["n"].sum()
        share = (above / people.groupby("g")["n"].sum()).fillna(0.0)
        got = rows.set_index("group")["rate"]
        np.testing.assert_allclose(got, share.reindex(got.index).fillna(0.0))
        assert (rows["selected"] == above.sum()).all()
        assert rows["in_use"].all() == (threshold == 7)
        assert ((rows["low"] <= rows["rate"]) & (rows["rate"] <= rows["high"])).all()
    random = cells.where(arm="random")
    of_random = fill(random.by(["g", "score_band"]))["n"].sum()
    drawn = table[(table["metric"] != "selection_rate") & (table["threshold"] == 7)]
    assert drawn["trials"].sum() == of_random  # with and without the outcome, all drawn at random
    assert set(table["metric"]) == {"selection_rate", "tpr", "fpr"}


def fill(cells: Cells) -> pd.DataFrame:
    return cells.keys.assign(n=cells.counts.sum(axis=(1, 2)))


def test_outcomes_of_the_selected_alone_give_no_rate_at_another_threshold(scored: Any) -> None:
    cells, plan = scored
    without = Plan.read({k: v for k, v in plan.items() if k != "identification"})
    assert set(by_threshold(cells, without)["metric"]) == {"selection_rate"}
    assert by_threshold(cells.by(["g", "result"]), without).empty


@pytest.mark.slow
def test_the_score_is_drawn_with_the_threshold_in_use(scored: Any) -> None:
    cells, plan = scored
    said = record(audit(cells, plan))
    sweep, calibration = audit_figures.by_score(said)
    names = [figure["name"] for figure in sweep["figures"]]
    assert names == ["selection_rate-1", "ratio-1", "tpr-1", "fpr-1"]
    assert [figure["name"] for figure in calibration["figures"]] == ["calibration-1"]
    assert "at the threshold in use: a " in sweep["figures"][0]["svg"]
    html = page(said, "x")
    assert html.count("<svg") == 2 + 4 + 1
    check(html)
    # Without scores there is no such chapter.
    without = record(audit(counted(3), {"groups": ["g"], "checks": CHECKS}))
    assert audit_figures.by_score(without) == []


def axes_of(draw: Any, numbers: pd.DataFrame, **options: Any) -> Axes:
    axes: Axes = Figure(layout="constrained").subplots()
    draw(axes, numbers, **options)
    return axes


def test_ratios_over_thresholds_stand_on_a_log_axis_with_the_tolerance(scored: Any) -> None:
    cells, plan = scored
    table = by_threshold(cells, Plan.read(plan))
    rows, said = score_figures.drawn(table[table["metric"] == "selection_rate"], list("abc"))
    assert said == ""
    axes = axes_of(score_figures.ratios, rows, tolerance=(0.8, 1.25))
    place = axes.transData.transform([(1, 0.5), (1, 1), (1, 2)])[:, 1]
    np.testing.assert_allclose(np.diff(place), np.diff(place)[0])
    band: Any = axes.patches[0]
    assert (band.get_y(), band.get_y() + band.get_height()) == pytest.approx((0.8, 1.25))
    used = [line for line in axes.lines if list(line.get_xdata()) == [7, 7]]
    assert len(used) == 1 and "in use" in [text.get_text() for text in axes.texts]
    assert any(list(line.get_ydata()) == [1, 1] for line in axes.lines)
    low, high = axes.get_ylim()
    for line in axes.lines:
        known = np.asarray(line.get_ydata(), float)
        assert np.all((known >= min(low, 0)) & (known <= max(high, 1)) | np.isnan(known))


def test_of_many_groups_the_largest_are_drawn_and_the_others_counted() -> None:
    table = pd.DataFrame({"group": list("abcdefgh"), "trials": range(8)})
    groups = score_figures.largest(table)
    assert groups == list("hgfedcba")
    kept, said = score_figures.drawn(table, groups)
    assert list(kept["group"]) == list("hgfedc") and list(kept["place"]) == list(range(6))
    assert said == "Drawn are the 6 largest of 8 groups; all are in the file."


@pytest.mark.parametrize("bands", [[1, 2, 10], ["low", "middle", "high"]])
def test_bands_stand_in_their_order_and_each_share_has_its_limits(bands: list[Any]) -> None:
    rows = [(b, g, 0.1 * (i + 1), 0.05, 0.5) for g in "ba" for i, b in enumerate(bands)]
    table = pd.DataFrame(rows, columns=["score_band", "group", "rate", "low", "high"])
    if isinstance(bands[0], str):
        table["score_band"] = pd.Categorical(table["score_band"], bands, ordered=True)
    table = table.iloc[1:].assign(trials=1)  # the first band is known of one group only
    kept, _ = score_figures.drawn(table, ["b", "a"])
    axes = axes_of(score_figures.calibration, kept)
    expected = [1, 2, 10] if bands[0] == 1 else [0, 1, 2]
    by_label: dict[Any, Any] = {line.get_label(): line for line in axes.lines}
    assert by_label["a"].get_xdata() == pytest.approx(np.array(expected) + 0.06, abs=0.01)
    assert by_label["b"].get_ydata() == pytest.approx([20, 30])
    if bands[0] == "low":
        assert [tick.get_text() for tick in axes.get_xticklabels()] == bands


@pytest.mark.parametrize("kind", ["rates", "ratios", "calibration"])
@pytest.mark.parametrize("groups", [2, 6])
def test_no_word_of_a_score_figure_is_clipped(kind: str, groups: int) -> None:
    rows = [(f"{'W' * 30} group number {g}", t, t == 3, 10 - g, t / 6, t / 8, 1.0, 0.7 * t)
            for g in range(groups) for t in range(1, 6)]  # fmt: skip
    columns = ["group", "threshold", "in_use", "trials", "rate", "low", "high", "ratio"]
    table = pd.DataFrame(rows, columns=columns).assign(ratio_low=0.2, ratio_high=9.0)
    table = table.assign(score_band=table["threshold"])
    kept, _ = score_figures.drawn(table, score_figures.largest(table))
    options = {"tolerance": (0.8, 1.25)} if kind == "ratios" else {}
    draw = partial(getattr(score_figures, kind), **options)
    with canvas.drawn(draw, kept, score_figures.height(kept)) as figure:
        agg = FigureCanvasAgg(figure)
        agg.draw()
        renderer: Any = agg.get_renderer()
        legend = figure.legends[0].get_window_extent(renderer)
        assert legend.y0 >= figure.axes[0].get_window_extent(renderer).y1  # not over the lines
        everything = figure.get_tightbbox(renderer)  # in inches; ticks out of view left out
        assert everything.x0 >= 0 and everything.x1 <= canvas.WIDTH
        assert everything.y0 >= 0 and everything.y1 <= figure.get_size_inches()[1]


def test_too_many_bands_to_compare_are_joined_and_nobody_is_lost() -> None:
    draw = np.random.Generator(np.random.PCG64(6))
    frame = pd.DataFrame({"g": draw.choice(["a", "b"], 9000), "score": draw.integers(0, 100, 9000)})
    frame["score"] = frame["score"].where(draw.random(9000) < 0.9)
    frame["y"] = draw.random(9000) < 0.2
    cells = Cells.from_frame(frame, ["g"], outcome="y", score_band="score")
    table = calibration(cells)
    assert table["trials"].sum() == len(frame)
    known = table[table["score_band"] >= 0]
    assert len(known) == 20 and known["trials"].between(330, 480).all()
    scores = sorted(known["score_band"].unique())
    for low, high in zip(scores, [*scores[1:], 100], strict=True):
        own = frame[(frame["score"] >= low) & (frame["score"] < high) & (frame["g"] == "a")]
        row = known[(known["score_band"] == low) & (known["group"] == "a")].iloc[0]
        assert (row["successes"], row["trials"]) == (own["y"].sum(), len(own))
        assert row["low"] < row["rate"] < row["high"]
    # People without a score have no place on the axis, and are in the table.
    said = record(audit(cells, {"groups": ["g"], "checks": [{**CHECKS[1], "metric": "base_rate"}]}))
    (calibrated,) = audit_figures.by_score(said)[-1]["figures"]
    assert "inf" not in calibrated["svg"]


@pytest.mark.slow
def test_a_page_stays_light_and_accessible_with_much_on_it(scored: Any) -> None:
    cells, plan = scored
    many = [{**CHECKS[1], "name": f"check {i}"} for i in range(audit_figures.DRAWN + 2)]
    html = page(record(audit(counted(25), {"groups": ["g"], "checks": many})), "x")
    assert html.count("<svg") == audit_figures.DRAWN
    assert html.count("Not drawn; its gaps are in the") == 2
    check(html)
    assert len(page(record(audit(cells, plan)), "x").encode()) < 500_000
