"""An audit of anybody's counts: from a YAML file and a sheet to figures and a page."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from datamall.cli import main
from datamall.errors import DatamallError
from datamall.fairness import Bounds, Cells, audit
from datamall.fairness.specification import read, run
from datamall.fairness.verdict import FAIL, NOT_ENOUGH, PASS
from datamall.fairness.words import answer, frequencies, record
from datamall.reporting.audits import page

EDGES = {"kind": "ratio", "low": 0.8, "high": 1.25, "reason": "four fifths"}
SPEC: dict[str, Any] = {
    "title": "Selection for a visit",
    "sheet": "counts.csv",
    "columns": {"decision": "picked", "count": "people"},
    "values": {"picked": {"ja": True, "nee": False}},
    "groups": ["origin"],
    "reference": {"origin": "Dutch"},
    "tolerances": {"selection_rate": EDGES},
}
ROWS = pd.DataFrame(
    [
        ("Dutch", "ja", 260),
        ("Dutch", "nee", 27_630),
        ("other", "ja", 650),
        ("other", "nee", 18_930),
    ],
    columns=["origin", "picked", "people"],
)


def make(folder: Path, rows: pd.DataFrame = ROWS, name: str = "counts.csv", **change: Any) -> Path:
    spec = {k: v for k, v in (SPEC | {"sheet": name} | change).items() if v is not None}
    path = folder / "audit.yaml"
    path.write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")
    target = folder / name
    if target.suffix == ".csv":
        rows.to_csv(target, index=False, sep=";")
    elif target.suffix == ".parquet":
        rows.to_parquet(target)
    return path


def test_a_sheet_of_counts(tmp_path: Path) -> None:
    result = run(make(tmp_path))
    assert result.verdict.overall == FAIL
    row = result.comparisons.iloc[0]
    assert (row["rate"], row["other_rate"]) == (650 / 19_580, 260 / 27_890)


def test_rows_and_counts_and_every_kind_of_sheet_say_the_same(tmp_path: Path) -> None:
    counted = ROWS.assign(people=ROWS["people"] // 10)
    expected = run(make(tmp_path, counted)).comparisons
    parquet = run(make(tmp_path, counted, "counts.parquet")).comparisons
    each = counted.loc[counted.index.repeat(counted["people"])].drop(columns="people")
    by_row = run(make(tmp_path, each, columns={"decision": "picked"})).comparisons
    for other in (parquet, by_row):
        pd.testing.assert_frame_equal(other, expected)


def test_a_workbook(tmp_path: Path, shared: Path) -> None:
    """The Swedish file itself, one sheet of it, by the words of its header."""
    source = shared / "real" / "fraud" / "sweden" / "data_english.xlsx"
    (tmp_path / "sweden.xlsx").write_bytes(source.read_bytes())
    path = make(
        tmp_path,
        name="sweden.xlsx",
        tab="Gender 1 Decimal",
        columns={"arm": "Selection Method"},
        values=None,
        groups=["Gender"],
        reference="rest",
        result="Result",
        labels={
            "published": {
                **{"Errors Found": True, "Control Investigation": True},
                **{"No Control Investigation": True, "No Errors Found": False},
            }
        },
        tolerances=None,
        checks=[
            {"name": name, "metric": "base_rate", "of": name, "tolerance": EDGES}
            for name in ("everybody", "investigated")
        ],
    )
    sheet = read(path)
    assert sheet.counts.people == 6129
    # One result was recorded in one arm only: among everybody it means nothing certain.
    assert audit(sheet.counts, sheet.plan).checks["verdict"].tolist() == [NOT_ENOUGH, PASS]


def test_rounded_and_hidden_counts_become_bounds(tmp_path: Path) -> None:
    sheet = read(make(tmp_path, rounding=10))
    assert isinstance(sheet.counts, Bounds)
    hidden = ROWS.assign(people=["<10", "27630", "650", "18930"])
    row = run(make(tmp_path, hidden, suppressed_below=10)).comparisons.iloc[0]
    assert np.isnan(row["gap"]) and row["gap_low"] > 50
    total = pd.concat([ROWS[ROWS["picked"] == "ja"], ROWS[ROWS["picked"] == "nee"]])
    total = total.assign(picked=total["picked"].replace("nee", "alles"))
    total.loc[total["picked"] == "alles", "people"] = [27_890, 19_580]
    own = run(make(tmp_path, total, rounding=10, total="alles")).comparisons.iloc[0]
    assert own["rate"] == 650 / 19_580


def test_counts_of_confusion(tmp_path: Path) -> None:
    table = pd.DataFrame({"g": ["a", "b"], "tp": [30, 40], "fp": [20, 60], "fn": 30, "tn": 200})
    columns = {name: name for name in ("tp", "fp", "fn", "tn")}
    spec: dict[str, Any] = {
        "columns": columns,
        "values": None,
        "groups": ["g"],
        "reference": "rest",
    }
    path = make(tmp_path, table, tolerances={"fpr": EDGES}, **spec)
    assert isinstance(read(path).counts, Cells)
    assert run(path).comparisons["rate"].tolist() == [20 / 220, 60 / 260]
    sized = spec | {"columns": columns | {"n": "n"}}
    path = make(tmp_path, table.assign(n=[280, 330]), tolerances={"fpr": EDGES}, **sized)
    assert run(path).comparisons["rate"].tolist() == [20 / 220, 60 / 260]


def test_bands_are_numbers_or_listed(tmp_path: Path) -> None:
    rows = ROWS.assign(band=["high", "low", "high", "low"])
    columns = SPEC["columns"] | {"score_band": "band"}
    with pytest.raises(DatamallError, match="list them under bands"):
        read(make(tmp_path, rows, columns=columns))
    with pytest.raises(DatamallError, match="holds 'high', not among the bands"):
        read(make(tmp_path, rows, columns=columns, bands=["low"]))
    sheet = read(make(tmp_path, rows, columns=columns, bands=["low", "high"]))
    assert sheet.counts.levels[-1] == ("low", "high")
    numbers = rows.assign(band=[2, 1, 2, 1])
    assert read(make(tmp_path, numbers, columns=columns)).counts.levels[-1] == (1.0, 2.0)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"sheet": None, "name": ""}, "names no sheet"),
        ({"colunms": {}}, "unknown word 'colunms'"),
        ({"columns": ["picked"]}, "are mappings"),
        ({"columns": {"decisoin": "picked"}}, "no role 'decisoin'"),
        ({"columns": {"decision": "chosen", "count": "people"}}, "no column 'chosen'"),
        ({"groups": ["sex"]}, "no column 'sex'"),
        ({"values": None}, "neither yes nor no"),
        ({"rounding": 2.5}, "rounding is 2.5"),
        ({"rounding": 7}, "no multiple of the rounding 7"),
        ({"rounding": 10, "columns": {"decision": "picked"}}, "column with the role count"),
        ({"tolerances": {"gini": EDGES}}, "no metric 'gini'"),
        ({"checks": []}, "Give checks, or tolerances"),
        ({"columns": {"tp": "people"}}, "columns tp, fp, fn and tn"),
        ({"reference": {"origin": "Belgian"}}, "no reference group Belgian"),
    ],
)
def test_specifications_that_cannot_be(tmp_path: Path, change: dict, sentence: str) -> None:
    path = make(tmp_path, **{k: v for k, v in change.items() if k != "name"})
    with pytest.raises(DatamallError, match=sentence) as error:
        run(path)
    assert "\n" not in str(error.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DatamallError, match=r"There is no file none\.yaml"):
        run(tmp_path / "none.yaml")
    path = make(tmp_path)
    (tmp_path / "counts.csv").unlink()
    with pytest.raises(DatamallError, match=r"There is no sheet counts\.csv"):
        run(path)
    (tmp_path / "counts.csv").write_bytes("origin;picked;people\nn\xe9;ja;3\n".encode("latin-1"))
    with pytest.raises(DatamallError, match=r"counts\.csv is not valid utf-8: byte 0xe9 in line 2"):
        run(path)
    for name in ("counts.parquet", "counts.xlsx"):
        path = make(tmp_path, name=name)
        (tmp_path / name).write_bytes(b"nothing of the kind")
        with pytest.raises(DatamallError, match=re.escape(name)):
            run(path)
    (tmp_path / "audit.yaml").write_text("sheet: [a\n", encoding="utf-8")
    with pytest.raises(DatamallError, match="is not valid YAML, line"):
        run(tmp_path / "audit.yaml")


def test_natural_frequencies_are_of_as_many_people_as_it_takes() -> None:
    assert frequencies("fpr", 0.014, 0.006, "women") == (
        "Of 1,000 people without the outcome, 14 are selected all the same in the group women; "
        "among everybody else 6."
    )
    assert frequencies("ppv", 0.5, 0.25, "a", "b").startswith("Of 100 people who are selected, 50")
    assert frequencies("tpr", 0.00004, 0.1, "a").startswith("Of 100,000 people with the outcome, 4")
    assert frequencies("tpr", 0.0, 0.1, "a").startswith("Of 100 people with the outcome, 0")
    assert frequencies("tpr", float("nan"), 0.1, "a") == ""


def test_the_answer_says_what_it_does_not(tmp_path: Path) -> None:
    assert answer(run(make(tmp_path))) == (
        "FAIL: outside the tolerance. selection_rate, other: 3.56 times as often (3.15 to 4.02 "
        "with all that is uncertain); tolerated is from 0.80 to 1.25 times."
    )
    few = run(make(tmp_path, ROWS.assign(people=[3, 27, 5, 25])))
    assert few.verdict.overall == NOT_ENOUGH
    assert answer(few).endswith("Nothing is shown either way; that is no finding of fairness.")
    same = run(make(tmp_path, ROWS.assign(people=[3000, 27_000, 3000, 27_000])))
    assert answer(same) == (
        "PASS: inside the tolerance. Furthest out: selection_rate, other: 1.00 times as often "
        "(0.96 to 1.04 with all that is uncertain); tolerated is from 0.80 to 1.25 times."
    )


def test_the_command_writes_figures_and_a_page(tmp_path: Path) -> None:
    path, out = make(tmp_path, about="Counts <of> 2019."), tmp_path / "out"
    done = CliRunner().invoke(main, ["audit", str(path), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert done.output.startswith("FAIL: outside the tolerance.")
    assert sorted(p.name for p in out.iterdir()) == ["audit.audit.html", "audit.audit.json"]
    figures = json.loads((out / "audit.audit.json").read_text("utf-8"))
    assert figures["verdict"] == FAIL
    assert figures["tables"]["comparisons"][0]["rate"] == pytest.approx(650 / 19_580, rel=1e-5)
    html = (out / "audit.audit.html").read_text("utf-8")
    assert html.index("FAIL: outside") < html.index("All numbers")
    assert "Of 1,000 people, 33 are selected in the group other; among Dutch 9." in html
    assert "Counts &lt;of&gt; 2019." in html
    assert "<script" not in html and "Draft: not reviewed" in html
    again = tmp_path / "again"
    CliRunner().invoke(main, ["audit", str(path), "--out", str(again)])
    for name in ("audit.audit.html", "audit.audit.json"):
        assert (again / name).read_bytes() == (out / name).read_bytes()


def test_the_command_says_in_a_sentence_what_is_wrong(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["audit", str(make(tmp_path, groups=["sex"]))])
    assert done.exit_code == 1
    assert done.output.startswith("datamall: ")
    assert not list(tmp_path.glob("*.audit.*"))


@pytest.mark.slow
def test_a_page_of_an_audit_with_everything() -> None:
    draw = np.random.Generator(np.random.PCG64(1))
    n = 4000
    frame = pd.DataFrame({"g": draw.choice(["a", "b & c"], n), "band": draw.integers(1, 11, n)})
    frame["flag"], y = frame["band"] >= 9, draw.random(n) < 0.2
    frame["arm"] = np.where(
        draw.random(n) < 0.1, "random", np.where(frame["flag"], "profile", "none")
    )
    frame["result"] = pd.Series(np.where(y, "fraud", "none")).where(frame["arm"] != "none")
    counts = Cells.from_frame(frame, ["g", "result"], "flag", arm="arm", score_band="band")
    plan = {
        "groups": ["g"],
        "result": "result",
        "labels": {"all": {"fraud": True, "none": False}, "other": {"fraud": True, "none": False}},
        "identification": {"random": "random", "profile": "profile", "reason": "all are visited"},
        "smallest": 10,
        "checks": [
            {"name": "flagged <people>", "metric": "selection_rate", "tolerance": EDGES},
            {"name": "wrong flags", "metric": "fpr", "tolerance": EDGES, "norm": "ECHR 8"},
            {"name": "all right", "metric": "accuracy", "tolerance": EDGES, "gating": False},
        ],
    }
    html = page(record(audit(counts, plan), "An audit", "About it."), "x")
    assert "flagged &lt;people&gt;" in html
    assert "Not identified (selective labels): no arm gives it." in html
    assert "false positive rate; equal rates are predictive equality" in html
    assert "Of 100 people without the outcome" in html
    for part in (
        "Outcome: all",
        "ECHR 8",
        "b &amp; c",
        "In which arms",
        "fewer or more people",
        "same score means",
    ):
        assert part in html, part
    assert "nan" not in re.sub(r"<[^>]+>", " ", html).lower().split()


def test_the_first_audit_of_the_guide_runs_from_its_text(tmp_path: Path, root: Path) -> None:
    text = (root / "docs" / "fairness-audit.md").read_text("utf-8")
    for name in ("duo.csv", "duo.yaml"):
        found = re.search(rf"`{name}`\n\n```\w*\n(.*?)```", text, re.DOTALL)
        assert found is not None
        (tmp_path / name).write_text(found[1], encoding="utf-8")
    said = answer(run(tmp_path / "duo.yaml"))
    assert "FAIL" in said and "3.56 times as often (3.07 to 4.14" in said
    assert "3.56 times as often, 3.07 to 4.14" in text
