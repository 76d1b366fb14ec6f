"""Rounds, reports and an action in the demo city: planted, written and found again."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from datamall.demo import City, World, city, departments, raw
from datamall.demo.reports import reports
from datamall.demo.rounds import rounds
from datamall.demo.street_world import CATEGORIES, CHANNELS, ActionWorld, ReportsWorld, RoundsWorld
from datamall.demo.truth import junctions, reporting
from datamall.errors import DatamallError
from datamall.mall.intake import intake

SEED = 2319
STREET = World(traffic=None, welfare=None)
# How intake calls what was planted, by store: mistakes that it does not tell apart → codes.
CODES = {
    "rounds": {
        ("exact duplicate",): ["duplicate"],
        ("contradiction",): ["conflict"],
        ("too many fields",): ["malformed"],
        ("unknown cluster",): ["reference:cluster"],
        ("unknown day",): ["unmapped:weekday"],
        ("impossible time",): ["range:start"],
        ("no standing time",): ["range:service_seconds"],
        ("text in a number",): ["type:service_seconds"],
        ("missing required field", "time in words"): [
            *("required:cluster", "required:weekday", "required:truck", "required:start"),
            "required:service_seconds",
        ],
    },
    "actions": {
        ("exact duplicate",): ["duplicate"],
        ("contradiction",): ["conflict"],
        ("unknown cluster",): ["reference:cluster"],
        ("impossible date",): ["type:first_day"],
        ("missing required field",): ["required:drawn"],
    },
    "reports": {
        ("exact duplicate",): ["duplicate"],
        ("contradiction",): ["conflict"],
        ("too many fields",): ["malformed"],
        ("unknown cluster",): ["reference:cluster"],
        ("closed before opened",): ["rule:closed_after_opened"],
        ("its own duplicate",): ["rule:not_its_own_duplicate"],
        ("unknown category",): ["unmapped:category", "required:category"],
        ("unknown channel",): ["unmapped:channel"],
        ("impossible date", "date in another form"): ["type:opened", "type:closed"],
        ("missing required field",): ["required:report", "required:opened"],
    },
}


@pytest.fixture(scope="module")
def groningen() -> City:
    return city(SEED, STREET)


@pytest.fixture(scope="module")
def plan(groningen: City) -> pd.DataFrame:
    return rounds(SEED, STREET, groningen.places)


@pytest.fixture(scope="module")
def reported(groningen: City) -> pd.DataFrame:
    return reports(groningen)


@pytest.fixture(scope="module")
def taken_in(
    groningen: City, root: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any], pd.DataFrame]:
    """Return the stores' folder, the report of each and the planted faults."""
    folder = tmp_path_factory.mktemp("street")
    for name in ("contracts", "authorities"):
        shutil.copytree(root / "data" / name, folder / "data" / name)
    target = folder / "data" / "raw" / "demo"
    target.mkdir(parents=True)
    files = list(departments.deliver(groningen))
    for file in files:
        raw.write(target, file)
    intake(folder, "demo", "shared.neighbourhoods")
    intake(folder, "demo", "enforcement.containers")
    found = {name: intake(folder, "demo", f"enforcement.{name}") for name in CODES}
    return folder / "data" / "stores" / "demo", found, departments.faults(files)


def store(folder: Path, name: str) -> pd.DataFrame:
    parts = sorted((folder / f"enforcement.{name}").glob("part-*.parquet"))
    return pd.concat([pq.read_table(part).to_pandas() for part in parts], ignore_index=True)


def spells(found: pd.DataFrame, drawn: City) -> pd.DataFrame:
    """Return first reports at a known place: days open, closed or not, repeats, neighbourhood."""
    end = drawn.weeks["week"].iloc[-1] + pd.Timedelta(days=7)
    first = found[found["duplicate_of"].isna() & found["cluster"].notna()]
    repeats = found["duplicate_of"].value_counts()
    return first.assign(
        days=(first["closed"].fillna(end) - first["opened"]).dt.days,
        repeats=first["report"].map(repeats).fillna(0).astype(int),
        neighbourhood=first["cluster"].map(drawn.places.set_index("cluster")["neighbourhood"]),
    )


@pytest.mark.parametrize("name", CODES)
def test_intake_puts_exactly_the_planted_mistakes_aside(
    taken_in: tuple[Path, dict[str, Any], pd.DataFrame], name: str
) -> None:
    _, found, faults = taken_in
    file = {"rounds": "routes", "reports": "meldingen", "actions": "maatregelen"}[name]
    here = faults[faults["file"].str.startswith(file)]
    planted = here.groupby("fault")["rows"].sum()
    reasons = found[name]["reasons"]
    assert set(planted.index) == {fault for faults in CODES[name] for fault in faults}
    assert set(reasons) == {code for codes in CODES[name].values() for code in codes}
    for alike, codes in CODES[name].items():
        assert sum(reasons[code] for code in codes) == planted[list(alike)].sum(), alike
    assert found[name]["quarantined"] == planted.sum()
    # Each mistake once at least, also in a short file.
    assert found[name]["quarantined_share"] < (0.04 if name == "actions" else 0.012)


def test_sound_rows_are_the_plan(
    taken_in: tuple[Path, dict[str, Any], pd.DataFrame], plan: pd.DataFrame
) -> None:
    table = store(taken_in[0], "rounds")
    key = ["cluster", "weekday", "truck"]
    joined = table.merge(plan, on=key, suffixes=("", "_true"), validate="one_to_one")
    assert len(joined) == len(table) > 0.99 * len(plan)
    assert (joined["start"] == joined["start_true"]).all()
    assert (joined["service_seconds"] == joined["service_seconds_true"]).all()


def test_sound_rows_are_the_reports(
    taken_in: tuple[Path, dict[str, Any], pd.DataFrame], reported: pd.DataFrame
) -> None:
    table = store(taken_in[0], "reports")
    joined = table.merge(reported, on="report", suffixes=("", "_true"), validate="one_to_one")
    assert len(joined) == len(table) > 0.99 * len(reported)
    for name in ("opened", "closed"):
        assert pd.to_datetime(joined[name]).equals(joined[f"{name}_true"].astype("datetime64[s]"))
    for name in ("channel", "category", "cluster", "duplicate_of"):
        assert joined[name].fillna("").equals(joined[f"{name}_true"].fillna("")), name


def test_each_container_is_emptied_once_or_twice_a_week(
    plan: pd.DataFrame, groningen: City
) -> None:
    bins = groningen.places[groningen.places["kind"] == "container"]
    times = plan.groupby("cluster")["weekday"].agg(["size", "min", "max"])
    assert set(times.index) == set(bins["cluster"])
    twice = bins["households"].to_numpy() >= 30
    assert (times.loc[bins["cluster"], "size"].to_numpy() == 1 + twice).all()
    again = times[times["size"] == 2]
    assert (again["max"] - again["min"] == 3).all()
    assert plan.groupby("cluster")["truck"].nunique().eq(1).all()


def test_a_truck_is_never_in_two_places(plan: pd.DataFrame, groningen: City) -> None:
    where = groningen.places.set_index("cluster")[["x", "y"]]
    for _, tour in plan.groupby(["truck", "weekday"]):
        assert tour["turn"].tolist() == list(range(1, len(tour) + 1))
        gap = np.diff(tour["start"]) * 60 - tour["service_seconds"].to_numpy()[:-1]
        metres = np.hypot(*np.diff(where.loc[tour["cluster"]].to_numpy(), axis=0).T)
        # At 25 km/h over detours and half a minute to park; starts are whole minutes.
        assert (gap >= metres * 1.3 / (25 / 3.6) + 30 - 60).all()
        assert 390 < tour["start"].iloc[0] < 430
        assert 11 * 60 < tour["start"].iloc[-1] < 14 * 60
        # Each goes about its own area: to the next container it is a street, not a town.
        assert np.median(metres) < 150


def test_trucks_share_the_work_by_geography(plan: pd.DataFrame, groningen: City) -> None:
    stops = plan["truck"].value_counts()
    assert len(stops) == 8
    assert stops.max() < 1.05 * stops.min()
    places = groningen.places.set_index("cluster").loc[plan["cluster"], ["x", "y"]]
    truck = plan["truck"].to_numpy()
    within = places.groupby(truck).var().mul(places.groupby(truck).size(), axis=0).sum()
    assert within.sum() / len(places) < 0.5 * places.var().sum()


def test_some_stops_near_junctions_lie_in_the_morning_peak(plan: pd.DataFrame) -> None:
    full = city(SEED)
    sites = junctions(full)[["x", "y"]].to_numpy()
    xy = full.places.set_index("cluster").loc[plan["cluster"], ["x", "y"]].to_numpy()
    away = np.hypot(*(xy[:, None] - sites).transpose(2, 0, 1)).min(axis=1)
    peak = plan["start"].between(7 * 60 + 30, 9 * 60)
    assert ((away < 150) & peak).sum() >= 20


def test_repeats_show_the_planted_reporting_rates(reported: pd.DataFrame, groningen: City) -> None:
    sums = spells(reported, groningen).groupby("neighbourhood")[["repeats", "days"]].sum()
    planted = reporting(groningen).set_index("neighbourhood")["rate"]
    assert planted.between(0.1, 0.6).all()
    assert planted.max() > 5 * planted.min()
    known = sums[sums["days"] > 0]
    assert len(known) > 100
    expected = planted.loc[known.index] * known["days"]
    z = (known["repeats"] - expected) / np.sqrt(expected)
    # Beyond Poisson by whole days only: a spell of 2.6 days is seen as two or three.
    assert known["repeats"].sum() == pytest.approx(expected.sum(), rel=0.03)
    assert z.std() < 1.25
    assert z.abs().max() < 5
    # Counts alone rank neighbourhoods otherwise.
    rate = known["repeats"] / known["days"]
    assert np.corrcoef(np.log(rate[rate > 0]), np.log(planted[rate[rate > 0].index]))[0, 1] > 0.85


def test_another_rate_is_another_city() -> None:
    same = city(SEED, replace(STREET, reports=ReportsWorld(rates=(0.3, 0.3))))
    found = spells(reports(same), same)
    assert reporting(same)["rate"].eq(0.3).all()
    assert found["repeats"].sum() / found["days"].sum() == pytest.approx(0.3, rel=0.04)


def test_repeats_belong_to_the_report_that_is_open(reported: pd.DataFrame) -> None:
    first = reported.set_index("report")
    again = reported[reported["duplicate_of"].notna()]
    of = first.loc[again["duplicate_of"]].reset_index()
    assert len(again) > 4000
    assert of["duplicate_of"].isna().all()
    assert (of["cluster"].to_numpy() == again["cluster"].to_numpy()).all()
    assert (of["opened"].to_numpy() <= again["opened"].to_numpy()).all()
    closed = of["closed"].to_numpy()
    assert (np.isnat(closed) | (again["opened"].to_numpy() <= closed)).all()
    same = again["closed"].to_numpy() == closed
    assert (same | np.isnat(closed)).all()
    # Two first reports of one place are never open at the same time.
    own = reported[reported["duplicate_of"].isna() & reported["cluster"].notna()]
    own = own.sort_values(["cluster", "report"])
    following = own.groupby("cluster")["opened"].shift(-1)
    assert (following.isna() | (following >= own["closed"])).all()
    assert reported["report"].is_unique
    assert reported["opened"].is_monotonic_increasing


def test_closing_takes_as_long_as_planted(reported: pd.DataFrame, groningen: City) -> None:
    knobs = ReportsWorld()
    table = spells(reported, groningen)
    delay = dict(zip(CHANNELS, knobs.channel_delay, strict=True))
    for category, mean in zip(CATEGORIES[:4], knobs.closing_days, strict=False):
        part = table[table["category"] == category]
        usual = mean * part["channel"].map(delay)
        ended = part["closed"].notna().sum()
        # Exponential: what ended against the time at risk in units of its own mean.
        assert ended == pytest.approx((part["days"] / usual).sum(), abs=4 * np.sqrt(ended))
        assert ended > 80
    mail, call = (table[table["channel"] == name]["days"].mean() for name in CHANNELS[3:1:-1])
    assert mail > 1.6 * call


def test_categories_follow_the_causes_of_the_place(reported: pd.DataFrame, groningen: City) -> None:
    places = groningen.places.set_index("cluster")
    # First reports: what takes long to be closed is repeated more often.
    own = spells(reported, groningen).drop(columns="neighbourhood").merge(places, on="cluster")
    dump = own[own["kind"] == "dump spot"]
    assert len(dump) > 300
    assert not dump["category"].isin(["container full", "container broken"]).any()
    shares = own[["full", "broken", "bulky"]].assign(bags=own["residual"] + own["cardboard"])
    shares = shares.div(shares.sum(axis=1), axis=0) * (1 - ReportsWorld().vague)
    named = own["category"] != "other"
    assert named.mean() == pytest.approx(1 - ReportsWorld().vague, abs=0.01)
    for name, category in zip(shares, CATEGORIES[:4], strict=True):
        seen, mean = (own["category"] == category).mean(), shares[name].mean()
        error = np.sqrt(mean * (1 - mean) / len(own))
        assert seen == pytest.approx(mean, abs=3.5 * error), name
    often = own["full"] > 0.5
    assert (own.loc[often, "category"] == "container full").mean() > 0.2
    assert (own.loc[~often, "category"] == "container full").mean() < 0.06


def test_what_lies_there_stays_some_days_and_crews_take_it_away() -> None:
    """After a find the chance decays to the usual one; after a crew's find it is low at once."""
    still = replace(STREET, reports=None, actions=None, shock_sd=0.0, place_sd=0.0)
    still = replace(still, district_sd=0.0, dump_spot_odds=1.0, moving_odds=1.0, feedback=0.0)
    still = replace(still, hot_spot_rates=(), observer_odds_ratio=1.0)
    looks = city(SEED, still).tallies
    looks = looks.assign(waste=looks["with_waste"] > 0)
    before = looks.shift(1).where(looks["cluster"].eq(looks["cluster"].shift(1)))
    days = (looks["period_start"] - before["period_start"]).dt.days
    for role, left in (("enforcement officer", 1.0), ("cleaning crew", 1 - still.crew_cleans)):
        for waste in (True, False):
            mine = before["observer_role"].eq(role) & before["waste"].eq(waste)
            for since in (1, 2, 4, 8):
                own = looks.loc[mine & days.eq(since), "waste"]
                remains = np.exp(-still.relaxation * since)
                chance = 0.2 + (left * waste - 0.2) * remains
                error = np.sqrt(chance * (1 - chance) / len(own))
                assert len(own) > 100
                assert own.mean() == pytest.approx(chance, abs=3.5 * error), (role, waste, since)


def test_waste_lies_where_a_report_is_open(groningen: City, reported: pd.DataFrame) -> None:
    """But for what lies around the corner; and it is gone when the report is closed."""
    first = reported[reported["duplicate_of"].isna() & reported["cluster"].notna()]
    looks = groningen.tallies.merge(first, on="cluster")
    waste = looks["with_waste"] > 0
    since, left = looks["period_start"] - looks["opened"], looks["closed"] - looks["period_start"]
    during = waste[(since.dt.days >= 1) & ~(left.dt.days < 0)]
    assert len(during) > 1000
    assert during.mean() > 1 - 1.5 * ReportsWorld().beside
    after = waste[left.dt.days.eq(-1)]
    assert after.mean() < 0.6 * (groningen.tallies["with_waste"] > 0).mean()


def test_the_action_keeps_a_fifth_of_the_bags_away_where_it_was_drawn(groningen: City) -> None:
    actions = groningen.actions
    assert actions["drawn"].sum() == len(actions) // 2 == 99
    first = actions["first_day"].unique()
    assert list(first) == [pd.Timestamp("2025-07-07")]
    looks = groningen.tallies.merge(actions, on="cluster")
    looks["after"] = looks["period_start"] >= looks["first_day"]
    rates = looks.groupby(["after", "drawn"])[["residual", "bulky", "inspections"]].sum()
    shares = rates[["residual", "bulky"]].div(rates["inspections"], axis=0)
    ratio = shares.loc[(True, True)] / shares.loc[(True, False)]
    ratio /= shares.loc[(False, True)] / shares.loc[(False, False)]
    assert ratio["residual"] == pytest.approx(0.8, abs=0.09)
    assert ratio["bulky"] == pytest.approx(1, abs=0.09)
    # They were chosen because bags were often found there: without the action it is fewer too.
    assert shares.loc[(True, False), "residual"] < shares.loc[(False, False), "residual"]


def test_wrong_knobs_are_refused(groningen: City) -> None:
    with pytest.raises(DatamallError, match="at least one truck"):
        RoundsWorld(trucks=0)
    with pytest.raises(DatamallError, match="rate above 0"):
        ReportsWorld(rates=(0.5, 0.1))
    with pytest.raises(DatamallError, match=r"keep away 1\.2 of the bags"):
        ActionWorld(effect=1.2)
    with pytest.raises(DatamallError, match="a rate above 0"):
        World(relaxation=0.0)
    few = replace(STREET, rounds=RoundsWorld(trucks=1))
    with pytest.raises(DatamallError, match="give more trucks"):
        rounds(SEED, few, groningen.places)


def test_a_city_without_them_delivers_no_such_files(groningen: City) -> None:
    bare = replace(groningen, world=replace(STREET, rounds=None, reports=None, actions=None))
    names = {file.name for file in departments.deliver(bare)}
    assert not any(name.startswith(("routes", "meldingen", "maatregelen")) for name in names)
