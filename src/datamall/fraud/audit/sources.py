"""From the extract to one table of counts by group and stage, whoever counted them.

The department counts by what it registers itself (sex, age, living form).
Origin it may not hold: a statistics office counts by origin, rounded, with totals in print. Both
become the same table, so that each check is written once, and each count is known between bounds.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from datamall.errors import DatamallError
from datamall.fairness.plan import Meaning
from datamall.fairness.steps import ALL as TOTAL
from datamall.fairness.steps import KEYS, SAID, Selection, recorded
from datamall.fraud import disclosure
from datamall.requirements import Absent, needs

INVESTIGATIONS = "welfare.investigations"
OFFICIAL = "welfare.audit_counts"
OWN = "own counts"
OWN_CHAPTER = "The department's own counts"
CROSSED = " × "
_SUMS = tuple(SAID.values())
NEEDED = ("year", "arm", "flagged", "chosen", "visited", "finding", "people")

Tables = Mapping[str, pd.DataFrame]
Labels = Mapping[str, Meaning]


@needs(OWN_CHAPTER, *(f"{INVESTIGATIONS}.{name}" for name in NEEDED), blank=True)
def own(
    data: Tables, groups: Sequence[str], depth: int, labels: Labels | None = None
) -> pd.DataFrame | Absent:
    """Count the department's files as a statistics office would.

    Everything on the page follows from these counts as they may be printed: rounded to 5, those
    below 10 hidden. So no number on it can say more than they do.

    Parameters
    ----------
    data
        The extract.
    groups
        Columns of welfare.investigations to group by; those that are not delivered are left out.
    depth
        Up to how many of them are crossed.
    labels
        Definitions of a mistake found: what each recorded result counts as. What each of them
        counts is counted once more as a whole, since a whole that is rounded says more than its
        rounded parts.

    Returns
    -------
    pandas.DataFrame
        The columns of welfare.audit_counts: study (``own counts`` and the year), attribute
        (crossed ones joined by " × "), group, arm, band (``high`` for flagged, ``other``), stage
        that people reached at least, outcome (also ``<label>: yes`` and ``<label>: no``), people
        (missing below 10), rounding (5).
    """
    table = data[INVESTIGATIONS]
    known = [name for name in groups if name in table]
    if not known:
        reason = (
            f"Not possible here: none of {', '.join(groups)} is among the department's columns."
        )
        return Absent(OWN_CHAPTER, reason)
    files = table.assign(
        study=OWN + " " + table["year"].astype(str),
        band=np.where(table["flagged"].eq("yes"), "high", "other"),
        outcome=table["finding"].astype(object).where(table["finding"].notna(), "none"),
        **{name: table[name].astype(object).fillna("(missing)") for name in known},
    )
    cells = _reached(files, known)
    cells = pd.concat([cells, *_read(cells, labels or {})], ignore_index=True)
    for name in ("arm", "band", "outcome"):
        # Sums of results are no further results of a total.
        plain = cells if name != "outcome" else cells[~cells["outcome"].str.endswith(_SUMS)]
        cells = pd.concat([cells, plain.assign(**{name: TOTAL})], ignore_index=True)
    cells = cells[~cells["arm"].eq("none") & ~cells["outcome"].eq("none")]
    cells = cells[cells["outcome"].eq(TOTAL) | cells["stage"].eq("finding")]
    parts = [_grouped(cells, names) for names in crossings(known, depth)]
    table = pd.concat(parts, ignore_index=True)
    return table.assign(people=disclosure.counts(table["people"]), rounding=disclosure.ROUNDING)


def definitions(counts: pd.DataFrame, labels: Labels) -> dict[str, Meaning]:
    """Return the definitions that say of every recorded result what it counts as."""
    known = set(recorded(counts))
    return {name: own for name, own in labels.items() if known and known <= set(own)}


def _read(cells: pd.DataFrame, labels: Labels) -> list[pd.DataFrame]:
    """Return the results once more, as each definition reads them."""
    found, parts = cells[cells["stage"].eq("finding")], []
    for label, meaning in definitions(found, labels).items():
        read = {name: label + SAID[value] for name, value in meaning.items() if value is not None}
        own = found[found["outcome"].isin(list(read))]
        parts.append(own.assign(outcome=own["outcome"].map(read)))
    return parts


def crossings(names: Sequence[str], depth: int) -> list[tuple[str, ...]]:
    """Return each name, each pair of names, and so on up to `depth` of them."""
    sizes = range(1, min(depth, len(names)) + 1)
    return [pick for size in sizes for pick in combinations(names, size)]


def _reached(files: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return how many people reached each stage, by everything."""
    decided = files["objection"] if "objection" in files else pd.Series(None, index=files.index)
    reached = {
        "population": np.ones(len(files), bool),
        "flagged": files["flagged"].eq("yes"),
        "chosen": files["chosen"].eq("yes"),
        "visited": files["visited"].eq("yes"),
        "finding": files["finding"].notna(),
        "objection": decided.isin(["rejected", "upheld"]),
        "upheld": decided.eq("upheld"),
    }
    keys = ["study", *names, "arm", "band", "outcome"]
    cells = pd.concat([files[where].assign(stage=s) for s, where in reached.items()])
    return cells.groupby([*keys, "stage"], observed=True)["people"].sum().reset_index()


def _grouped(cells: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return counts by one attribute, or by several crossed, and for everybody."""
    text = cells[names[0]].astype(str)
    for name in names[1:]:
        text = text + CROSSED + cells[name].astype(str)
    both = [cells.assign(group=text), cells.assign(group=TOTAL)]
    table = pd.concat(both).assign(attribute=CROSSED.join(names))
    sums = table.groupby(KEYS, observed=True)["people"].sum()
    # What occurs in one group is counted in each, also where it is nobody.
    groups = [sorted(table["group"].unique())]
    rest = [key for key in KEYS if key != "group"]
    every = table[rest].drop_duplicates().merge(pd.DataFrame({"group": groups[0]}), how="cross")
    return every.set_index(KEYS).join(sums).fillna({"people": 0}).reset_index()


@needs(
    "Official counts",
    *(f"{OFFICIAL}.{name}" for name in (*KEYS, "people", "rounding")),
    blank=True,
)
def official(data: Tables) -> pd.DataFrame | Absent:
    """Return the official counts as they were delivered; totals of exact ones are added.

    Raises
    ------
    DatamallError
        When one study rounds some counts of an attribute otherwise than others.
    """
    table = data[OFFICIAL]
    mixed = table.groupby(["study", "attribute"])["rounding"].nunique()
    if (mixed > 1).any():
        raise DatamallError(
            f"The official counts of {' by '.join(mixed.index[mixed.argmax()])} are rounded in "
            "different ways: give each rounding an attribute of its own."
        )
    table = table[[*KEYS, "people", "rounding"]]
    exact = table[table["rounding"] == 1]
    for name in ("group", "arm", "band", "outcome"):
        exact = _with_total(exact, name)
    return pd.concat([table[table["rounding"] > 1], exact], ignore_index=True)


def _with_total(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Add what exact counts add up to over a column, for studies that do not print it."""
    printed = table.loc[table[name] == TOTAL, "study"].unique()
    rest = table[~table["study"].isin(printed)]
    keys = [key for key in KEYS if key != name]
    sums = rest.groupby([*keys, "rounding"], observed=True)["people"].sum().reset_index()
    return pd.concat([table, sums.assign(**{name: TOTAL})], ignore_index=True)


def together(*tables: pd.DataFrame | Absent) -> pd.DataFrame | Absent:
    """Put counts of several sources below each other; `Absent` only where there are none."""
    there = [table for table in tables if not isinstance(table, Absent)]
    return pd.concat(there, ignore_index=True) if there else tables[0]


def is_own(study: str) -> bool:
    """Return whether a study is the department's own count, of which persons could be told."""
    return study.startswith(OWN)


def year_of(study: str) -> str:
    """Return the year at the end of the name of a study, or nothing."""
    last = study.rsplit(" ", 1)[-1]
    return last if last.isdigit() else ""


def latest(counts: pd.DataFrame) -> pd.DataFrame:
    """Return the counts of the last year of each selection that was studied."""
    studies = sorted(counts["study"].unique(), key=year_of)
    last = {study.removesuffix(year_of(study)): study for study in studies}
    return counts[counts["study"].isin(last.values())].reset_index(drop=True)


def earlier(counts: pd.DataFrame) -> pd.DataFrame:
    """Return the counts of the years that `latest` leaves out."""
    rest = counts[~counts["study"].isin(latest(counts)["study"])]
    return rest.reset_index(drop=True)


def selection(counts: pd.DataFrame) -> Selection:
    """Return counts as `datamall.fairness.audit` takes them; hidden ones are below 10."""
    tallies = [study for study in counts["study"].unique() if is_own(str(study))]
    return Selection.read(counts, hidden_below=disclosure.MINIMUM, tallies=tallies)
