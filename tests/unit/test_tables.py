import json
import math
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamall.errors import DatamallError
from datamall.reporting import rounding, tables
from datamall.requirements import Absent

FINITE = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False)


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.text.append(data.strip())


def cells(frame: pd.DataFrame) -> list[str]:
    """Return the texts of the body of the table."""
    text = Tags(tables.html_table(frame, "Caption")).text
    return text[1 + len(frame.columns) :]


@given(st.lists(FINITE, max_size=20))
def test_rounding_keeps_six_digits_and_is_stable(values: list[float]) -> None:
    frame = pd.DataFrame({"a": np.array(values, dtype="float64"), "n": range(len(values))})
    once = rounding.rounded(frame)
    pd.testing.assert_frame_equal(rounding.rounded(once), once)
    assert list(once["n"]) == list(frame["n"])
    for before, after in zip(values, once["a"], strict=True):
        assert math.isclose(before, after, rel_tol=5.1e-6)
        assert float(f"{after:.5e}") == after
    assert sorted(once["a"]) == list(rounding.rounded(pd.DataFrame({"a": sorted(values)}))["a"])


def test_rounding_leaves_everything_but_floats() -> None:
    frame = pd.DataFrame(
        {"n": [1234567890], "f": [0.123456789], "t": ["1.23456789"], "b": [True]},
        index=pd.Index([7], name="key"),
    )
    result = rounding.rounded(frame)
    assert result.loc[7].to_dict() == {"n": 1234567890, "f": 0.123457, "t": "1.23456789", "b": True}
    assert frame.loc[7, "f"] == 0.123456789


def test_noise_in_the_last_bits_disappears_from_the_csv() -> None:
    exact = pd.DataFrame({"a": [0.1 + 0.2, -0.0, np.nan], "n": [1, 2, 3]})
    noisy = pd.DataFrame({"a": [np.nextafter(0.3, 1), 0.0, np.nan], "n": [1, 2, 3]})
    assert tables.csv_text(exact) == tables.csv_text(noisy) == "a,n\n0.3,1\n0.0,2\n,3\n"


def test_cells_are_readable() -> None:
    frame = pd.DataFrame(
        {
            "place": ["a", "b", "c"],
            "rate": [0.0312, 0.0001, np.nan],
            "share": [0.8512, -0.21, 0.0000001],
            "n": [12345, 20, 3],
            "year": [2025, 2026, 2027],
            "whole": [1.0, 2.0, np.nan],
            "hot": [True, False, True],
            "day": pd.to_datetime(["2025-01-31"] * 3),
        }
    )
    text = cells(frame)
    assert text[:8] == ["a", "0.0312", "0.851", "12,345", "2025", "1", "yes", "2025-01-31"]
    assert text[8:16] == ["b", "0.0001", "−0.210", "20", "2026", "2", "no", "2025-01-31"]
    assert text[16:21] == ["c", "–", "<0.001", "3", "2027"]


def test_table_is_accessible_and_escaped() -> None:
    evil = '<script>alert("1")</script>'
    frame = pd.DataFrame({evil: [evil], "n": [1]})
    html = tables.html_table(frame, evil, headings={"n": "Times & times"})
    found = Tags(html)
    names = [tag for tag, _ in found.tags]
    assert "script" not in names
    assert names.count("caption") == 1
    assert [a["scope"] for tag, a in found.tags if tag == "th"] == ["col", "col", "row"]
    region = dict(found.tags)["div"]
    assert region["tabindex"] == "0" and region["role"] == "region"
    assert region["aria-label"] == f"Table: {evil}"
    assert "Times & times" in found.text


def test_long_table_says_how_many_rows_there_are() -> None:
    frame = pd.DataFrame({"a": range(2319)})
    html = tables.html_table(frame, "Places", rows=15)
    assert html.count("<tr>") == 16
    assert "The first 15 of 2,319 rows." in html
    assert "No rows." in tables.html_table(frame.head(0), "Places")


def test_bundle_holds_the_whole_table_and_its_types() -> None:
    frame = pd.DataFrame({"code": ["0012", "0013"], "n": [1, 2], "r": [1 / 3, 0.5]})
    data, metadata = tables.table_bundle(frame, "rates", "Rates", rows=1)
    assert data[tables.CSV] == "code,n,r\n0012,1,0.333333\n0013,2,0.5\n"
    about = metadata["datamall"]
    assert about["columns"] == {"code": "text", "n": "integer", "r": "number"}
    assert "0013" not in data["text/html"]


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "", "Rates", "1a", "a" * 61, "answer", "metrics", "provenance"]
)
def test_names_that_cannot_be_files_are_refused(name: str) -> None:
    with pytest.raises(DatamallError, match="cannot name"):
        tables.table_bundle(pd.DataFrame({"a": [1]}), name, "Caption")


def test_table_without_caption_or_with_equal_columns_is_refused() -> None:
    with pytest.raises(DatamallError, match="has no caption"):
        tables.show(pd.DataFrame({"a": [1]}), "rates", " ")
    with pytest.raises(DatamallError, match="two columns of one name"):
        tables.show(pd.DataFrame([[1, 2]], columns=["a", "a"]), "rates", "Caption")


def test_gap_takes_the_place_of_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tables.Bundle] = []
    monkeypatch.setattr(tables, "publish", lambda *bundle: shown.append(bundle))
    tables.show(Absent("Causes", "Not possible here: no <b> causes."), "causes", "Causes")
    (data, metadata) = shown[0]
    assert tables.CSV not in data
    assert "&lt;b&gt;" in data["text/html"]
    assert metadata["datamall"] == {
        "kind": "absent", "name": "causes", "chapter": "Causes",
        "reason": "Not possible here: no <b> causes.",
    }  # fmt: skip


def test_answer_carries_date_metrics_and_evidence() -> None:
    data = SimpleNamespace(
        purpose="enforcement", synthetic=True, period={"first_day": "2025-01-01", "last_day": "x"}
    )
    metrics = {"rate": np.float64(1 / 3), "n": np.int64(12345678), "none": np.nan}
    bundle, metadata = tables.answer_bundle("31 (24 to 39).", ["rates"], data, metrics)
    payload = json.loads(json.dumps(bundle[tables.ANSWER]))
    assert payload["metrics"] == {"rate": 0.333333, "n": 12345678, "none": None}
    assert payload["data"]["period"]["first_day"] == "2025-01-01"
    assert "nothing here is about a real place" in bundle["text/html"]
    assert metadata == {"datamall": {"kind": "answer"}}


@pytest.mark.parametrize("metric", ["0.3", True, [1], None])
def test_metrics_are_single_numbers(metric: Any) -> None:
    with pytest.raises(DatamallError, match="metrics are single numbers"):
        tables.answer_bundle("Answer.", metrics={"rate": metric})


def test_a_verdict_is_one_of_three() -> None:
    bundle, _ = tables.answer_bundle("Answer.", verdict="NOT ENOUGH EVIDENCE")
    assert bundle[tables.ANSWER]["verdict"] == "NOT ENOUGH EVIDENCE"
    assert tables.answer_bundle("Answer.")[0][tables.ANSWER]["verdict"] is None
    with pytest.raises(DatamallError, match="'fair' is no verdict: say PASS, FAIL, NOT ENOUGH"):
        tables.answer_bundle("Answer.", verdict="fair")


def test_empty_answer_is_refused() -> None:
    with pytest.raises(DatamallError, match="has no sentence"):
        tables.answer("")


def test_long_texts_get_room_and_short_ones_stay_on_one_line() -> None:
    frame = pd.DataFrame({"place": ["dump spot"], "why": ["a sentence that is rather long"]})
    html = tables.html_table(frame, "Caption")
    assert '<th scope="row">dump spot</th><td class="long">a sentence' in html
    frame["why"] *= 3
    assert '<td class="prose">a sentence' in tables.html_table(frame, "Caption")


def test_a_long_table_travels_packed_and_whole() -> None:
    frame = pd.DataFrame(
        {"code": [f"é{n}" for n in range(25_000)], "r": [n / 7 for n in range(25_000)]}
    )
    data, _ = tables.table_bundle(frame, "long", "A long table")
    assert tables.CSV not in data
    assert len(data[tables.PACKED]) < 0.7 * len(tables.csv_text(frame))
    assert tables.csv_of(data) == tables.csv_text(frame).encode()
    short, _ = tables.table_bundle(frame.head(2), "short", "A short table")
    assert tables.csv_of(short) == short[tables.CSV].encode()
    assert tables.csv_of({"text/plain": "nothing"}) is None
