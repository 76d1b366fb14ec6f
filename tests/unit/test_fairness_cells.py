"""Cells from rows, counts and engines; and input that cannot be right."""

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from datamall.errors import DatamallError
from datamall.fairness import Bounds, Cells, recoding
from datamall.fairness.subgroups import subgroups

GROUPS = ["sex", "origin"]


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    draw = np.random.Generator(np.random.PCG64(1))
    n = 4000
    return pd.DataFrame(
        {
            "sex": pd.Categorical.from_codes(draw.integers(0, 2, n), ["woman", "man"]),
            "origin": draw.choice(np.array(["Dutch", "other", None], object), n),
            "age": draw.integers(18, 30, n),
            "flagged": draw.random(n) < 0.1,
            "result": draw.choice([0.0, 1.0, np.nan], n),
            "arm": draw.choice(["profile", "random"], n),
            "score": draw.integers(0, 10, n) / 10,
        }
    )


def cells(frame: object) -> Cells:
    return Cells.from_frame(frame, GROUPS, "flagged", "result", arm="arm", score_band="score")


def test_cells_count_every_person_once(people: pd.DataFrame) -> None:
    got = Cells.from_frame(people, ["sex"], "flagged", "result")
    assert (got.people, got.levels) == (4000, (("man", "woman"),))
    women = people[people.sex == "woman"]
    known = women.result.map({0.0: 0, 1.0: 1}).fillna(2).astype(int)
    for d in (0, 1):
        for y in (0, 1, 2):
            assert got.counts[1, d, y] == ((women.flagged == bool(d)) & (known == y)).sum()


def test_unknown_outcome_is_not_no(people: pd.DataFrame) -> None:
    rates = Cells.from_frame(people, ["sex"], "flagged", "result").rates([])
    known = people[people.result.notna()]
    assert rates["base_rate"].item() == known.result.mean()
    assert rates["selection_rate"].item() == people.flagged.mean()
    assert rates["n"].item() == 4000


def test_missing_and_blank_groups_are_a_group_of_their_own() -> None:
    frame = pd.DataFrame({"g": ["b", None, " ", "a", "b "], "d": [1, 1, 0, 0, 1]})
    table = Cells.from_frame(frame, ["g"], "d").rates(names=["selection_rate"])
    assert table["g"].tolist() == ["a", "b", "(missing)"]
    assert table["n"].tolist() == [1, 2, 2]
    assert table["selection_rate"].tolist() == [0, 1, 0.5]


def test_numbers_as_groups_are_in_order_and_do_not_depend_on_their_type() -> None:
    frame = pd.DataFrame({"g": [10, 9, 2], "d": [1, 0, 1]})
    one = Cells.from_frame(frame, ["g"], "d")
    assert one.levels == (("2", "9", "10"),)
    for kind in ("float64", "Int64", "str", "category"):
        assert Cells.from_frame(frame.astype({"g": kind}), ["g"], "d") == one


@pytest.mark.parametrize("kind", ["bool", "int64", "float64", "boolean", "str", "category"])
def test_decisions_of_any_type_mean_the_same(kind: str) -> None:
    frame = pd.DataFrame({"g": ["a", "a", "b"], "d": [True, False, True]})
    assert Cells.from_frame(frame.astype({"d": kind}), ["g"], "d") == Cells.from_frame(
        frame, ["g"], "d"
    )


def test_tidy_frame_gives_the_same_cells_back(people: pd.DataFrame) -> None:
    got = cells(people)
    back = Cells.from_frame(
        got.frame,
        GROUPS,
        "decision",
        "outcome",
        arm="arm",
        score_band="score_band",
        count="count",
    )
    assert back == got


def test_engines_give_the_same_cells(people: pd.DataFrame) -> None:
    got = cells(people)
    arrow = pa.Table.from_pandas(people)
    assert cells(duckdb.from_df(people)) == got
    assert cells(arrow) == got
    assert cells(pa.Table.from_batches(arrow.to_batches(max_chunksize=100)).to_reader()) == got
    counted = duckdb.from_df(people).aggregate("sex, flagged, count(*) AS n", "sex, flagged")
    assert (
        Cells.from_frame(counted, ["sex"], "flagged", count="n").rates(names=["selection_rate"])
    ).equals(got.rates(["sex"], ["selection_rate"]))


def test_many_combinations_are_counted_as_few_are(people: pd.DataFrame) -> None:
    wide = people.assign(id=np.arange(len(people)) % 3000, more=np.arange(len(people)) % 1999)
    got = Cells.from_frame(wide, ["sex", "id", "more"], "flagged", "result")
    assert len(got) > 3000
    assert got.by(["sex"]) == Cells.from_frame(people, ["sex"], "flagged", "result")
    eight = pd.DataFrame({f"k{i}": np.arange(300) for i in range(8)})
    assert len(Cells.from_frame(eight, list(eight))) == 300  # 301^8 possible combinations


def test_cells_add_up(people: pd.DataFrame) -> None:
    parts = [cells(people[:1500]), cells(people[1500:])]
    assert parts[0] + parts[1] == cells(people) == parts[1] + parts[0]
    new = pd.DataFrame({"g": ["z", "b"], "d": [1, 0]})
    old = pd.DataFrame({"g": ["b", "a"], "d": [1, 1]})
    both = Cells.from_frame(new, ["g"], "d") + Cells.from_frame(old, ["g"], "d")
    assert both == Cells.from_frame(pd.concat([new, old]), ["g"], "d")
    with pytest.raises(DatamallError, match="do not add up"):
        both + cells(people)


def test_text_bands_add_up_only_if_their_order_is_known() -> None:
    def banded(values: list[str]) -> Cells:
        frame = pd.DataFrame({"b": pd.Categorical(values, values, ordered=True), "d": 1})
        return Cells.from_frame(frame, [], "d", score_band="b")

    assert (banded(["low", "high"]) + banded(["low", "mid", "high"])).levels == (
        ("low", "mid", "high"),
    )
    with pytest.raises(DatamallError, match="neither holds the other"):
        banded(["low", "mid"]) + banded(["mid", "high"])


def test_sums_over_keys_and_picks(people: pd.DataFrame) -> None:
    got = cells(people)
    assert got.by(["origin"]) == Cells.from_frame(people, ["origin"], "flagged", "result")
    assert got.by(["sex", "origin"]).by([]).people == 4000
    assert got.groups == ("sex", "origin")
    arm = got.where(arm="random", sex=["man"])
    picked = people[(people.arm == "random") & (people.sex == "man")]
    assert arm.people == len(picked)
    assert got.where(sex=[]).rates([])["n"].item() == 0
    with pytest.raises(DatamallError, match="There is no arm 'control': there are 'profile'"):
        got.where(arm="control")
    with pytest.raises(DatamallError, match="There is no key 'income'"):
        got.by(["income"])


def test_cells_never_change(people: pd.DataFrame) -> None:
    got = cells(people)
    with pytest.raises(ValueError, match="read-only"):
        got.counts[0, 0, 0] = 1
    with pytest.raises(AttributeError):
        got.axes = ()  # type: ignore[misc]
    keys = got.keys
    keys.iloc[0, 0] = "changed"
    assert got == cells(people)


def test_labels_say_what_other_values_mean() -> None:
    frame = pd.DataFrame({"g": "a", "r": ["fraud", "none", "unclear", None]})
    labels = {"r": {"fraud": True, "none": False, "unclear": None}}
    assert Cells.from_frame(frame, ["g"], outcome="r", labels=labels).counts[0, 2].tolist() == [
        1,
        1,
        2,
    ]
    with pytest.raises(DatamallError, match="Column r holds 'fraud', 'none', 'unclear'"):
        Cells.from_frame(frame, ["g"], outcome="r")
    with pytest.raises(DatamallError, match="'unclear', which is neither yes nor no"):
        Cells.from_frame(frame, ["g"], outcome="r", labels={"r": {"fraud": True, "none": False}})


def test_weights_are_a_key_and_weigh_the_rates() -> None:
    frame = pd.DataFrame({"g": ["a", "a", "b"], "d": [1, 0, 1], "w": [3.0, 1.0, 2.0]})
    got = Cells.from_frame(frame, ["g"], "d", weight="w")
    table = got.rates(names=["selection_rate"])
    assert table["selection_rate"].tolist() == [0.75, 1.0]
    assert table["n"].tolist() == [2, 1]
    assert got.rates([], ["selection_rate"])["selection_rate"].item() == 5 / 6
    with pytest.raises(DatamallError, match="holds 200 different weights"):
        Cells.from_frame(pd.DataFrame({"d": 1, "w": np.arange(200.0)}), [], "d", weight="w")
    with pytest.raises(DatamallError, match="none below 0"):
        Cells.from_frame(frame.assign(w=-1.0), ["g"], "d", weight="w")
    with pytest.raises(DatamallError, match="not a finite number"):
        Cells.from_frame(frame.assign(w=[1, None, 2]), ["g"], "d", weight="w")


def test_confusion_counts_give_the_same_cells_as_rows() -> None:
    table = pd.DataFrame({"g": ["a", "b"], "tp": [3, 0], "fp": [1, 2], "fn": [0, 5], "tn": [9, 1]})
    got = Cells.from_confusion(table, ["g"])
    assert got.people == 21
    row = got.rates().set_index("g").loc["b"]
    assert (row["tpr"], row["fpr"], row["ppv"]) == (0, 2 / 3, 0)
    with pytest.raises(DatamallError, match="no column 'wrong' with counts of tn"):
        Cells.from_confusion(table, ["g"], tn="wrong")


def test_a_group_nobody_is_in_stays() -> None:
    table = pd.DataFrame({"g": ["a", "b"], "d": [1, 0], "n": [4, 0]})
    rates = Cells.from_frame(table, ["g"], "d", count="n").rates(names=["selection_rate"])
    assert rates["n"].tolist() == [4, 0]
    assert np.isnan(rates["selection_rate"][1])


def test_ten_thousand_groups() -> None:
    frame = pd.DataFrame({"g": np.arange(30_000) % 10_000, "d": np.arange(30_000) % 2})
    got = Cells.from_frame(frame, ["g"], "d")
    assert (len(got), got.people) == (10_000, 30_000)
    assert len(got.rates()) == 10_000


@pytest.mark.parametrize("engine", [lambda frame: frame, duckdb.from_df])
@pytest.mark.parametrize(
    ("change", "arguments", "sentence"),
    [
        ({"n": [1, -1]}, {"count": "n"}, "Column n holds .*: counts are whole numbers"),
        ({"n": [1, 0.5]}, {"count": "n"}, "Column n holds .*: counts are whole numbers"),
        ({"n": [1, np.nan]}, {"count": "n"}, "Column n holds .*: counts are whole numbers"),
        ({"n": [1, np.inf]}, {"count": "n"}, "Column n holds .*: counts are whole numbers"),
        ({"n": ["1", "many"]}, {"count": "n"}, "Column n .*counts are whole numbers"),
        ({"n": [2**52, 2**52]}, {"count": "n"}, "these are not people"),
        ({}, {"count": "m"}, "There is no column 'm': there are 'g', 'd'"),
        ({}, {"groups": ["h"]}, "There is no column 'h'"),
        ({}, {"groups": ["g", "g"]}, "Column g is named twice"),
        ({}, {"decision": "g"}, "Column g is named twice"),
        ({"d": [1, 2]}, {}, "Column d holds '2', which is neither yes nor no"),
        ({"b": ["low", "high"]}, {"score_band": "b"}, "score bands without an order"),
    ],
)
def test_input_that_cannot_be_right(
    engine: object, change: dict, arguments: dict, sentence: str
) -> None:
    frame = pd.DataFrame({"g": ["a", "a"], "d": [1, 1]} | change)
    with pytest.raises(DatamallError, match=sentence):
        Cells.from_frame(engine(frame), **{"groups": ["g"], "decision": "d"} | arguments)  # type: ignore[operator]


def test_input_of_another_kind() -> None:
    with pytest.raises(DatamallError, match="not from dict"):
        Cells.from_frame({"g": [1]}, ["g"])
    with pytest.raises(DatamallError, match="no rows to count"):
        Cells.from_frame(pd.DataFrame({"g": [], "d": []}), ["g"], "d")
    with pytest.raises(DatamallError, match="nothing to count by"):
        Cells.from_frame(pd.DataFrame({"g": [1]}), [])
    with pytest.raises(DatamallError, match="cannot be called 'n'"):
        Cells.from_frame(pd.DataFrame({"n": [1], "d": [1]}), ["n"], "d")
    with pytest.raises(DatamallError, match="holds lists or the like"):
        Cells.from_frame(pd.DataFrame({"g": [[1], [2]]}), ["g"])
    twice = pd.DataFrame([[1, 2]], columns=["g", "g"])
    with pytest.raises(DatamallError, match="named twice"):
        Cells.from_frame(twice, ["g"])


@pytest.mark.parametrize("exact", [True, False])
def test_values_of_keys_are_compared_as_text(exact: bool) -> None:
    rows = [(c, b, s, 10 + c) for c in (2, 9, 10) for b in (0.0, 0.5) for s in (0, 1)]
    frame = pd.DataFrame(rows, columns=["code", "band", "selected", "n"])
    make = Cells.from_frame if exact else Bounds.from_rounded
    counts = make(frame, ["code"], "selected", score_band="band", count="n")
    for nine in (9, "9", 9.0):
        picked = recoding.where(counts, {"code": nine})
        own = picked.counts.sum() if exact else picked.high[-1, -1, -1]
        assert own == 4 * 19
        merged = recoding.merge(counts, "code", {"other": [2, nine]})
        assert merged.levels[0] == ("10", "other")
        assert merged.merged == (("code", "other", ("2", str(nine))),)
    for half in (0.5, "0.5"):
        assert recoding.where(counts, {"score_band": half}).axes[0] == "code"
    for absent in ("x", "09", "9.0"):
        with pytest.raises(DatamallError, match=f"There is no code '{absent}'"):
            recoding.where(counts, {"code": absent})
    with pytest.raises(DatamallError, match="There is no score_band 'x'"):
        recoding.where(counts, {"score_band": "x"})
    with pytest.raises(DatamallError, match="9 is merged twice"):
        recoding.merge(counts, "code", {"a": [9], "b": ["9"]})
    with pytest.raises(DatamallError, match="No value of code is wanted"):
        recoding.where(counts, {"code": []})


def test_words_of_decisions_results_and_references_are_compared_as_text() -> None:
    frame = pd.DataFrame({"g": [1, 2], "result": [7.0, 8.0], "s": [3, 4]})
    counts = Cells.from_frame(frame, ["g", "result"], "s", labels={"s": {"3": True, 4: False}})
    assert counts.frame["decision"].tolist() == [1, 0]
    with pytest.raises(DatamallError, match="of column s means 'no': it means true, false or null"):
        Cells.from_frame(frame, ["g"], "s", labels={"s": {3: "no", 4: False}})  # type: ignore[dict-item]
    read = recoding.label(counts, "result", {7: True, "8": None})
    assert read.counts.sum(axis=(0, 1)).tolist() == [0, 1, 1]
    for one in (1, "1"):
        compared = subgroups(read).references({"g": one})[1]
        assert compared.tolist() == [False, True]
