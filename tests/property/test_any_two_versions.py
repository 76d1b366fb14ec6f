"""People between two versions of a store, counted by hand from the rows."""

from pathlib import Path

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from datamall.mall import versions
from datamall.mall.authorities import load_authority
from datamall.mall.contracts import load_contracts

ROOT = Path(__file__).parents[2]
CONTRACT = load_contracts(ROOT)["welfare.investigations"]
MAPPING = load_authority(ROOT, "demo")
# One row for each person and year; what it says is an arm, or nothing.
STORE = st.dictionaries(
    st.tuples(st.sampled_from("ABCDEFGH"), st.sampled_from([2024, 2025, 2026])),
    st.sampled_from(["random", "signal", None]),
    max_size=20,
)
Rows = dict[tuple[str, int], str | None]


def marks(rows: Rows, **more: str) -> bytes:
    table = pa.table(
        {
            "client": pa.array([client for client, _ in rows], pa.string()),
            "year": pa.array([year for _, year in rows], pa.int64()),
            "arm": pa.array([*rows.values()], pa.string()),
        }
    )
    for name, value in more.items():
        table = table.append_column(name, pa.array([value] * len(rows), pa.string()))
    return versions.marks(MAPPING, CONTRACT, table)


def by_hand(before: Rows, after: Rows) -> list[tuple[int, int]]:
    years = {year for _, year in before} & {year for _, year in after}
    return sorted(
        (
            sum(key[1] == year and after.get(key, "") != before[key] for key in before),
            sum(key[1] == year and before.get(key, "") != after[key] for key in after),
        )
        for year in years
    )


@given(before=STORE, after=STORE)
def test_people_between_are_those_of_the_rows(before: Rows, after: Rows) -> None:
    assert sorted(versions.between(marks(before), marks(after))) == by_hand(before, after)
    assert versions.between(marks(before), marks(before)) == [(0, 0)] * len(
        {year for _, year in before}
    )


@given(rows=STORE)
def test_the_order_of_rows_is_not_told(rows: Rows) -> None:
    turned = dict(reversed(rows.items()))
    assert marks(rows) == marks(turned)
    assert len(marks(rows)) == len(marks({})) + 24 * len(rows)


@given(before=STORE, after=STORE)
def test_a_column_more_makes_nobody_new(before: Rows, after: Rows) -> None:
    more = versions.between(marks(before), marks(after, sex="female"))
    assert more == versions.between(marks(before), marks(after))
    assert versions.between(marks(before, sex="male"), marks(after)) == more
