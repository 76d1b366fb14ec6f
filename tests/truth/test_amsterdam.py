"""The analysis on Amsterdam's original public file, held against known figures."""

import json
from pathlib import Path

import pandas as pd
import pytest

from datamall.enforcement import causes, hotspots, information, knowledge, spatial, wisdom, words
from datamall.requirements import Absent

GAP = Absent("x", "y")
COUNTS = {
    "totaal_schouwen": "inspections",
    "aantal_niet_aplus": "with_waste",
    "aantal_grofvuil": "bulky",
}


@pytest.fixture(scope="module")
def raw(shared: Path) -> pd.DataFrame:
    return pd.read_csv(shared / "real" / "waste" / "amsterdam_bins_2025.csv")


@pytest.fixture(scope="module")
def truth(shared: Path) -> dict:
    text = (shared / "truth" / "external_truth.json").read_text("utf-8")
    return json.loads(text)["amsterdam_2025_inspections"]


def extract(raw: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return what the door would hand out, straight from the raw file."""
    point = raw["geometrie_origineel"].str.extract(r"\((?P<x>[\d.]+) (?P<y>[\d.]+)\)").astype(float)
    cluster = "A" + raw.iloc[:, 0].astype(str)
    kind = raw["dumpplek"].map({True: "dump spot", False: "container"})
    districts = sorted(raw["stadsdeel"].unique())
    return {
        "enforcement.containers": pd.DataFrame(
            {"cluster": cluster, "kind": kind, "neighbourhood": raw["stadsdeel"]}
        ).join(point),
        "shared.neighbourhoods": pd.DataFrame({"neighbourhood": districts, "district": districts}),
        "enforcement.inspections": raw[list(COUNTS)]
        .rename(columns=COUNTS)
        .assign(cluster=cluster, observer_role="unknown", period_start=pd.Timestamp("2025-01-02")),
    }


@pytest.fixture(scope="module")
def data(raw: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return extract(raw)


@pytest.fixture(scope="module")
def rates(data: dict[str, pd.DataFrame]) -> pd.DataFrame:
    return knowledge.dirty_rates(data, 0.9)


def test_totals_equal_the_known_figures(data: dict[str, pd.DataFrame], truth: dict) -> None:
    table = information.totals(data).set_index("kind")
    whole = table.loc["all places"]
    assert whole["places"] == truth["locations"] == whole["registered"]
    assert whole["inspections"] == truth["inspections"]
    assert whole["with_waste"] == truth["not_clean"]
    assert whole["correlation"] == pytest.approx(truth["corr_inspections_dirty"], abs=0.0005)
    assert table.loc[["container", "dump spot"], "places"].tolist() == [2673, 7624]
    shares = causes.cause_shares(data, 0.9)
    # At 38 places more was found than waste: 44 times for certain where no waste lay.
    assert shares.loc[0, ["found", "apart"]].tolist() == [truth["bulky"] - 44, 44]


def test_changing_one_raw_value_moves_the_figures(raw: pd.DataFrame, truth: dict) -> None:
    changed = raw.copy()
    changed.loc[5, "totaal_schouwen"] += 1
    changed.loc[7, "aantal_grofvuil"] += 1
    data = extract(changed)
    assert information.totals(data).iloc[-1]["inspections"] == truth["inspections"] + 1
    found = causes.cause_shares(data, 0.9).loc[0, ["found", "apart"]]
    assert found.sum() == truth["bulky"] + 1


def test_containers_differ_ten_times_more_than_chance(
    data: dict[str, pd.DataFrame], truth: dict
) -> None:
    table = knowledge.between_places(information.places(data), 20).set_index("kind")
    assert table.loc["container", "places"] == truth["containers_with_20_inspections"]
    assert table.loc["container", "dispersion"] == pytest.approx(10.8, abs=0.05)


def test_hot_spots_of_raw_counts_and_raw_rates_equal_the_known_numbers(
    data: dict[str, pd.DataFrame],
) -> None:
    from scipy.stats import false_discovery_control, norm

    table = information.places(data)
    table = table[(table["kind"] == "container") & (table["inspections"] >= 20)]
    near = spatial.nearest(table["x"].to_numpy(), table["y"].to_numpy(), 8)
    hot = [
        false_discovery_control(norm.sf(spatial.local_g_star(table[c].to_numpy(), near))) <= 0.05
        for c in ("with_waste", "observed")
    ]
    assert [int(h.sum()) for h in hot] == [103, 162]
    assert int((hot[0] & hot[1]).sum()) == 50
    assert table.loc[hot[1], "district"].value_counts().iloc[0] == 153


def test_most_hot_spots_by_rate_are_what_one_district_has_in_common(
    data: dict[str, pd.DataFrame], rates: pd.DataFrame
) -> None:
    hot = hotspots.hot_spots(data, rates, 8, 0.05, 20)
    table = hotspots.hot_spot_lists(hot).set_index(["kind", "value"]).loc["container"]
    assert table.loc["count", "hot_spots"] == 87
    rate = table.loc["pooled rate"]
    assert rate["in_one_district"] > 0.9 * rate["hot_spots"]
    relative = table.loc["rate relative to the own district"]
    assert relative["shared_with_rate"] < 0.1 * rate["hot_spots"]


def test_the_two_lists_agree_only_in_part(rates: pd.DataFrame) -> None:
    table = knowledge.agreement(knowledge.two_lists(rates, 200, 20)).set_index("kind")
    assert table.loc["container", "shared"] == pytest.approx(111, abs=3)


def test_chapters_without_columns_are_gaps_and_the_rest_runs(
    data: dict[str, pd.DataFrame], rates: pd.DataFrame
) -> None:
    for chapter in (information.months, knowledge.within_places):
        gap = chapter(data)
        assert isinstance(gap, Absent)
        assert "period_start" in gap.reason
    gap = knowledge.observer_habits(data, 0.9)
    assert isinstance(gap, Absent)
    assert "observer_role" in gap.reason
    found = causes.place_causes(data, rates)
    choices, crews = wisdom.options(rates, found), wisdom.crews(30, 15, 5, 10)
    plan = wisdom.plan(choices, crews, 0.9, 1)
    assert len(plan) == 30
    assert set(plan["action"]) == {"pick up bulky waste"}
    truck = causes.truck_reach(data, 0.9)
    assert truck[["found", "with_waste"]].to_numpy().tolist() == [[61518, 97109]]
    sentence = words.answer(wisdom.compare_plans(choices, crews, 0.9, 1), truck, GAP, GAP, 0.9)
    assert sentence.endswith("Of all nuisance, at most 63 % (62 to 64 %) is bulky.")
    assert len(sentence) <= 200
