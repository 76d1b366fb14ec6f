"""Rates equal those of fairlearn where it defines them."""

import numpy as np
import pandas as pd
import pytest
from fairlearn_rates import differs, metric_frame

from datamall.errors import DatamallError
from datamall.fairness import Cells
from datamall.fairness.metrics import METRICS, SPREADS


def random_people(seed: int, n: int) -> pd.DataFrame:
    draw = np.random.Generator(np.random.PCG64(seed))
    sizes = {"a": 3, "b": 4, "c": 5}
    frame = pd.DataFrame({name: draw.integers(0, k, n).astype(str) for name, k in sizes.items()})
    rare = draw.random(n) < draw.choice([0.02, 0.3])
    return frame.assign(y=rare.astype(int), d=(draw.random(n) < 0.3).astype(int))


@pytest.mark.parametrize(("seed", "n"), [(1, 40), (2, 150), (3, 600)])
@pytest.mark.parametrize("by", [["a"], ["b", "c"], ["a", "b", "c"]])
def test_rates_and_spreads_equal_fairlearn(seed: int, n: int, by: list[str]) -> None:
    people = random_people(seed, n)
    frame = metric_frame(people, by)
    cells = Cells.from_frame(people, ["a", "b", "c"], "d", "y")
    ours = cells.rates(by).set_index(by)[list(METRICS)]
    ours = ours.reindex(frame.by_group.index)  # fairlearn also lists groups nobody is in, as NaN
    theirs = frame.by_group[list(METRICS)].astype(float)
    assert differs(ours, theirs) < 1e-12
    total = cells.rates([])[list(METRICS)].iloc[0]
    pd.testing.assert_series_equal(
        total, frame.overall[list(METRICS)].astype(float), check_names=False, rtol=0, atol=1e-12
    )
    spread = cells.spread(by).set_index("metric")
    same = [m for m in METRICS if not (ours[m].isna() & theirs[m].notna()).any()]
    assert same
    expected = pd.DataFrame(
        {
            "difference_between": frame.difference(),
            "ratio_between": frame.ratio(),
            "difference_to_overall": frame.difference(method="to_overall"),
            "ratio_to_overall": frame.ratio(method="to_overall"),
        }
    ).astype(float)
    np.testing.assert_allclose(
        spread.loc[same, list(SPREADS)], expected.loc[same, list(SPREADS)], rtol=0, atol=1e-12
    )


def test_rates_without_trials_are_undefined_and_never_perfect() -> None:
    table = pd.DataFrame({"g": ["a", "b"], "tp": [0, 3], "fp": [0, 1], "fn": [0, 2], "tn": [2, 4]})
    rates = Cells.from_confusion(table, ["g"]).rates().set_index("g").loc["a"]
    assert rates[["tpr", "fnr", "ppv"]].isna().all()
    assert rates["fpr"] == 0
    assert rates["npv"] == 1
    spread = Cells.from_confusion(table, ["g"]).where(g="a").spread().set_index("metric")
    assert spread.loc["tpr"].isna().all()


def test_all_or_nobody_selected() -> None:
    for d in (0, 1):
        frame = pd.DataFrame({"g": ["a", "b", "b"], "d": d, "y": [1, 0, 1]})
        rates = Cells.from_frame(frame, ["g"], "d", "y").rates()
        assert (rates["selection_rate"] == d).all()
        assert rates["npv" if d else "ppv"].isna().all()


def test_a_metric_that_does_not_exist() -> None:
    cells = Cells.from_frame(pd.DataFrame({"g": ["a"], "d": [1]}), ["g"], "d")
    with pytest.raises(DatamallError, match="There is no metric 'f1': there are selection_rate"):
        cells.rates(names=["f1"])
