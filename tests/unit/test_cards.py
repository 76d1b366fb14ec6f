"""Tables that become lists where they do not fit."""

import math
import re

import pandas as pd
import pytest

from datamall.reporting.cards import fitted
from datamall.reporting.tables import html_table


def width(frame: pd.DataFrame) -> int | None:
    found = re.search(r'<table class="w(\d+)">', fitted(html_table(frame, "Caption")))
    return int(found[1]) if found else None


def test_a_narrow_table_stays_as_it_is() -> None:
    table = html_table(pd.DataFrame({"place": ["a"], "n": [1]}), "Caption")
    assert fitted(table) == table


@pytest.mark.parametrize(("columns", "expected"), [(3, 24), (4, 28), (8, 60), (30, 68)])
def test_numbers_are_as_wide_as_their_digits(columns: int, expected: int) -> None:
    # Eight figures and two commas of 0.6 rem, and 1.2 rem between columns: 7.2 rem each but the
    # last; 68 is as wide as it gets.
    assert 4 * math.ceil((7.2 * columns - 1.2) / 4) == expected or columns == 30
    assert width(pd.DataFrame({f"c{k}": [11_111_111] for k in range(columns)})) == expected


def test_texts_are_as_wide_as_their_longest_word_and_no_narrower_than_the_style() -> None:
    # 25 letters make a text "long", which gets 9 rem; with three of them 29.4 rem.
    words = "one two three four five six"
    assert width(pd.DataFrame({k: [words] for k in "abc"})) == 32
    long = "x" * 40  # 24 rem by itself
    assert width(pd.DataFrame({"a": [f"{words} {long}"], "b": [1]})) == 28


def test_a_heading_counts_also_without_rows() -> None:
    frame = pd.DataFrame({"Verantwoordelijkheidsverdeling": [], "n": []})
    assert width(frame) == 24


def test_each_cell_is_named_by_its_heading() -> None:
    frame = pd.DataFrame({'a "quoted" <name>': ["x & y"], **{f"c{k}": [10**8] for k in range(4)}})
    table = fitted(html_table(frame, "Caption"))
    row = re.findall(r"<tr>(<th scope=\"row\".*)</tr>", table)[0]
    assert re.findall(r'data-h="([^"]*)"', row) == [
        "A &quot;quoted&quot; &lt;name&gt;", "C0", "C1", "C2", "C3"
    ]  # fmt: skip
    assert "x &amp; y" in row
    # But for names and width, all is as it was.
    bare = re.sub(r' data-h="[^"]*"', "", table)
    assert re.sub(r'<table class="w\d+">', "<table>", bare) == html_table(frame, "Caption")
