"""Welfare in the demo city: what was planted is there, and nothing else is."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from datamall.demo import welfare
from datamall.demo.welfare import WelfareWorld
from datamall.errors import DatamallError

SEED = 2319
FAR, NEAR = "outside Europe", "Netherlands"


@pytest.fixture(scope="module")
def demo() -> pd.DataFrame:
    return welfare.people(SEED)


def z_of(far: pd.Series, near: pd.Series) -> float:
    """Return how many standard errors two means are apart."""
    error = np.sqrt(far.var() / len(far) + near.var() / len(near))
    return float((far.mean() - near.mean()) / error) if error > 0 else 0.0


def steps(people: pd.DataFrame) -> dict[str, tuple[pd.Series, pd.DataFrame]]:
    """Return each step of the process: what is looked at, among whom."""
    wrong = people["truth"] != "right"
    # Who was still free when caseworkers chose among the flagged.
    free = people[people["flagged"] & ~people["arm"].isin(["random", "signal"])]
    open_to_signals = people[people["arm"] != "random"]
    administrative = people[people["visited"] & (people["truth"] == "administrative")]
    decided = people[people["visited"] & people["finding"].isin(["administrative", "unlawful"])]
    objected = (decided["objection"] != "none").astype(float)
    later = people[people["year"] == 2025]
    chosen = people[people["chosen"]]
    lot = people["arm"] == "random"
    return {
        "truth": (wrong, people),
        "chance": (people["chance"], people),
        "income": (people["income_months"] > 0, people),
        "language": (people["spoken_language_other"], people),
        "address": (people["deprived"], people),
        "no shows": (people["no_shows"], people),
        "flagged": (people["flagged"], people),
        "drawn": (lot, people),
        "signal": ((open_to_signals["arm"] == "signal"), open_to_signals),
        "chosen": (free["arm"] == "profile", free),
        "visited": (chosen["visited"], chosen),
        "finding": (administrative["finding"] == "unlawful", administrative),
        # Beyond what the severity of the finding explains.
        "objection": (objected - objected.groupby(decided["finding"]).transform("mean"), decided),
        "repaid": (later["repaid_before"], later),
    }


def gaps(people: pd.DataFrame, attribute: str, far: str, near: str) -> dict[str, float]:
    """Return the gap of one group to another at each step, in standard errors."""
    return {
        name: z_of(
            values[among[attribute] == far].astype(float),
            values[among[attribute] == near].astype(float),
        )
        for name, (values, among) in steps(people).items()
    }


def test_sizes_and_arms(demo: pd.DataFrame) -> None:
    assert (demo["year"] == 2024).sum() == 9000
    assert 8900 < (demo["year"] == 2025).sum() < 9100
    assert not demo.duplicated(["client", "year"]).any()
    both = demo.groupby("client")["year"].nunique()
    assert 0.78 < (both == 2).sum() / 9000 < 0.84  # turnover
    for _, part in demo.groupby("year"):
        arms = part["arm"].value_counts()
        assert arms["random"] == 450
        assert arms[["profile", "signal", "follow-up"]].sum() == 1200
        assert part["flagged"].sum() == round(0.15 * len(part))
        assert (part["flagged"] == (part["score_band"] >= 18)).mean() > 0.999
        assert part["score_band"].value_counts().between(440, 460).all()


def test_process_is_possible(demo: pd.DataFrame) -> None:
    assert (demo["chosen"] == (demo["arm"] != "none")).all()
    assert demo.loc[demo["visited"], "chosen"].all()
    assert demo.loc[demo["arm"] == "profile", "flagged"].all()
    assert (demo["finding"].notna() == demo["visited"]).all()
    decided = demo["finding"].isin(["administrative", "unlawful"])
    assert (demo["objection"].notna() == decided).all()
    assert (demo["income_differences"] <= 12).all()
    assert (demo["no_shows"] <= demo["appointments"]).all()
    assert (demo["late_reports"] <= demo["reports"]).all()
    assert ((demo["moves"] == 0) == (demo["days_at_address"] > 5 * 365)).all()
    stay = demo[demo.duplicated("client", keep=False)].sort_values(["client", "year"])
    first, second = stay.iloc[::2].reset_index(), stay.iloc[1::2].reset_index()
    for name in ("origin", "sex", "birth_year", "neighbourhood"):
        assert first[name].equals(second[name])
    assert (second["months_on_benefit"] - first["months_on_benefit"] == 12).all()


def test_clients_follow_the_contract(demo: pd.DataFrame, root: Path) -> None:
    from datamall.mall.contracts import load_contracts

    contracts = load_contracts(root)
    for store in ("welfare.clients", "welfare.protected"):
        for column in contracts[store].columns:
            values = demo[column.name]
            if column.values is not None and values.dtype != bool:
                assert set(values.unique()) == set(column.values), column.name
            if column.minimum is not None and column.name != "youngest_child":
                assert values.min() >= column.minimum, column.name
            if column.maximum is not None:
                assert values.max() <= column.maximum, column.name


def test_wrong_amounts_are_as_common_as_set(demo: pd.DataFrame) -> None:
    assert demo["chance"].mean() == pytest.approx(0.18, abs=1e-9)
    assert demo["chance_unlawful"].mean() == pytest.approx(0.06, abs=1e-9)
    assert (demo["truth"] != "right").mean() == pytest.approx(0.18, abs=0.01)
    assert (demo["truth"] == "unlawful").mean() == pytest.approx(0.06, abs=0.006)


def test_marginals_are_those_of_rotterdam(demo: pd.DataFrame, shared: Path) -> None:
    """Means of the 12,707 files by which Rotterdam's model was trained."""
    path = shared / "real" / "fraud" / "rotterdam" / "ranges_features_dataset.csv"
    with path.open(encoding="latin-1", newline="") as file:
        rows = {row["feature_name"]: row["mean_value"] for row in csv.DictReader(file)}
    attended = demo["appointments"] - demo["no_shows"]
    last_year = sum(float(v) for k, v in rows.items() if k.startswith("contacten_soort_afgelopen"))
    skills = sum(float(v) for k, v in rows.items() if k.startswith("competentie_"))
    for ours, theirs, within in (
        (demo["sex"] == "female", "persoon_geslacht_vrouw", 0.02),
        (demo["age"], "persoon_leeftijd_bij_onderzoek", 1.0),
        (demo["spoken_language_other"], "persoonlijke_eigenschappen_spreektaal_anders", 0.02),
        (demo["language_requirement"], "persoonlijke_eigenschappen_taaleis_voldaan", 0.05),
        (demo["children"] > 0, "relatie_kind_heeft_kinderen", 0.02),
        (demo["children"], "relatie_kind_huidige_aantal", 0.03),
        (demo["days_at_address"], "adres_dagen_op_adres", 400),
        (demo["cost_sharers"] > 0, "relatie_overig_kostendeler", 0.02),
        (demo["cost_sharers"], "relatie_overig_actueel_vorm__kostendeler", 0.04),
        (demo["no_shows"], "contacten_onderwerp_no_show", 0.1),
        (attended, "afspraak_laatstejaar_resultaat_ingevuld", 0.1),
        (demo["barrier_financial"], "belemmering_financiele_problemen", 0.02),
        (demo["barrier_psychological"], "belemmering_psychische_problemen", 0.02),
        (demo["appearance_remark"], "persoonlijke_eigenschappen_uiterlijke_verzorging_opm", 0.02),
        (demo["plan_steps"], "pla_ondertekeningen_historie", 0.1),
        (demo["exemption_medical"] | demo["exemption_care"], "ontheffing_actueel_ind", 0.02),
    ):
        assert ours.mean() == pytest.approx(float(rows[theirs]), abs=within), theirs
    assert demo["contacts"].mean() == pytest.approx(last_year, abs=0.5)
    assert demo["skills"].mean() == pytest.approx(skills, abs=0.1)
    assert demo["age"].between(18, 68).all()


@pytest.mark.slow
def test_without_knobs_no_group_differs() -> None:
    people = welfare.people(7, WelfareWorld().none().times(10))
    for attribute, far, near in (
        ("origin", FAR, NEAR),
        ("origin", "Europe", NEAR),
        ("sex", "female", "male"),
        ("age_band", "under 27", "45 and over"),
        ("living_form", "single parent", "single"),
        ("disability", True, False),
    ):
        found = gaps(people, attribute, far, near)  # type: ignore[arg-type]
        # Psychological barriers, of which no more is planted, come with missed appointments.
        assert max(map(abs, found.values())) < 4.5, (attribute, found)


@pytest.mark.parametrize(
    ("knob", "size", "moved", "sign"),
    [
        ("true_difference", 1.3, {"truth", "chance", "repaid"} - {"repaid"}, 1),
        ("proxy_strength", 1.0, {"language", "address"}, 1),
        ("human_odds", 2.0, {"chosen"}, 1),
        ("signal_odds", 1.5, {"signal"}, 1),
        ("label_odds", 2.0, {"finding"}, 1),
        ("visit_odds", 0.6, {"visited"}, -1),
        ("no_show_odds", 1.8, {"no shows"}, 1),
        ("objection_odds", 0.6, {"objection"}, -1),
    ],
)
@pytest.mark.slow
def test_each_knob_makes_its_gap_and_no_other(
    knob: str, size: float, moved: set[str], sign: int
) -> None:
    world = replace(WelfareWorld(), **{knob: size}).only(knob).times(10)
    found = gaps(welfare.people(11, world), "origin", FAR, NEAR)
    for name, z in found.items():
        if name in moved:
            # Few findings are decided upon, and few visits fail: less is seen there.
            assert sign * z > (3 if name in ("finding", "visited", "objection") else 6), (name, z)
        elif knob != "true_difference" or name not in ("signal",):
            assert abs(z) < 4.5, (name, z)


@pytest.mark.slow
def test_selection_bias_works_by_proxies_alone() -> None:
    both = WelfareWorld().only("selection_bias", "proxy_strength").times(10)
    people = welfare.people(3, both)
    flagged = people.groupby("origin")["flagged"].mean()
    assert 2.0 < flagged[FAR] / flagged[NEAR] < 3.0
    # At the same truth: right amounts are flagged as unevenly, which no base rate explains.
    right = people[people["truth"] == "right"].groupby("origin")["flagged"].mean()
    assert 2.0 < right[FAR] / right[NEAR] < 3.5
    alone = welfare.people(3, WelfareWorld().only("selection_bias").times(10))
    assert abs(gaps(alone, "origin", FAR, NEAR)["flagged"]) < 4.5
    # Without proxies for origin the score still goes by children and age.
    assert gaps(alone, "living_form", "single parent", "single")["flagged"] > 6


def test_intersection_is_hit_and_its_margins_hardly() -> None:
    people = welfare.people(5, WelfareWorld().only("intersection_bias").times(10))
    hit = (
        (people["sex"] == "female")
        & (people["living_form"] == "single parent")
        & (people["age_band"] == "under 27")
    )
    assert 0.005 < hit.mean() < 0.02
    flagged = people["flagged"]
    assert flagged[hit].mean() > 2 * flagged[~hit].mean()
    women = people["sex"] == "female"
    assert flagged[women].mean() - flagged[~women].mean() < 0.02
    assert abs(gaps(people[~hit], "sex", "female", "male")["flagged"]) < 4.5


def test_family_income_is_a_true_difference() -> None:
    people = welfare.people(9, WelfareWorld().only("family_income").times(10))
    older = people[people["age_band"] != "under 27"]
    some = (older["income_months"] > 0).groupby(older["living_form"]).mean()
    odds = some / (1 - some)
    assert odds["single parent"] / odds["single"] == pytest.approx(1.4, rel=0.08)
    chance = older.groupby("living_form")["chance"].mean()
    assert 1.01 < chance["single parent"] / chance["single"] < 1.2
    # Flagged more often for what is recorded about the amount, and not beyond.
    assert gaps(older, "living_form", "single parent", "single")["flagged"] > 0


def test_findings_feed_back() -> None:
    world = WelfareWorld(feedback=1.0)
    with_it, without = welfare.people(SEED, world), welfare.people(SEED, replace(world, feedback=0))
    first = with_it[with_it["year"] == 2024].set_index("client")
    stood = first["finding"].isin(["administrative", "unlawful"]) & (first["objection"] != "upheld")
    later = with_it[with_it["year"] == 2025].set_index("client")
    found = later.index.intersection(first.index[stood])
    assert len(found) > 100
    assert later.loc[found, "repaid_before"].all()
    changed = with_it["repaid_before"] & ~without["repaid_before"].to_numpy()
    assert set(with_it.loc[changed, "client"]) <= set(found)
    assert with_it["truth"].equals(without["truth"])


def test_random_arm_shows_the_base_rate_and_other_arms_do_not() -> None:
    people = welfare.people(13, WelfareWorld().times(10))
    wrong = people["truth"] != "right"
    drawn = people["arm"] == "random"
    assert abs(z_of(wrong[drawn].astype(float), wrong[~drawn].astype(float))) < 4
    assert wrong[people["arm"] == "profile"].mean() > 1.4 * wrong.mean()
    assert wrong[people["arm"] == "signal"].mean() > 1.5 * wrong.mean()
    recorded = people.loc[drawn & people["visited"], "finding"]
    assert 0.15 < recorded.isin(["administrative", "unlawful"]).mean() < 0.21


def test_a_fair_profile_can_find_more_than_chance(demo: pd.DataFrame) -> None:
    """Facts about the amount alone: better than the lot, far from certain."""
    facts = (
        demo["late_reports"] + demo["income_differences"] + demo["documents_missing"]
        + 2 * demo["vehicle_mismatch"] + demo["repaid_before"]
    ).rank(method="first")  # fmt: skip
    top = facts > 0.85 * len(demo)
    wrong = demo["truth"] != "right"
    assert 1.5 < wrong[top].mean() / wrong.mean() < 2.5
    assert abs(z_of(*(top[demo["origin"] == name].astype(float) for name in (FAR, NEAR)))) < 4


def test_truth_tables() -> None:
    tables = welfare.truth_tables(SEED)
    persons, groups = tables["welfare_people"], tables["welfare_groups"]
    assert persons["flagged_unbiased"].sum() == persons["flagged"].sum()
    rows = groups[(groups["year"] == 2025) & (groups["attribute"] == "origin")].set_index("group")
    assert rows["people"].sum() == (persons["year"] == 2025).sum()
    assert rows.loc[FAR, "fpr"] > 2 * rows.loc[NEAR, "fpr"]
    assert rows.loc[FAR, "chosen_given_flagged"] > 1.3 * rows.loc[NEAR, "chosen_given_flagged"]
    part = persons[(persons["year"] == 2025) & (persons["origin"] == FAR)]
    lawful = part[part["truth"] != "unlawful"]
    assert rows.loc[FAR, "fpr"] == pytest.approx(lawful["flagged"].mean())
    assert rows.loc[FAR, "fnr"] == pytest.approx(
        1 - part.loc[part["truth"] == "unlawful", "flagged"].mean()
    )
    knobs = tables["welfare_knobs"].set_index("knob")
    assert knobs.loc["human_odds"].tolist() == [2.0, 1.0]
    assert np.isnan(knobs.loc["clients", "neutral"])
    fair = welfare.truth_tables(SEED, WelfareWorld().without_bias())["welfare_people"]
    assert fair["flagged"].equals(fair["flagged_unbiased"])
    assert persons["flagged_unbiased"].equals(fair["flagged"])


def test_same_draw_every_time(demo: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(demo, welfare.people(SEED))
    assert not welfare.people(SEED + 1)["client"].equals(demo["client"])


def test_wrong_worlds_are_refused() -> None:
    with pytest.raises(DatamallError, match="no share"):
        WelfareWorld(error_rate=1.2)
    with pytest.raises(DatamallError, match="must not be negative"):
        WelfareWorld(human_odds=0)
    with pytest.raises(DatamallError, match="give more clients"):
        WelfareWorld(clients=2000)
    with pytest.raises(DatamallError, match="no bias called"):
        WelfareWorld().only("moon")
