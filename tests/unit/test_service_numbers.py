"""Citizen service numbers: the eleven-test as it is published, in the query of intake."""

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamall.mall.intake.checks import _eleven

WEIGHTS = (9, 8, 7, 6, 5, 4, 3, 2, -1)


def sound(number: str) -> bool:
    row = duckdb.execute(f"SELECT {_eleven('n')} FROM (SELECT ?::VARCHAR AS n)", [number])
    found = row.fetchone()
    assert found is not None
    return bool(found[0])


@pytest.mark.parametrize("number", ["111222333", "123456782"])
def test_numbers_that_are_known_to_be_sound(number: str) -> None:
    assert sound(number)


@pytest.mark.parametrize(
    "number", ["123456789", "12345678", "1234567820", "000000000", "12345678a", "", "11122233 "]
)
def test_others_are_not(number: str) -> None:
    assert not sound(number)


@given(st.text("0123456789", min_size=9, max_size=9), st.integers(0, 8), st.integers(1, 9))
def test_weights_modulo_eleven_and_no_digit_can_be_mistaken(
    number: str, place: int, step: int
) -> None:
    total = sum(w * int(d) for w, d in zip(WEIGHTS, number, strict=True))
    assert sound(number) == (total % 11 == 0 and int(number) > 0)
    if sound(number):
        other = str((int(number[place]) + step) % 10)
        assert not sound(number[:place] + other + number[place + 1 :])
