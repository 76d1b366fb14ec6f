"""The answer of the page about waste, whatever of it a town delivers."""

import pandas as pd

from datamall.enforcement import words
from datamall.requirements import Absent

NO_PLAN = Absent("Dirty rates", "Not possible here: the authority does not deliver inspections.")
GAP = Absent("Totals", "Not possible here: no.")
ENDING = "No plan for tomorrow: the authority does not deliver inspections."


def told(totals: pd.DataFrame | Absent, reported: pd.DataFrame | Absent) -> str:
    return words.answer(NO_PLAN, GAP, totals, reported, 0.9)


def test_reports_alone_say_what_they_tell() -> None:
    whole = pd.DataFrame([{"reports": 12843, "days": 2.0, "still_open": 56}])
    said = "12,843 reports came in; half were closed within 2 days, 56 still open at the end."
    assert told(GAP, whole) == f"{said} {ENDING}"
    assert words.evidence(NO_PLAN) == ["totals", "reported"]


def test_what_is_not_known_of_reports_is_not_said() -> None:
    one = pd.DataFrame([{"reports": 1, "days": float("nan"), "still_open": 1}])
    assert told(GAP, one) == f"1 report came in, 1 still open at the end. {ENDING}"
    assert told(GAP, one[["reports"]]) == f"1 report came in. {ENDING}"


def test_inspections_without_places_say_what_was_found() -> None:
    totals = pd.DataFrame([{"inspections": 200, "share": 0.314}])
    assert told(totals, GAP) == f"Waste was found at 31 % of 200 inspections. {ENDING}"


def test_nothing_delivered_is_no_more_than_that() -> None:
    assert told(GAP, GAP) == ENDING
