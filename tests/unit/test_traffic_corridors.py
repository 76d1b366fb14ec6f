"""Neighbours: room for what is moved, queues that reach the next junction, offsets by hand."""

import numpy as np
import pandas as pd
import pytest

from datamall.errors import DatamallError
from datamall.requirements import Absent
from datamall.traffic import corridors
from datamall.traffic.scenarios import Compared


def groups(**places: tuple[float, float]) -> pd.DataFrame:
    """Return junctions at their places (m), with one lane on each of four legs."""
    rows = [
        (site, leg, "all", x, y, 1.0, 60.0)
        for site, (x, y) in places.items()
        for leg in ("north", "east", "south", "west")
    ]
    columns = ["site", "approach", "lane_group", "x", "y", "lanes", "cycle"]
    return pd.DataFrame(rows, columns=columns)


def ratios(table: pd.DataFrame, ratio: float = 0.5, demand: str = "") -> pd.DataFrame:
    about = table[["site", "approach", "lane_group"]]
    return about.assign(peak="evening", ratio=ratio, capacity=1000.0, demand=demand)


def compared(scenario: str, moved: float, approach: str = "west") -> Compared:
    row = {"site": "K1", "peak": "evening", "scenario": scenario, "moved": moved}
    empty = np.zeros((0, 0))
    rows = pd.DataFrame([row | {"approach": approach}])
    return Compared(rows, empty, empty, empty, rows, empty, np.array([]), 0.5)


PLACES = {"K1": (0.0, 0.0), "K2": (400.0, 30.0), "K3": (-300.0, 0.0), "K9": (5000.0, 0.0)}
KEYS = ["neighbour", "leg", "ratio", "ratio_part", "ratio_all", "verdict"]


def test_neighbours_lie_near_and_meet_on_the_leg_that_faces() -> None:
    found = corridors.pairs(groups(**PLACES), 500)
    own = found[found["site"] == "K1"]
    assert own[["neighbour", "leg"]].to_numpy().tolist() == [["K2", "west"], ["K3", "east"]]
    assert own["distance"].tolist() == pytest.approx([401.123, 300])
    assert len(corridors.pairs(groups(**PLACES), 800)) == 6
    named = groups(**PLACES).replace({"approach": {"west": "Mill Road"}})
    assert corridors.pairs(named, 500)["leg"].tolist() == ["", "east", "east", ""]


def test_what_a_ban_stops_finds_room_or_not() -> None:
    table = groups(**PLACES)
    found = corridors.moved(table, ratios(table), compared("ban", 300), 500, 0.9)
    assert found[KEYS].to_numpy().tolist() == [
        ["K3", "east", 0.5, 0.65, 0.8, "room for all"],
        ["K2", "west", 0.5, 0.65, 0.8, "room for all"],
    ]
    some = corridors.moved(table, ratios(table, 0.7), compared("ban", 300), 500, 0.9)
    assert set(some["verdict"]) == {"room for a part"}
    full = corridors.moved(table, ratios(table, 0.8), compared("ban", 300), 500, 0.9)
    assert set(full["verdict"]) == {"full"}


def test_not_known_is_not_free() -> None:
    table = groups(**PLACES)
    hidden = ratios(table, 0.2, "demand above this is unknown")
    cut = corridors.moved(table, hidden, compared("ban", 10), 500, 0.9)
    assert set(cut["verdict"]) == {"not known"}
    none = corridors.moved(table, ratios(table).head(0), compared("ban", 10), 500, 0.9)
    assert set(none["verdict"]) == {"not known"}
    alone = corridors.moved(table, ratios(table), compared("ban", 10), 100, 0.9)
    assert alone[["neighbour", "verdict"]].to_numpy().tolist() == [["", "not known"]]
    nowhere = corridors.moved(table.assign(x=np.nan), ratios(table), compared("ban", 10), 500, 0.9)
    assert isinstance(nowhere, Absent)


def test_a_queue_reaches_the_neighbour_upstream_alone() -> None:
    table = groups(**PLACES)
    # K3 lies 300 m west of K1: 51 cars of 6 m reach it, 49 do not.
    for cars, said in ((51.0, corridors.REACHES), (49.0, corridors.SHORT)):
        found = corridors.moved(table, ratios(table), compared("dosing", cars), 500, 0.9)
        assert found[["neighbour", "reach", "verdict"]].to_numpy().tolist() == [
            ["K3", 6 * cars, said]
        ]
    wide = table.assign(lanes=2.0)
    found = corridors.moved(wide, ratios(wide), compared("dosing", 51), 500, 0.9)
    assert found["verdict"].tolist() == [corridors.SHORT]
    unknown = table.assign(lanes=np.nan)
    found = corridors.moved(unknown, ratios(table), compared("dosing", 51), 500, 0.9)
    assert found["verdict"].tolist() == ["not known"]
    north = corridors.moved(table, ratios(table), compared("dosing", 51, "north"), 500, 0.9)
    assert north[["neighbour", "verdict"]].to_numpy().tolist() == [["", "not known"]]


def plans(**cycles: float) -> pd.DataFrame:
    rows = [(site, "evening", "try it", cycle) for site, cycle in cycles.items()]
    return pd.DataFrame(rows, columns=["site", "peak", "verdict", "cycle"])


def test_offsets_by_hand() -> None:
    # 400 m at 36 km/h are 40 s; 40 s there are 20 s back in a cycle of 60 s. At 0 both are off by
    # 20 s, at 30 s by 10 s. 600 m are a whole cycle: no offset, no miss.
    table = groups(K1=(0.0, 0.0), K2=(400.0, 0.0), K3=(-600.0, 0.0))
    found = corridors.coordination(table, plans(), 700, 36)
    numbers = ["travel", "offset", "offset_back", "both", "miss"]
    assert found[numbers].to_numpy().tolist() == [[40, 40, 20, 30, 10], [60, 0, 0, 0, 0]]
    assert found["then"].tolist() == ["Equal, and no plan breaks that."] * 2


def test_no_offset_of_an_in_between_is_better_for_both_ways() -> None:
    for travel in range(60):
        table = groups(K1=(0.0, 0.0), K2=(10.0 * travel + 600, 0.0))
        [row] = corridors.coordination(table, plans(), 2000, 36).itertuples()
        offset = np.arange(0, 60, 0.5)
        off = [abs((offset - way + 30) % 60 - 30) for way in (row.travel, -row.travel)]
        assert row.miss == pytest.approx(np.maximum(*off).min())
        place = np.flatnonzero(offset == row.both)[0]
        assert [one[place] for one in off] == pytest.approx([row.miss, row.miss])


def test_a_plan_for_one_breaks_equal_cycles_and_for_both_it_does_not() -> None:
    table = groups(K1=(0.0, 0.0), K2=(400.0, 0.0))
    one = corridors.coordination(table, plans(K1=48.0), 700, 36)["then"].item()
    assert one == "Plans break equal cycles in the evening: K1 48 s and K2 60 s."
    both = corridors.coordination(table, plans(K1=48.0, K2=48.0), 700, 36)["then"].item()
    assert both == "Equal, and no plan breaks that."
    table.loc[table["site"] == "K2", "cycle"] = 90.0
    other = corridors.coordination(table, plans(), 700, 36)
    assert other["then"].item() == "Cycles differ now: nothing to keep together."
    assert other[["offset", "both", "miss"]].isna().all(axis=None)
    table["cycle"] = np.nan
    unknown = corridors.coordination(table, plans(), 700, 36)["then"].item()
    assert unknown == "A cycle is not delivered."


def test_without_places_or_neighbours_a_sentence_and_nonsense_is_refused() -> None:
    table = groups(**PLACES)
    assert "within 100 m" in corridors.coordination(table, plans(), 100, 36).reason
    nowhere = corridors.coordination(table.assign(y=np.nan), plans(), 500, 36)
    assert "no junction has a position" in nowhere.reason
    with pytest.raises(DatamallError, match="speed is 0"):
        corridors.coordination(table, plans(), 500, 0)
    with pytest.raises(DatamallError, match="near is 0"):
        corridors.pairs(table, 0)
