"""What crews say of their stops teaches the state, and a driver's refusal is heard."""

from typing import Any

import pandas as pd
import pytest
from routed import trucks

from datamall.enforcement import crews, histories

FLEET = trucks(
    [
        {"truck": "W1", "takes_bulky": "no", "takes_full": "yes", "takes_residual": "no"},
        {"truck": "G1", "takes_bulky": "yes", "takes_full": "no", "takes_residual": "yes"},
    ]
)


def looks(**found: list[str]) -> pd.DataFrame:
    """Return a look of 2 January at each place, which found what is said."""
    rows = [
        {"cluster": place, "day": pd.Timestamp("2026-01-02"), "role": "crew", "found": bool(what)}
        | {cause: int(cause in what) for cause in ("bulky", "full", "residual")}
        for place, what in found.items()
    ]
    return pd.DataFrame(rows).astype({"day": "datetime64[s]", "found": int})


def stops(*rows: tuple[Any, ...]) -> dict[str, pd.DataFrame]:
    """Return an extract of results: day of January, minute, truck, cluster, result and reason."""
    table = pd.DataFrame(rows, columns=["day", "minute", "truck", "cluster", "result", "reason"])
    table["day"] = pd.Timestamp("2025-12-31") + pd.to_timedelta(table["day"], unit="D")
    return {crews.STOPS: table, crews.TRUCKS: FLEET}


@pytest.mark.parametrize(
    ("truck", "result", "found", "gone"),
    [
        ("G1", "done", ["bulky"], True),
        ("G1", "nothing there", ["bulky", "residual"], True),
        ("G1", "refused", ["bulky"], False),
        ("W1", "done", ["full"], True),
        ("W1", "done", ["bulky"], False),  # the container is empty, the sofa is still there
        ("G1", "done", ["bulky", "full"], False),
        ("G1", "done", [], False),  # nothing was known to lie there
        ("G1", "done", ["waste of no kind"], False),
        ("X9", "done", ["bulky"], False),  # nobody knows what it takes
    ],
)
def test_a_stop_clears_what_its_truck_can_take(
    truck: str, result: str, found: list[str], gone: bool
) -> None:
    data = stops((3, 600, truck, "A", result, "unsafe"))
    own = crews.cleared(data, looks(A=found))
    assert list(own["cluster"]) == ["A"] * gone
    assert list(own["day"]) == [pd.Timestamp("2026-01-03")] * gone


def test_a_stop_before_the_look_clears_nothing() -> None:
    assert crews.cleared(stops((1, 600, "G1", "A", "done", None)), looks(A=["bulky"])).empty
    assert crews.cleared({}, looks(A=["bulky"])).empty


def test_of_a_find_and_a_stop_of_one_day_the_find_stands() -> None:
    assert crews.cleared(stops((2, 600, "G1", "A", "done", None)), looks(A=["bulky"])).empty


def test_what_was_cleared_is_an_event_like_a_closing() -> None:
    seen = looks(A=["bulky"], B=["bulky"])
    told = histories.first_reports({})
    own = crews.cleared(stops((3, 600, "G1", "A", "done", None)), seen)
    events = histories.events(seen, told, own).drop_duplicates("cluster", keep="last")
    last = events.set_index("cluster")["event"]
    assert last.to_dict() == {"A": histories.CLOSED, "B": "crew: found"}


def test_a_report_is_waiting_until_a_crew_that_takes_it_was_there() -> None:
    reports = pd.DataFrame(
        {
            "cluster": ["A", "B", "C", "D"],
            "category": ["bulky waste", "bulky waste", "bulky waste", "other"],
            "opened": pd.Timestamp("2026-01-03"),
        }
    )
    data = stops(
        (3, 600, "G1", "A", "done", None),
        (3, 600, "W1", "B", "done", None),
        (2, 600, "G1", "C", "done", None),
        (4, 600, "G1", "D", "done", None),
    )
    own = crews.been(data, reports)
    assert list(own.fillna(pd.Timestamp(0))) == [pd.Timestamp("2026-01-03"), *[pd.Timestamp(0)] * 3]
    assert crews.been({}, reports).isna().all()


@pytest.mark.parametrize(
    ("day", "reason", "holds"),
    [
        (5, "parked car", True),
        (4, "parked car", False),
        (4, "road works", True),
        (-2, "unsafe", False),  # 29 December
    ],
)
def test_a_refusal_holds_as_long_as_its_reason(day: int, reason: str, holds: bool) -> None:
    data = stops((day, 600, "G1", "A", "refused", reason))
    own = crews.vetoes(data, pd.Timestamp("2026-01-05 10:40"))
    assert list(own.itertuples(index=False, name=None)) == [("G1", "A")] * holds


def test_who_served_a_place_since_refuses_it_no_longer() -> None:
    data = stops((3, 600, "G1", "A", "refused", "unsafe"), (4, 600, "G1", "A", "done", None))
    assert crews.vetoes(data, pd.Timestamp("2026-01-05")).empty


def test_at_a_moment_what_is_known_by_then_counts() -> None:
    data = stops((5, 600, "G1", "A", "done", None), (5, 700, "G1", "B", "done", None))
    known = histories.before(data, pd.Timestamp("2026-01-05 10:40"))
    assert list(crews.stops(known)["cluster"]) == ["A"]
    assert crews.stops(histories.before(data, pd.Timestamp("2026-01-05"))).empty
