"""Reports of residents: answers by hand, independent implementations, and what is refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.stats import chi2, chisquare, spearmanr
from statsmodels.duration.survfunc import SurvfuncRight

from datamall.enforcement import report_places, reports, spatial, two_sources, words
from datamall.errors import DatamallError
from datamall.requirements import Absent

STORE = "enforcement.reports"
Data = dict[str, pd.DataFrame]


@pytest.fixture
def data() -> Data:
    """Return five places in three districts, one of which reports nothing."""
    rows = [
        # report, opened, closed, channel, category, cluster, duplicate_of
        ("r1", "03-03", "03-07", "app", "bulky waste", "c1", None),
        ("r2", "03-04", "03-07", "web", "bulky waste", "c1", "r1"),
        ("r3", "03-07", "03-07", "app", "other", "c1", "r1"),  # on the day of closing
        ("r4", "03-09", "03-10", "app", "other", "c1", "r1"),  # too late
        ("r5", "03-06", "03-07", "app", "other", "c1", "r2"),  # of no first report
        ("r6", "03-10", None, "web", "container full", "c2", None),
        ("r7", "03-12", None, "app", "container full", "c2", "r6"),
        ("r8", "03-12", None, "app", "container full", "c2", "r99"),  # of none that is here
        ("r9", "03-05", "03-13", "email", "other", None, None),  # the last day known
        ("r10", "03-11", "03-11", "app", "other", "c4", None),
    ]
    names = ["report", "opened", "closed", "channel", "category", "cluster", "duplicate_of"]
    table = pd.DataFrame(rows, columns=names)
    for name in ("opened", "closed"):
        table[name] = pd.to_datetime("2025-" + table[name])
    # r1 to r4 at one crossing, r5 across the border of its square, the others nowhere.
    table["x"] = [1010.0, 1020.0, 1024.9, 1000.0, 1025.0, *[np.nan] * 5]
    table["y"] = [2000.0, 2005.0, 2024.9, 2010.0, 2000.0, *[np.nan] * 5]
    places = pd.DataFrame(
        {
            "cluster": ["c1", "c2", "c3", "c4", "c5"],
            "kind": "container",
            "x": 0.0,
            "y": 0.0,
            "neighbourhood": ["n1", "n2", "n3", "n2", "n3"],
        }
    )
    areas = pd.DataFrame(
        {"neighbourhood": ["n1", "n2", "n3"], "district": ["North", "South", "West"]}
    )
    seen = pd.DataFrame(
        {
            "cluster": ["c1", "c1", "c2", "c3", "c5"],
            "observer_role": "crew",
            "period_start": pd.to_datetime([f"2025-03-{day:02}" for day in (3, 10, 10, 3, 3)]),
            "inspections": [2, 2, 3, 4, 1],
            "with_waste": [1, 2, 0, 4, 0],
        }
    )
    return {
        "shared.neighbourhoods": areas,
        "enforcement.containers": places,
        "enforcement.inspections": seen,
        STORE: table,
    }


def test_reports_are_counted_by_category_and_channel(data: Data) -> None:
    table = reports.reported(data, 0.9).set_index(["by", "group"])
    whole = table.loc[("all", "all reports")]
    counts = whole[["reports", "duplicates", "without_place", "still_open"]]
    assert counts.tolist() == [10, 6, 1, 1]
    assert whole["share"] == 0.6
    assert table.loc[("category", "container full"), "duplicates"] == 2
    assert table.loc[("channel", "app"), "reports"] == 7
    for by in ("category", "channel"):
        assert table.loc[by, "reports"].sum() == 10
    # Closed after 4, 8 and 0 days; one is open for 3 days so far.
    assert whole["days"] == 4
    assert table.loc[("channel", "email"), "days"] == 8
    # Nothing of it was closed: the median is not reached.
    assert np.isnan(table.loc[("category", "container full"), "days"])


@pytest.mark.parametrize("seed", range(5))
def test_median_days_equal_statsmodels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    days = pd.Series(rng.integers(0, 90, 120))
    closed = pd.Series(rng.random(120) < 0.7)
    oracle = SurvfuncRight(days, closed.astype(int))
    found = reports._median(days, closed, 0.9)
    with np.errstate(divide="ignore", invalid="ignore"):
        assert found[0] == oracle.quantile(0.5)
        assert tuple(found[1:]) == oracle.quantile_ci(0.5, alpha=0.1)


def test_a_median_that_is_certain_is_an_interval_of_one_day() -> None:
    days = pd.Series([0] * 300 + [1] * 300 + [2] * 900)
    assert reports._median(days, days >= 0, 0.9) == [2, 2, 2]
    # Three that were closed at once may be three of many that are not.
    days = pd.Series([0, 0, 0])
    assert reports._median(days, days >= 0, 0.9) == pytest.approx([0, 0, np.nan], nan_ok=True)


def test_rate_is_duplicates_per_open_day_with_garwoods_interval(data: Data) -> None:
    table = reports.reporting_rates(data, 0.9).set_index("district")
    assert table.index.tolist() == ["North", "South", "West", "all districts"]
    north, south, west = (table.loc[name] for name in ("North", "South", "West"))
    assert (north["first_reports"], north["duplicates"], north["open_days"]) == (1, 2, 4)
    # Open until the last day known, 13 March, on which another report was closed.
    assert (south["first_reports"], south["duplicates"], south["open_days"]) == (2, 1, 3)
    for row in (north, south):
        n, days = row["duplicates"], row["open_days"]
        limits = chi2.ppf(0.05, 2 * n) / 2 / days, chi2.ppf(0.95, 2 * n + 2) / 2 / days
        assert row["rate"] == pytest.approx(n / days)
        assert (row["low"], row["high"]) == pytest.approx(limits)
    assert (west["first_reports"], west["reports"], west["places"]) == (0, 0, 2)
    assert west[["rate", "low", "high"]].isna().all()
    assert north["reports_per_place"] == 5
    assert table["reports"].tolist() == [5, 4, 0, 9]
    assert table.loc["all districts", "rate"] == pytest.approx(3 / 7)


def test_no_duplicates_are_evidence_of_a_low_rate_only(data: Data) -> None:
    data[STORE] = data[STORE][data[STORE]["duplicate_of"] != "r1"]
    north = reports.reporting_rates(data, 0.9).set_index("district").loc["North"]
    assert north["rate"] == north["low"] == 0
    assert north["high"] == pytest.approx(-np.log(0.05) / 4)


def test_unequal_first_reports_of_a_neighbourhood_count_for_less(data: Data) -> None:
    first = pd.DataFrame(
        {"neighbourhood": "n1", "days": [10, 10, 10, 10], "duplicates": [0, 0, 0, 12]}
    )
    # Around 3 each: 9 + 9 + 9 + 81 against 4 × 3 × (1 - 10 / 40) by chance.
    assert reports._dispersion(first) == pytest.approx(108 / 9)
    assert reports._dispersion(first.assign(duplicates=3)) == 1
    assert reports._dispersion(first.assign(days=0)) == 1


def test_difference_is_pearsons_of_duplicates_and_open_days(data: Data) -> None:
    rates = reports.reporting_rates(data, 0.9)
    row = reports.differences(data, rates, 0.9).iloc[0]
    expected = np.array([4, 3]) * 3 / 7
    assert row["chi_squared"] == pytest.approx(chisquare([2, 1], expected).statistic)
    assert row["by_chance"] == pytest.approx(chi2.ppf(0.9, 1))
    assert row["districts"] == 2
    assert not row["differ"]
    assert "No difference between districts was shown" in words.describe_reporting(
        rates, reports.differences(data, rates, 0.9)
    )


def test_two_sources_are_compared_by_place_and_by_period(data: Data) -> None:
    table = two_sources.overlap(data).set_index("unit")
    # c4 was reported and never inspected, c2 reported and clean, c3 found and never reported;
    # nothing is known of c5.
    columns = ["reported", "not_inspected", "nothing_found", "found", "not_reported"]
    assert table.loc["place", columns].tolist() == [3, 1, 1, 2, 1]
    # Weeks of 3 and 10 March: c1 in both (r4 in the second), c2 and c4 in the second.
    assert table.loc["place in one period", columns].tolist() == [4, 1, 1, 3, 1]
    # A report that is open in a week counts in it, not only where it came in.
    late = data[STORE].assign(closed=data[STORE]["closed"].mask(data[STORE]["report"] == "r1"))
    late = late[~late["report"].isin(["r4"])]
    again = two_sources.overlap(data | {STORE: late}).set_index("unit")
    assert again.loc["place in one period", columns].tolist() == [4, 1, 1, 3, 1]
    # Looks of single days count by the week in which they fall.
    seen = data["enforcement.inspections"]
    days = seen["period_start"] + pd.to_timedelta(np.arange(len(seen)) % 3, unit="D")
    daily = data | {"enforcement.inspections": seen.assign(period_start=days)}
    assert two_sources.overlap(daily).equals(two_sources.overlap(data))
    # What was closed before the first inspection was reported in no period.
    seen = data["enforcement.inspections"]
    data["enforcement.inspections"] = seen.assign(period_start=pd.Timestamp("2025-03-11"))
    [row] = two_sources.overlap(data).to_dict("records")
    assert row["unit"] == "place"
    assert row["reported"] == 2


def test_raw_counts_are_compared_by_rank(data: Data) -> None:
    rng = np.random.default_rng(1)
    districts = [f"D{turn}" for turn in range(8)]
    rates = pd.DataFrame(
        {"district": [*districts, "all districts"], "reports_per_place": rng.random(9)}
    ).assign(rate=rng.random(9))
    data["shared.neighbourhoods"]["district"] = districts[:3]
    rate, waste = reports.raw_counts(data, rates, 0.9).to_dict("records")
    own = rates.iloc[:-1]
    assert rate["spearman"] == pytest.approx(spearmanr(own["rate"], own["reports_per_place"])[0])
    assert rate["districts"] == 8
    half = 1.6448536 * np.sqrt(1.06 / 5)
    ends = np.tanh(np.arctanh(rate["spearman"]) + np.array([-half, half]))
    assert (rate["low"], rate["high"]) == pytest.approx(tuple(ends))
    # Three districts were inspected: a correlation, but no interval.
    assert waste["districts"] == 3
    assert np.isnan(waste["low"])


def chapters(data: Data) -> list[object]:
    rates = reports.reporting_rates(data, 0.9)
    difference = reports.differences(data, rates, 0.9)
    return [
        *(reports.reported(data, 0.9), two_sources.overlap(data), rates, difference),
        *(reports.raw_counts(data, rates, 0.9), words.describe_raw(rates)),
        words.describe_reporting(rates, difference),
        *(report_places.squares(data, 8, 0.05), report_places.spots(data)),
    ]


def test_without_the_store_every_chapter_says_so(data: Data) -> None:
    del data[STORE]
    for chapter in chapters(data):
        assert isinstance(chapter, Absent)
        assert "does not deliver" in chapter.reason
        assert STORE in chapter.reason


def test_the_purpose_grants_exactly_what_the_chapters_need(root: Path, data: Data) -> None:
    purposes = yaml.safe_load((root / "data" / "purposes.yaml").read_text("utf-8"))
    granted = purposes["enforcement"]["stores"][STORE]["columns"]
    assert set(granted) == set(data[STORE])
    assert not any(isinstance(chapter, Absent) for chapter in chapters(data))
    for column in granted:
        lacking = data | {STORE: data[STORE].drop(columns=column)}
        gaps = [chapter for chapter in chapters(lacking) if isinstance(chapter, Absent)]
        assert all(f"{STORE}.{column}" in gap.reason for gap in gaps)
        caption = words.caption_of_reports(reports.reported(lacking, 0.9))
        assert gaps or f"Not known here: {column}" in caption


def test_reports_alone_give_trend_repeats_closing_and_categories(data: Data) -> None:
    alone = {STORE: data[STORE]}
    pd.testing.assert_frame_equal(reports.reported(alone, 0.9), reports.reported(data, 0.9))
    repeats = reports.repeats(alone)
    assert repeats.iloc[0][["cluster", "reports", "first_reports", "months"]].tolist() == [
        *("c1", 5, 1, 1)
    ]
    assert repeats["cluster"].tolist() == ["c1", "c2", "c4"]
    rates = reports.reporting_rates(alone, 0.9)
    assert isinstance(rates, Absent)
    assert "the store enforcement.containers" in rates.reason


def test_reports_with_a_position_are_counted_by_square_and_spot(data: Data) -> None:
    alone = {STORE: data[STORE]}
    [square] = report_places.squares(alone, 8, 0.05).to_dict("records")
    assert (square["square"], square["x"], square["y"]) == ("1.00 2.00", 1125, 2125)
    assert (square["reports"], square["hot"]) == (5, False)
    assert "Too few squares" in words.describe_squares(report_places.squares(alone, 8, 0.05))
    spots = report_places.spots(alone)
    assert spots[["x", "y", "reports", "first_reports"]].to_numpy().tolist() == [
        [1012.5, 2012.5, 4, 1],
        [1037.5, 2012.5, 1, 0],
    ]


def test_hot_spots_of_reports_lie_where_they_were_planted() -> None:
    x, y = (axis.ravel() * 250.0 + 10 for axis in np.meshgrid(np.arange(12), np.arange(12)))
    number = np.random.Generator(np.random.PCG64(1)).poisson(3, len(x)) + 1
    dirty = np.hypot(x - 760, y - 760) < 400
    number = np.where(dirty, 4 * number, number)
    table = pd.DataFrame({"x": x.repeat(number), "y": y.repeat(number)})
    found = report_places.squares({STORE: table}, 8, 0.05)
    assert found["reports"].sum() == number.sum()
    hot = found[found["hot"]]
    assert len(hot) >= 5
    assert (np.hypot(hot["x"] - 875, hot["y"] - 875) < 600).all()
    scores = spatial.normal_scores(found["reports"].to_numpy())
    near = spatial.nearest(found["x"].to_numpy(), found["y"].to_numpy(), 8)
    np.testing.assert_allclose(found["z"], spatial.local_g_star(scores, near))
    assert "to the south-west of the middle" in words.describe_squares(found)
    equal = report_places.squares({STORE: pd.DataFrame({"x": x, "y": y})}, 8, 0.05)
    assert equal["z"].isna().all()
    assert not equal["hot"].any()


def test_trend_is_by_the_days_on_which_reports_could_come_in(data: Data) -> None:
    days = pd.to_datetime(["2025-01-30", "2025-03-02", "2025-03-02", "2025-03-03"])
    table = reports.trend({STORE: pd.DataFrame({"opened": days})})
    assert table["month"].tolist() == ["2025-01", "2025-02", "2025-03"]
    assert table["days"].tolist() == [2, 28, 3]
    assert table["reports"].tolist() == [1, 0, 3]
    assert table["reports_per_day"].tolist() == [0.5, 0, 1]


def test_duplicates_that_were_never_recorded_are_not_nought(data: Data) -> None:
    data[STORE] = data[STORE].assign(duplicate_of=None)
    table = reports.reported(data, 0.9)
    assert {"duplicates", "share"}.isdisjoint(table)
    assert "Not known here: duplicates" in words.caption_of_reports(table)
    rates = reports.reporting_rates(data, 0.9)
    assert isinstance(rates, Absent)
    assert "enforcement.reports.duplicate_of was never filled" in rates.reason
    assert words.describe_reporting(rates, reports.differences(data, rates, 0.9)) is rates


def test_no_table_holds_the_number_of_a_report(data: Data) -> None:
    for table in chapters(data):
        if isinstance(table, pd.DataFrame):
            assert not table.isin(list(data[STORE]["report"])).to_numpy().any()


def test_a_level_outside_of_0_to_1_is_refused(data: Data) -> None:
    for chapter in (reports.reported, reports.reporting_rates):
        with pytest.raises(DatamallError, match="confidence is 90"):
            chapter(data, 90)


def test_words_say_where_rates_differ_and_when_nothing_is_known(data: Data) -> None:
    more = pd.concat([data[STORE], *[data[STORE].iloc[[1]]] * 60])
    table = reports.reporting_rates(data | {STORE: more}, 0.9)
    difference = reports.differences(data | {STORE: more}, table, 0.9)
    text = words.describe_reporting(table, difference)
    assert "Districts differ more than chance allows." in text
    assert "0.33 (0.02 to 1.58) in South" in text
    assert "in West" not in text
    raw = words.describe_raw(table)
    assert "set North (65.0) against West (0.0)" in raw
    day = data | {STORE: data[STORE].assign(closed=data[STORE]["opened"])}
    table = reports.reporting_rates(day, 0.9)
    difference = reports.differences(day, table, 0.9)
    assert not difference.loc[0, "differ"]
    assert "not known how readily" in words.describe_reporting(table, difference)
