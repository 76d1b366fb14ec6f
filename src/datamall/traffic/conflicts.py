"""Which lane groups conflict, and how long one must be gone before the other may start.

Where an authority delivers that, phases are held against it; where it does not, a plan says what
the junction could serve, and nothing about safety.
"""

import re
from collections.abc import Iterator
from itertools import pairwise, permutations

import pandas as pd

from datamall.requirements import passes_absent

INDICATION = "a capacity indication only"
KEEPS = "keeps the conflicts and crossings on file"
MOST_PHASES = 7  # of more, the orders are too many to look at all of them
_ENTRY = re.compile(r"(?P<approach>.+?) (?P<lane_group>\S+)(?: (?P<seconds>\d+(?:\.\d+)?) s)?")
_HOW = "write approach, lane group and seconds, as in: north L 5 s; south SR 6 s"

Lane = tuple[str, str]


def _entries(text: str) -> Iterator[tuple[str, Lane | None, float]]:
    """Yield each entry of a text with its lane group (None if unread) and seconds (0 if unsaid)."""
    for entry in filter(None, (one.strip() for one in text.split(";"))):
        found = _ENTRY.fullmatch(entry)
        if found:
            lane = found["approach"].strip(), found["lane_group"]
            yield entry, lane, float(found["seconds"] or 0)
        else:
            yield entry, None, 0.0


def misread(groups: pd.DataFrame) -> pd.Series:
    """Return what cannot be read of the conflicts of each lane group, in words, or nothing.

    Parameters
    ----------
    groups
        site, approach, lane_group and conflicts, as `traffic.junctions` has them.
    """
    known = set(groups[["site", "approach", "lane_group"]].itertuples(index=False, name=None))
    result = []
    for row in groups.itertuples():
        wrong = [
            e for e, lane, _ in _entries(row.conflicts) if (row.site, *(lane or ())) not in known
        ]
        result.append(f"conflicts name {wrong[0]!r}, no lane group here: {_HOW}" if wrong else "")
    return pd.Series(result, groups.index, dtype=object)


def pairs(groups: pd.DataFrame) -> dict[tuple[Lane, Lane], float]:
    """Return the conflicts of one junction: (who ends, who begins) → clearance in seconds.

    What conflicts with another is in conflict with it both ways, whoever says so; the clearance of
    a way that is not said is 0. A lane group that is not there (any more) is left out.
    """
    lanes = set(groups[["approach", "lane_group"]].itertuples(index=False, name=None))
    found: dict[tuple[Lane, Lane], float] = {}
    for row in groups.itertuples():
        own = row.approach, row.lane_group
        for _, lane, seconds in _entries(row.conflicts):
            if lane is not None and lane in lanes:
                found[own, lane] = max(found.get((own, lane), 0.0), seconds)
                found.setdefault((lane, own), 0.0)
    return found


def broken(groups: pd.DataFrame) -> tuple[str, str] | None:
    """Return what the phases of a junction break of its conflicts, and by what rule; or None.

    Parameters
    ----------
    groups
        Lane groups of one junction, as from `peaks.lane_groups`, with phases and lost time.

    Notes
    -----
    Groups that conflict may not have green in one phase. The lost time of a cycle must hold the
    longest clearance of each change of phase: with the usual 2 s lost at the start of green and 2 s
    used of yellow (HCM), lost time and clearance of a change are equal. In which order phases come
    is not delivered: the order that needs least is taken, so that only what no order can keep is
    refused.
    """
    found = pairs(groups)
    for wrong in groups.loc[groups["misread"] != "", "misread"]:
        return wrong, "traffic.junctions"
    phase = {(r.approach, r.lane_group): r.phase for r in groups.itertuples()}
    for (first, second), _ in sorted(found.items()):
        if phase[first] == phase[second]:
            both = f"{' '.join(first)} and {' '.join(second)} conflict and have green together"
            return f"{both} in phase {phase[first]}", "conflicts on file"
    change: dict[tuple[str, str], float] = {}
    for (first, second), seconds in found.items():
        key = phase[first], phase[second]
        change[key] = max(change.get(key, 0.0), seconds)
    head, *rest = sorted(set(phase.values()))
    if not change or len(rest) >= MOST_PHASES:
        return None
    orders = ([head, *order, head] for order in permutations(rest))
    need = min(sum(change.get((a, b), 0.0) for a, b in pairwise(order)) for order in orders)
    lost = groups["lost_time"].iloc[0]
    if lost < need - 1e-9:
        said = (
            f"a lost time of {lost:g} s is less than the {need:g} s of clearance that its changes"
        )
        return f"{said} of phase need in any order", "conflicts on file"
    return None


@passes_absent
def standing(groups: pd.DataFrame) -> pd.DataFrame:
    """Return what a plan is, by what is known of conflicts and crossings.

    Parameters
    ----------
    groups
        As from `peaks.lane_groups`.

    Returns
    -------
    pandas.DataFrame
        plan (what a plan is there), conflicts and crossings (delivered or not), junctions (how
        many) and which (the first of them). A plan keeps what is on file where conflicts are
        delivered for the junction, and the length of every crossing at which pedestrians need time;
        else it is a capacity indication only.
    """
    needed = groups["pedestrian_time"].notna()
    lacking = needed & groups["crossing_length"].isna()
    table = pd.DataFrame({"site": groups["site"], "conflicts": groups["conflicts"] != ""})
    table["crossings"] = groups["crossing_length"].notna()
    table["lacking"] = lacking
    sites = table.groupby("site", as_index=False).any()
    sites["crossings"] &= ~sites["lacking"]
    both = sites["conflicts"] & sites["crossings"]
    sites["plan"] = both.map({True: KEEPS, False: INDICATION})
    for name in ("conflicts", "crossings"):
        sites[name] = sites[name].map({True: "delivered", False: "not delivered"})
    by = ["plan", "conflicts", "crossings"]
    found = sites.groupby(by, as_index=False)["site"].agg(["size", _first])
    return found.rename(columns={"size": "junctions", "_first": "which"})


def _first(sites: pd.Series) -> str:
    """Return the names of up to five junctions."""
    names = ", ".join(sites.head(5))
    return names + ", …" if len(sites) > 5 else names
