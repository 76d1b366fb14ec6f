"""Rows of a CSV as JSON: what an encoder would write, whatever stands in them."""

import json

import numpy as np
import pandas as pd
import pytest

from datamall.reporting import records, rounding, tables


def table() -> pd.DataFrame:
    rng = np.random.Generator(np.random.PCG64(1))
    numbers = 10.0 ** rng.uniform(-30, 30, 4000) * rng.choice([-1, 1], 4000)
    numbers[:9] = np.nan, np.inf, -np.inf, -0.0, 0.0, 1e16, 999_999.5, 123_456_789.0, 5e-324
    frame = pd.DataFrame({'50 % and "more"': numbers})
    frame["whole"] = rng.integers(-(2**62), 2**62, 4000)
    frame["rare"] = pd.array(rng.integers(0, 9, 4000), dtype="Int64")
    frame.loc[::7, "rare"] = pd.NA
    frame["said"] = rng.choice(['a "b"', "two\nlines", "é, 100 %s", "0012", "\\", "inf"], 4000)
    frame.loc[::5, "said"] = None
    return frame.assign(sure=rng.random(4000) < 0.5)


@pytest.mark.parametrize("rows", [0, 1, 3999, 4000])
def test_json_is_what_an_encoder_writes(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr(records, "AT_ONCE", 1333)
    frame = table().head(rows)
    text = "".join(records.json_of(tables.csv_text(frame).encode(), tables.kinds(frame)))
    plain = rounding.rounded(frame).astype(object)
    missing = plain.isna() | plain.isin([np.inf, -np.inf])
    expected = plain.mask(missing, None).to_dict("records")
    assert json.loads(text) == expected
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
    assert text == "[\n" + ",\n".join(map(encode, expected)) + "\n]\n"


def test_rounding_is_that_of_each_number_by_itself() -> None:
    rng = np.random.Generator(np.random.PCG64(2))
    half = (rng.integers(10**5, 10**6, 4000) + 0.5) / 10.0 ** rng.integers(-3, 25, 4000)
    tens = 10.0 ** np.arange(-300, 300)
    edges = [ends for at in (half, tens) for ends in (at, np.nextafter(at, 0), at * (1 + 2e-16))]
    numbers = pd.Series(np.concatenate([table().iloc[:, 0], *edges, -half]))
    got = rounding.rounded(numbers.to_frame()).iloc[:, 0].to_numpy()
    one_by_one = np.array([rounding.round_number(number) for number in numbers])
    assert got.tobytes() == one_by_one.tobytes()
