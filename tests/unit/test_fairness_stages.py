"""Stages: a neutral model with a biased human choice is seen as that."""

import numpy as np
import pandas as pd
import pytest

from datamall.errors import DatamallError
from datamall.fairness import audit
from datamall.fairness.intervals import gap_limits
from datamall.fairness.stages import WHOLE, against, decompose, from_people, from_reached

ORDER = ["flagged", "chosen", "visited"]


def people(**rows: tuple[int, int, int, int]) -> pd.DataFrame:
    """Return people of groups: all, flagged, chosen of these, visited of these."""
    table = []
    for group, (n, flagged, chosen, visited) in rows.items():
        table += [(group, 0, None, None)] * (n - flagged)
        table += [(group, 1, 0, None)] * (flagged - chosen)
        table += [(group, 1, 1, 0)] * (chosen - visited) + [(group, 1, 1, 1)] * visited
    return pd.DataFrame(table, columns=["g", *ORDER])


HUMAN = people(a=(10_000, 1000, 100, 80), b=(5000, 500, 150, 120))


def test_a_neutral_model_with_a_biased_choice_is_seen_as_that() -> None:
    table = decompose(from_people(HUMAN, ["g"], ORDER), ORDER, reference={"g": "a"})
    assert table["stage"].tolist() == [*ORDER, WHOLE]
    assert table["ratio"].tolist() == pytest.approx([1, 3, 1, 3])
    own = table.set_index("stage")
    assert own.loc["flagged", "ratio_low"] > 0.85 and own.loc["flagged", "ratio_high"] < 1.2
    assert own.loc["chosen", "ratio_low"] > 2
    assert own["share"].tolist() == pytest.approx([0, 1, 0, 1])


def test_counts_and_limits_of_each_stage() -> None:
    table = decompose(from_people(HUMAN, ["g"], ORDER), ORDER, reference={"g": "a"})
    counted = ["successes", "trials", "other_successes", "other_trials"]
    assert table[counted].to_numpy().tolist() == [
        [500, 5000, 1000, 10_000],
        [150, 500, 100, 1000],
        [120, 150, 80, 100],
        [120, 5000, 80, 10_000],
    ]
    one, other = (np.array([150]), np.array([500])), (np.array([100]), np.array([1000]))
    low, high = gap_limits(one, other, (1 - 0.95) / 2 / 4, "ratio")
    assert table.loc[1, ["ratio_low", "ratio_high"]].tolist() == [low[0], high[0]]


def test_ratios_of_the_stages_multiply_to_the_whole_way() -> None:
    draw = np.random.Generator(np.random.PCG64(2))
    frame = pd.DataFrame({"g": draw.choice(["a", "b", "c"], 6000)})
    for i, name in enumerate(ORDER):
        before = np.ones(6000, bool) if i == 0 else frame[ORDER[i - 1]].to_numpy() == 1
        frame[name] = np.where(before, draw.random(6000) < 0.4, 0).astype(int)
    table = decompose(from_people(frame, ["g"], ORDER), ORDER)
    for _, own in table.groupby("group"):
        ratios = own.set_index("stage")["ratio"]
        assert ratios[ORDER].prod() == pytest.approx(ratios[WHOLE])
        assert own.set_index("stage").loc[ORDER, "share"].sum() == pytest.approx(1)


def test_who_is_unknown_at_a_stage_goes_no_further() -> None:
    frame = pd.DataFrame(
        {"g": list("aabb"), "flagged": [1, None, 1, 1], "chosen": [1, 1, 0, None], "visited": 1}
    )
    cells = from_people(frame, ["g"], ORDER)
    rates = cells.rates(["stage"], ["selection_rate"]).set_index("stage")
    assert rates["n"].to_dict() == {"chosen": 3, "flagged": 4, "visited": 1}
    assert rates["selection_rate"].to_dict() == {"chosen": 0.5, "flagged": 1.0, "visited": 1.0}


def test_counted_rows_and_other_words_do_as_well() -> None:
    frame = pd.DataFrame(
        {"g": list("aabb"), "flagged": ["ja", "nee"] * 2, "n": [10, 90, 20, 80], "chosen": "ja"}
    )
    words = {"ja": True, "nee": False}
    cells = from_people(
        frame, ["g"], ["flagged", "chosen"], count="n", labels={"flagged": words, "chosen": words}
    )
    assert decompose(cells, ["flagged"], reference={"g": "a"})["ratio"].tolist() == [2.0, 2.0]
    odd = {"flagged": words, "chosen": {"ja": False, "nee": True}}
    with pytest.raises(DatamallError, match="ja means False at chosen"):
        from_people(frame, ["g"], ["flagged", "chosen"], count="n", labels=odd)


def reached(**rows: tuple[int, ...]) -> pd.DataFrame:
    names = ["population", *ORDER]
    table = [(g, s, n) for g, own in rows.items() for s, n in zip(names, own, strict=True)]
    return pd.DataFrame(table, columns=["g", "s", "n"])


def test_published_counts_of_who_reached_a_stage() -> None:
    table = reached(a=(10_000, 1000, 100, 80), b=(5000, 500, 150, 120))
    names = ["population", *ORDER]
    bounds = from_reached(table, ["g"], "s", names, count="n", rounding=10)
    got = decompose(bounds, ORDER, reference={"g": "a"}, estimand="list").set_index("stage")
    assert got["ratio"].tolist() == pytest.approx([1, 3, 1, 3])
    # Nothing but rounding: 145 to 155 of 495 to 505, against 95 to 105 of 995 to 1,005.
    assert got.loc["chosen", "ratio_low"] == pytest.approx((145 / 505) / (105 / 995))
    assert got.loc["chosen", "ratio_high"] == pytest.approx((155 / 495) / (95 / 1005))
    assert got.loc[WHOLE, "ratio_low"] == pytest.approx((115 / 5005) / (85 / 9995))
    sampled = decompose(bounds, ORDER, reference={"g": "a"}).set_index("stage")
    assert (sampled["ratio_low"] < got["ratio_low"]).all()
    hidden = table.assign(n=table["n"].astype(object).where(table["n"] != 80, "<100"))
    some = from_reached(hidden, ["g"], "s", names, count="n", rounding=10, suppressed_below=100)
    assert np.isnan(
        decompose(some, ORDER, reference={"g": "a"}).set_index("stage").loc["visited", "ratio"]
    )
    with pytest.raises(DatamallError, match="has no stage 'upheld'"):
        from_reached(table, ["g"], "s", [*names, "upheld"], count="n")


def test_stages_that_are_not_nested_are_refused() -> None:
    cells = from_people(HUMAN, ["g"], ORDER)
    with pytest.raises(DatamallError, match="each stage is of those who passed the one before"):
        decompose(cells, ["chosen", "flagged"])
    with pytest.raises(DatamallError, match="There is no stage 'upheld'"):
        decompose(cells, ["flagged", "upheld"])
    with pytest.raises(DatamallError, match="There is no key 'stage'"):
        decompose(cells.by(["g"]), ["flagged"])


def test_a_stage_that_a_group_never_reached() -> None:
    table = decompose(
        from_people(people(a=(1000, 200, 100, 50), b=(1000, 0, 0, 0)), ["g"], ORDER), ORDER
    )
    whole = table[(table["group"] == "b") & (table["stage"] == WHOLE)].iloc[0]
    assert (whole["successes"], whole["trials"], whole["ratio"]) == (0, 1000, 0)
    assert whole["ratio_high"] < 1


def test_an_audit_shows_the_stages_of_its_plan() -> None:
    edges = {"kind": "ratio", "low": 0.8, "high": 1.25, "reason": "four fifths"}
    checks = [
        {"name": n, "metric": "selection_rate", "where": {"stage": n}, "tolerance": edges}
        for n in ORDER
    ]
    plan = {"groups": ["g"], "stages": ORDER, "reference": {"g": "a"}, "checks": checks}
    result = audit(from_people(HUMAN, ["g"], ORDER), plan)
    assert result.checks["verdict"].tolist()[:2] == ["PASS", "FAIL"]
    assert result.stages["stage"].tolist() == [*ORDER, WHOLE]
    without = audit(from_people(HUMAN, ["g"], ORDER), {**plan, "stages": []})
    assert without.stages.empty


def test_whom_the_profile_reaches_and_whom_the_draw_does() -> None:
    from datamall.fairness import Cells

    frame = pd.DataFrame(
        {"g": list("abab"), "arm": ["profile"] * 2 + ["random"] * 2, "n": [300, 100, 450, 50]}
    )
    cells = Cells.from_frame(frame, ["g"], arm="arm", count="n")
    table = against(cells, "profile", "random").set_index("group")
    assert table.loc["b", ["share", "other_share", "ratio"]].tolist() == [0.25, 0.1, 2.5]
    assert table.loc["b", "ratio_low"] > 1.5
    with pytest.raises(DatamallError, match="There is no arm 'signal'"):
        against(cells, "profile", "signal")
