"""Travel: whole metres and seconds, by straight lines or by a delivered matrix, all connected."""

import numpy as np
import pandas as pd
import pytest

from datamall.enforcement.routing.settings import Settings
from datamall.enforcement.routing.travel import Travel, between
from datamall.errors import DatamallError

POINTS = pd.DataFrame({"name": ["a", "b", "c"], "x": [0.0, 300.0, 0.0], "y": [0.0, 400.0, 90.0]})


def matrix(**changed: float) -> pd.DataFrame:
    legs = {"a-b": 900.0, "b-a": 800.0, "a-c": 100.0, "c-a": 100.0, "b-c": 700.0, "c-b": 710.0}
    table = pd.DataFrame([(*leg.split("-"), value) for leg, value in (legs | changed).items()])
    table = table.set_axis(["from", "to", "metres"], axis=1)
    return table.assign(seconds=table["metres"] / 10)


def test_straight_lines_are_longer_by_the_factor_and_take_their_time() -> None:
    found = between(POINTS, Settings(factor=1.3, speed=25))
    assert found.metres[0].tolist() == [0, 650, 117]
    assert found.seconds[0].tolist() == [0, 94, 17]  # 650 m at 25 km/h are 93.6 s
    assert (found.metres == found.metres.T).all()


def test_a_matrix_holds_each_direction_of_its_own() -> None:
    found = between(POINTS, Settings(), matrix().sample(frac=1, random_state=1))
    assert found.metres.tolist() == [[0, 900, 100], [800, 0, 700], [100, 710, 0]]
    assert found.seconds.tolist() == [[0, 90, 10], [80, 0, 70], [10, 71, 0]]


def test_a_point_that_the_matrix_does_not_name_goes_by_the_nearest_that_it_names() -> None:
    truck = pd.DataFrame({"name": ["truck", "d"], "x": [0.0, 300.0], "y": [-10.0, 420.0]})
    points = pd.concat([truck, POINTS], ignore_index=True)
    found = between(points, Settings(factor=1.0, speed=3.6), matrix())
    assert found.metres[0].tolist() == [0, 10 + 900 + 20, 10, 10 + 900, 10 + 100]
    assert found.metres[:, 0].tolist() == [0, 20 + 800 + 10, 10, 800 + 10, 100 + 10]
    assert found.metres[1, 3] == found.metres[3, 1] == 20


@pytest.mark.parametrize("value", [np.nan, -1.0, 1e6, np.inf])
def test_a_pair_without_a_road_is_named(value: float) -> None:
    with pytest.raises(DatamallError, match=r"no metres from c to b .and 0 pairs more"):
        between(POINTS, Settings(), matrix(**{"c-b": value}))


def test_a_matrix_that_lacks_a_pair_repeats_one_or_names_nothing_is_refused() -> None:
    with pytest.raises(DatamallError, match=r"no metres from a to b .and 0 pairs"):
        between(POINTS, Settings(), matrix().iloc[1:])
    with pytest.raises(DatamallError, match="says twice how far it is from a to b"):
        between(POINTS, Settings(), pd.concat([matrix(), matrix().head(1)]))
    with pytest.raises(DatamallError, match="names none of these places"):
        between(POINTS.assign(name="x"), Settings(), matrix())


def test_points_without_coordinates_or_in_another_land_are_refused() -> None:
    with pytest.raises(DatamallError, match="b has no coordinates"):
        between(POINTS.assign(x=[0.0, np.nan, 1.0]), Settings())
    with pytest.raises(DatamallError, match="a and b are 7,800 km apart: check"):
        between(POINTS.assign(x=[0.0, 6e6, 1.0]), Settings())


def test_what_is_no_whole_number_or_no_road_is_no_travel() -> None:
    good = np.array([[0, 1], [1, 0]])
    for bad in (good.astype(float), good - 1, good * 10**6, good + 1, good[:1]):
        with pytest.raises(AssertionError):
            Travel(good, bad)
    Travel(good, good)
