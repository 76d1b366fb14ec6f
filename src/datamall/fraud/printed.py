"""Whom the printed counts of the fraud pages count: what attackers reckon with.

Rates and intervals say no more: they are reckoned from printed counts, and where their counts are
not printed beside them, these are taken from the rates.
"""

import re
from collections.abc import Iterator, Mapping

import pandas as pd

from datamall.attackers import Count, Kind, Space, printed
from datamall.fraud.audit.display import named
from datamall.fraud.audit.information import STAGES
from datamall.fraud.audit.sources import CROSSED
from datamall.fraud.profile.information import ARMS, MISTAKES, REST

_REACHED = ("population", "chosen", "visited", "finding", "objection", "upheld")
_GROUPS = {
    "sex": ("female", "male"),
    "age_band": ("under 27", "27 to 44", "45 and over"),
    "living_form": ("single", "single parent", "couple", "other"),
}
_NOTHING = "no result"
_SPOKEN = {
    named(attribute, value): {attribute: frozenset([value])}
    for attribute, values in _GROUPS.items()
    for value in values
}
# Headings of numbers on these pages: counts of people, what is reckoned from printed counts, and
# what a model or a plan says. One that is a single person's, such as a lowest, a highest or a
# median, is not among them.
FIGURES = re.compile(
    r"people|people in all|people_needed|number|recorded|chosen|chosen in any way|flagged|picked|"
    r"visited, with a result|objected|put right|found|with_mistake|for_nothing|missed|mistakes|"
    r"right_flags|wrongly_flagged|visited_for_nothing|too_many|as_the_others|draw_needed|groups|"
    r"(others_|nothing_|weight_)?(share|low|high)|(others_|naive_)?of_1000|(naive_)?ratio|lift|"
    r"if_equal|detectable|largest_difference|smallest|expected|mean|usual|with_more|weight|"
    r"pairs|chance|step|band|capacity|year|year_\d{4}|if [\d,]+ are"
)
_COLUMNS = {"people": "population", "chosen": "chosen", "recorded": "finding"}


def space(years: tuple[str, ...]) -> Space:
    """Return all kinds of people of whom the pages count."""
    attributes = {
        "year": years,
        "arm": (*ARMS.values(), REST),
        "reached": _REACHED,
        "flagged": ("yes", "no"),
        "finding": (_NOTHING, "nothing", *MISTAKES),
        **_GROUPS,
    }

    def possible(people: pd.DataFrame) -> pd.Series:
        looked_at = people["reached"].ne(_REACHED[0])
        with_result = people["reached"].isin(_REACHED[_REACHED.index("finding") :])
        return (looked_at == people["arm"].ne(REST)) & (
            with_result == people["finding"].ne(_NOTHING)
        )

    return Space(attributes, possible)


def counts(tables: Mapping[str, pd.DataFrame]) -> list[Count]:
    """Return every count of the department's own people that the pages print.

    Parameters
    ----------
    tables
        ``report/table`` → table, as in the results of a release; those that are not there are
        left out.
    """
    last = years_of(tables)[-1]
    makers = {
        "fraud_profile/people": _people,
        "fraud_profile/outcomes_counted": _outcomes,
        "fraud_audit/people": _groups,
        "fraud_audit/crossed": _crossed,
    }
    return [
        one
        for name, maker in makers.items()
        if name in tables
        for one in maker(name, tables[name], last)
    ]


def small(tables: Mapping[str, pd.DataFrame]) -> dict[str, Kind]:
    """Return the kinds of people that are few and could be reckoned from what is in print.

    Of each year and arm those who came to a step and no further, and those of each result; of each
    group those who came to a step and no further.
    """
    asked: dict[str, Kind] = {}
    years = years_of(tables)
    for year in years:
        own = {"year": frozenset([year])}
        for arm in ARMS.values():
            of = {**own, "arm": frozenset([arm])}
            for name, values in (("reached", _REACHED[1:]), ("finding", MISTAKES)):
                for value in values:
                    asked[f"{year}, {arm}, {value}"] = {**of, name: frozenset([value])}
    for words, group in _SPOKEN.items():
        for value in _REACHED[1:]:
            of = {"year": frozenset(years[-1:]), **group, "reached": frozenset([value])}
            asked[f"{words}, {value}"] = of
    return asked


def sensitive() -> dict[str, Kind]:
    """Return what an attacker wants to know of somebody."""
    every: dict[str, Kind] = {words: dict(group) for words, group in _SPOKEN.items()}
    every |= {arm: {"arm": frozenset([arm])} for arm in (*ARMS.values(), REST)}
    every |= {finding: {"finding": frozenset([finding])} for finding in MISTAKES}
    return every | {"flagged": {"flagged": frozenset(["yes"])}}


def years_of(tables: Mapping[str, pd.DataFrame]) -> tuple[str, ...]:
    """Return the years that the pages are about; one without a name where none is printed."""
    table = tables.get("fraud_profile/people")
    return ("",) if table is None else tuple(sorted(table["year"].astype(str).unique()))


def _from(stage: str) -> frozenset[str]:
    return frozenset(_REACHED[_REACHED.index(stage) :])


def _people(name: str, table: pd.DataFrame, last: str) -> Iterator[Count]:
    for row in table.to_dict("records"):
        of: dict[str, frozenset[str]] = {"year": frozenset([str(row["year"])])}
        if row["arm"] in (*ARMS.values(), REST):
            of["arm"] = frozenset([row["arm"]])
        for column, stage in _COLUMNS.items():
            where = f"{name}: {row['year']}, {row['arm']}, {column}"
            yield printed(where, {**of, "reached": _from(stage)}, row[column])


def _outcomes(name: str, table: pd.DataFrame, last: str) -> Iterator[Count]:
    for row in table.to_dict("records"):
        of = {"year": frozenset([str(row["year"])]), "arm": frozenset([row["arm"]])}
        where = f"{name}: {row['label']}, {row['year']}, {row['arm']}"
        found = {**of, "finding": frozenset(row["label"].split(" or "))}
        yield printed(f"{where}, recorded", {**of, "reached": _from("finding")}, row["recorded"])
        yield printed(f"{where}, found", found, row["found"])


def _groups(name: str, table: pd.DataFrame, last: str) -> Iterator[Count]:
    for row in table.to_dict("records"):
        group = _SPOKEN.get(row["people"])
        for stage, heading in STAGES.items() if group else ():
            of: dict[str, frozenset[str]] = {"year": frozenset([last]), **(group or {})}
            of |= {"flagged": frozenset(["yes"])} if stage == "flagged" else {}
            of |= {} if stage == "flagged" else {"reached": _from(stage)}
            yield printed(f"{name}: {row['people']}, {stage}", of, row.get(heading))


def _crossed(name: str, table: pd.DataFrame, last: str) -> Iterator[Count]:
    known = {value: attribute for attribute, values in _GROUPS.items() for value in values}
    for row in table.to_dict("records"):
        values = str(row["people"]).split(CROSSED)
        if not set(values) <= {*known}:
            continue
        of = {"year": frozenset([last])} | {known[value]: frozenset([value]) for value in values}
        yield printed(f"{name}: {row['people']}", of, row["number"])
        if row["of_1000"] == row["of_1000"]:
            flagged = 5 * round(row["of_1000"] * row["number"] / 5000)
            yield printed(
                f"{name}: {row['people']}, flagged", {**of, "flagged": frozenset(["yes"])}, flagged
            )
