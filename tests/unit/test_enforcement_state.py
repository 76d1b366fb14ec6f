"""What lies there this morning: reckoned by hand, and moved by what happened the way it should."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from datamall.demo import World, city
from datamall.demo.reports import reports
from datamall.enforcement import chain, foresight, histories, knowledge, state
from datamall.enforcement.chain import Chain
from datamall.requirements import Absent

INSPECTIONS, REPORTS = "enforcement.inspections", "enforcement.reports"
PLACES, AREAS = "enforcement.containers", "shared.neighbourhoods"
CREW, OFFICER = "cleaning crew", "enforcement officer"
MORNING = pd.Timestamp("2025-07-07")  # the Monday after the last look
CAUSES = ["bulky", "residual", "cardboard", "full", "broken"]
Data = dict[str, pd.DataFrame]


@pytest.fixture(scope="module")
def data() -> Data:
    small = World(places=300, dump_spots=20, neighbourhoods=24, weeks=26, hot_spot_rates=())
    drawn = city(5, replace(small, traffic=None, welfare=None, actions=None))
    return {
        INSPECTIONS: drawn.tallies,
        REPORTS: reports(drawn),
        PLACES: drawn.places[["cluster", "kind", "x", "y", "neighbourhood"]],
        AREAS: drawn.neighbourhoods[["neighbourhood", "district"]],
    }


@pytest.fixture(scope="module")
def learnt(data: Data) -> state.State:
    found = state.fit(data, MORNING, 0.9)
    assert isinstance(found, state.State)
    return found


@pytest.fixture(scope="module")
def scores(data: Data) -> pd.DataFrame:
    return foresight.held_out(data, MORNING, 8, 0.9)[0]


@pytest.fixture(scope="module")
def quiet(data: Data, learnt: state.State, scores: pd.DataFrame) -> str:
    """Return a container of an ordinary rate, without open reports, last looked at long ago."""
    table = state.today(data, learnt, scores, MORNING)
    own = table[(table["open"] == 0) & (table["days"] > 9) & table["rate"].between(0.2, 0.4)]
    assert len(own) > 3
    return str(own["cluster"].iloc[0])


def looked(data: Data, place: str, role: str, day: str, **found: int) -> Data:
    """Add a look at a place."""
    row = {"cluster": place, "period_start": pd.Timestamp(day), "observer_role": role}
    row |= {"inspections": 1, "with_waste": int(bool(found)), **dict.fromkeys(CAUSES, 0), **found}
    return data | {INSPECTIONS: pd.concat([data[INSPECTIONS], pd.DataFrame([row])])}


def told(data: Data, place: str, opened: str, closed: str | None = None) -> Data:
    """Add a report of bulky waste at a place."""
    row = {"report": "R", "channel": "app", "category": "bulky waste", "cluster": place}
    days = {"opened": pd.Timestamp(opened), "closed": pd.Timestamp(closed) if closed else pd.NaT}
    more = pd.DataFrame([row | days]).assign(duplicate_of=None)
    return data | {REPORTS: pd.concat([data[REPORTS], more.astype(data[REPORTS].dtypes.to_dict())])}


def chain_by_hand() -> Chain:
    after = pd.DataFrame({"event": ["x: found", "x: nothing"], "chance": [0.6, 0.0]})
    levels = pd.Series({"x": 0.0, "y": np.log(4.0)})
    return Chain(np.log(2), np.log(2), np.log(2), levels, after)


@pytest.mark.parametrize(
    ("role", "event", "days", "chance"),
    [
        ("x", "x: found", 1, 0.2 + 0.4 / 2),  # half is remembered after a day
        ("x", "x: found", 2, 0.2 + 0.4 / 4),
        ("x", "x: nothing", 1, 0.1),
        ("x", "", np.nan, 0.2),
        ("x", "of another kind", 1, 0.2),
        ("y", "", np.nan, 0.5),  # odds of 1 to 4, times 4
        ("y", "x: nothing", 1, 0.25),
    ],
)
def test_chance_by_hand(role: str, event: str, days: float, chance: float) -> None:
    given = (np.array([0.2]), *(np.array([one], object) for one in (role, event)))
    found = chain_by_hand().chance(*given, np.array([days]))
    assert found == pytest.approx([chance])


def test_chain_is_found_where_counts_are_as_expected() -> None:
    """Of so many looks as the chain expects, the likelihood is highest at that chain."""
    planted = Chain(
        *(0.4, 0.4, 0.4),
        pd.Series({"x": -0.2, "y": 0.5}),
        pd.DataFrame(
            {"event": ["x: found", "x: nothing", "y: found"], "chance": [0.45, 0.02, 0.97]}
        ),
    )
    events = planted.after["event"]
    cells = pd.MultiIndex.from_product(
        [events, ["x", "y"], [1, 2, 3, 5, 8, 20], [-2.0, -1.0, 0.0]],
        names=["event", "role", "days", "rate"],
    ).to_frame(index=False)
    cells["rate"] = 1 / (1 + np.exp(-cells["rate"]))
    columns = (cells[name].to_numpy() for name in ("rate", "role", "event", "days"))
    number = 2000
    waste = np.rint(number * planted.chance(*columns)).astype(int)
    pairs = cells.loc[cells.index.repeat(number)].assign(
        found=np.concatenate([np.arange(number) < one for one in waste]).astype(int)
    )
    found = chain.fit(pairs, 1.645)
    assert found.relaxation == pytest.approx(0.4, abs=0.005)
    assert found.relaxation_low < 0.4 < found.relaxation_high < 0.42
    np.testing.assert_allclose(found.levels[["x", "y"]], planted.levels, atol=0.01)
    np.testing.assert_allclose(found.after["chance"], planted.after["chance"], atol=0.01)
    assert found.after["looks"].tolist() == [number * 36] * 3


def test_shift_by_hand() -> None:
    """Three finds of four where one of two was expected: odds three times as high."""
    found = np.tile([1, 1, 1, 0], 2500)
    by, sd = chain.shift(found, np.full(10_000, 0.5))
    assert by == pytest.approx(np.log(3), abs=1e-3)
    assert sd == pytest.approx((10_000 * 3 / 16) ** -0.5, rel=1e-3)
    # One find is set beside one look, half of it a find: 1.5 to 0.5.
    assert chain.shift(np.array([1]), np.array([0.5]))[0] == pytest.approx(np.log(3))


def test_what_was_known_on_a_morning() -> None:
    day = pd.to_datetime(["2025-03-01", "2025-03-03", "2025-03-03", "2025-03-06"])
    seen = pd.DataFrame(
        {
            "cluster": "A",
            "day": day.astype("datetime64[s]"),
            "role": ["x", "x", "y", "x"],
            "found": [0, 1, 0, 1],
            "bulky": [0, 1, 0, 0],
        }
    )
    opened, closed = ["2025-03-03", "2025-03-05"], ["2025-03-04", None]
    told = pd.DataFrame({"cluster": "A", "category": ["other", "bulky waste"]}).assign(
        opened=pd.to_datetime(opened).astype("datetime64[s]"),
        closed=pd.to_datetime(closed).astype("datetime64[s]"),
    )
    happened = histories.events(seen, told)
    assert happened["event"].tolist() == [
        *("x: nothing", "x: found", histories.CLOSED, "x: found"),
    ]  # of two looks on 3 March, the one that found something
    days = pd.date_range("2025-03-01", "2025-03-07").astype("datetime64[s]")
    table = histories.mornings(pd.DataFrame({"cluster": "A", "day": days}), happened, told)
    assert table["event"].tolist() == [
        *("", "x: nothing", "x: nothing", "x: found", histories.CLOSED, histories.CLOSED),
        "x: found",
    ]
    assert table["days"].tolist()[1:] == [1, 2, 1, 1, 2, 1]
    assert table["last_bulky"].fillna(0).tolist() == [0, 0, 0, 1, 0, 0, 0]
    # Open from the morning after until the morning of the day on which it was closed.
    assert table["open"].tolist() == [0, 0, 0, 1, 0, 1, 1]
    assert table["category"].tolist() == [*("", "", "", "other", "", "bulky waste", "bulky waste")]
    assert table["oldest"].tolist()[3::2] == [1, 1]
    assert table["age"].tolist()[-1] == "1 to 2 days"


def test_a_find_of_yesterday_counts_until_it_is_taken_away(
    data: Data, learnt: state.State, scores: pd.DataFrame, quiet: str
) -> None:
    def of(changed: Data, day: pd.Timestamp = MORNING) -> pd.Series:
        return state.today(changed, learnt, scores, day).set_index("cluster").loc[quiet]

    before = of(data)
    left = of(looked(data, quiet, OFFICER, "2025-07-06", bulky=1))
    taken = of(looked(data, quiet, CREW, "2025-07-06", bulky=1))
    clean = of(looked(data, quiet, OFFICER, "2025-07-06"))
    assert left["chance"] > 0.6 > taken["chance"] > clean["chance"]
    assert clean["chance"] < 0.6 * before["chance"]
    assert left["low"] < left["chance"] < left["high"]
    # It is bulky waste that lies there, and fades towards the usual with the days.
    assert left["bulky"] / left["chance"] > 0.7
    assert left[[*CAUSES, "unknown"]].sum() == pytest.approx(left["chance"])
    later = of(looked(data, quiet, OFFICER, "2025-07-06", bulky=1), MORNING + pd.Timedelta(days=3))
    assert before["chance"] < later["chance"] < left["chance"]
    assert left["reason"] == "An officer found bulky waste yesterday."
    assert (left["days"], left["last"], left["rate"]) == (1, "bulky waste", before["rate"])


def test_an_open_report_raises_the_chance_and_a_closed_one_does_not(
    data: Data, learnt: state.State, scores: pd.DataFrame, quiet: str
) -> None:
    def of(changed: Data) -> pd.Series:
        return state.today(changed, learnt, scores, MORNING).set_index("cluster").loc[quiet]

    before = of(data)
    now = of(told(data, quiet, "2025-07-04"))
    assert now["chance"] > 0.7
    assert now["chance"] > before["chance"] + 0.3
    assert (now["open"], now["oldest"]) == (1, 3)
    assert now["bulky"] / now["chance"] > before["bulky"] / before["chance"] + 0.1
    assert now["reason"].startswith("1 open report (bulky waste) since 3 days; ")
    closed = of(told(data, quiet, "2025-07-04", "2025-07-06"))
    assert closed["chance"] < before["chance"]
    assert closed["open"] == 0
    assert closed["reason"].startswith("A report was closed yesterday; ")
    # Closed today is not known yet this morning; nor is what comes in today.
    assert of(told(data, quiet, "2025-07-04", "2025-07-07"))["chance"] == now["chance"]
    assert of(told(data, quiet, "2025-07-07"))["chance"] == before["chance"]
    # How often waste was found where one was open is what the factor rests on.
    assert learnt.reports["looks"].sum() > 150
    assert (learnt.reports["found"] <= learnt.reports["looks"]).all()
    assert learnt.reports["factor"].between(learnt.reports["low"], learnt.reports["high"]).all()


@pytest.mark.slow
def test_nothing_later_than_the_morning_is_used(data: Data) -> None:
    morning = pd.Timestamp("2025-06-16")
    later = data[INSPECTIONS]["period_start"] >= morning
    changed = dict(data)
    table = data[INSPECTIONS].copy()
    table.loc[later, ["with_waste", *CAUSES]] = 1
    table.loc[later, "period_start"] += pd.Timedelta(days=1)
    changed[INSPECTIONS] = table
    told = data[REPORTS].copy()
    told.loc[told["opened"] >= morning, "category"] = "other"
    told.loc[told["closed"] >= morning, "closed"] += pd.Timedelta(days=30)
    changed[REPORTS] = told
    results = []
    for own in (data, changed):
        learnt = state.fit(own, morning, 0.9)
        scores, tenths = foresight.held_out(own, morning, 4, 0.9)
        results.append((state.today(own, learnt, scores, morning), scores, tenths))
    for one, other in zip(*results, strict=True):
        pd.testing.assert_frame_equal(one, other)
    # Of the day before it is.
    day = table["period_start"] == morning - pd.Timedelta(days=1)
    table = table.assign(with_waste=table["with_waste"].mask(day, 1))
    again = state.fit(changed | {INSPECTIONS: table}, morning, 0.9)
    assert not again.chain.after.equals(learnt.chain.after)


def test_a_place_that_nobody_saw_has_the_rate_of_others(
    data: Data, learnt: state.State, scores: pd.DataFrame
) -> None:
    new = data[PLACES].iloc[[0]].assign(cluster="GR99000")
    more = data | {PLACES: pd.concat([data[PLACES], new])}
    row = state.today(more, learnt, scores, MORNING).set_index("cluster").loc["GR99000"]
    alike = learnt.rates.merge(
        data[PLACES].merge(data[AREAS], on="neighbourhood").iloc[[0]][["kind", "district"]]
    )
    assert row["rate"] == pytest.approx(alike["rate"].mean())
    # The usual look is by the mix of roles, so that the level of neither moves it.
    assert row["chance"] == pytest.approx(row["rate"], abs=0.02)
    assert row["low"] < alike["rate"].median() < row["high"]
    assert np.isnan(row["days"])
    assert row["reason"] == "Nobody has ever looked here."


def test_the_simpler_one_is_used_where_the_state_gains_nothing(
    data: Data, learnt: state.State, scores: pd.DataFrame
) -> None:
    table = state.today(data, learnt, scores.assign(better=[True, False]), MORNING)
    assert table["chance"].tolist() == pytest.approx(table["rate"].tolist())
    assert table["reason"].str.startswith("The long-run rate alone: ").all()
    rates = knowledge.dirty_rates(data, 0.9).set_index("cluster")
    assert table["low"].tolist() == pytest.approx(rates.loc[table["cluster"], "low"].tolist())
    assert "is not used" in foresight.explain(learnt, scores.assign(better=False))


def test_two_sentences_explain_it(learnt: state.State, scores: pd.DataFrame) -> None:
    text = foresight.explain(learnt, scores)
    assert text.count(". ") == 1
    assert text.endswith(".")
    assert f"{learnt.chain.relaxation:.2f}" in text
    row = scores.set_index("score").loc["Brier"]
    for value in (row["rate"], row["state"]):
        assert f"{value:.3f}" in text


def test_what_is_not_delivered_by_day_is_said_in_one_sentence(data: Data) -> None:
    table = data[INSPECTIONS]
    weekly = table["period_start"].dt.to_period("W").dt.start_time
    for period, why in (
        (weekly, "no inspections of single days are known from before 2025-07-07"),
        (pd.Timestamp("2025-01-02"), "period_start has one value only"),
    ):
        found = state.fit(data | {INSPECTIONS: table.assign(period_start=period)}, MORNING, 0.9)
        assert isinstance(found, Absent)
        assert why in found.reason
        assert state.today(data, found, pd.DataFrame(), MORNING) is found
    alone = {REPORTS: data[REPORTS]}
    assert (
        "does not deliver the store enforcement.inspections"
        in state.fit(alone, MORNING, 0.9).reason
    )
    # Of a morning before the first look nothing is known either.
    assert isinstance(state.fit(data, pd.Timestamp("2025-01-06"), 0.9), Absent)
    assert isinstance(foresight.held_out(data, pd.Timestamp("2025-02-03"), 8, 0.9), Absent)


def test_inspections_alone_have_a_state_too(data: Data) -> None:
    bare = {INSPECTIONS: data[INSPECTIONS].drop(columns=["observer_role", *CAUSES])}
    learnt = state.fit(bare, MORNING, 0.9)
    scores, tenths = foresight.held_out(bare, MORNING, 8, 0.9)
    table = state.today(bare, learnt, scores, MORNING)
    assert table["chance"].between(0, 1).all()
    assert table["unknown"].tolist() == pytest.approx(table["chance"].tolist())
    assert scores["better"].all()
    assert len(tenths) == 10
    assert learnt.reports.empty
    assert set(learnt.chain.after["event"]) == {"unknown: found", "unknown: nothing"}


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        (
            (1.0, "nothing", 0, np.nan, CREW, "", np.nan, True),
            "A cleaning crew found nothing yesterday.",
        ),
        (
            (4.0, "bags", 2, 6.0, OFFICER, "bulky waste", np.nan, True),
            "2 open reports, the oldest (bulky waste) since 6 days; an officer found bags 4 days "
            "ago.",
        ),
        (
            (9.0, "waste", 1, 1.0, "unknown", "other", 2.0, True),
            "1 open report since yesterday; a report was closed 2 days ago; somebody found waste 9 "
            "days ago.",
        ),
        (
            (np.nan, "", 0, np.nan, "", "", np.nan, False),
            "The long-run rate alone: nobody has ever looked here.",
        ),
    ],
)  # fmt: skip
def test_reasons(facts: tuple, sentence: str) -> None:
    assert state.reason(*facts) == sentence


def test_reports_without_a_day_are_left_out_and_few_looks_are_no_tenths(data: Data) -> None:
    bare = data | {REPORTS: data[REPORTS].drop(columns="opened")}
    first = MORNING - pd.Timedelta(weeks=1)
    seen = data[INSPECTIONS]
    few = pd.concat([seen[seen["period_start"] < first], seen[seen["period_start"] >= first][:4]])
    scores, tenths = foresight.held_out(bare | {INSPECTIONS: few}, MORNING, 1, 0.9)
    assert scores["looks"].tolist() == [4, 4]
    assert tenths["looks"].tolist() == [1] * 4
