"""Official counts by origin and stage, as a statistics office makes them from two registers.

Stages are nested within an arm: who was chosen, of those who was visited, and so on. Before
somebody is chosen there is no arm, so the first two stages are counted for all arms together.
"""

import numpy as np
import pandas as pd

from datamall.demo.welfare_selection import FINDINGS

TOTAL = "total"
ARMS = ("profile", "random", "signal", "follow-up")
STAGES = ("population", "flagged", "chosen", "visited", "finding", "objection", "upheld")
ROUNDING = 10
KEYS = ["study", "attribute", "group", "arm", "band", "stage", "outcome"]


def count(files: pd.DataFrame) -> pd.DataFrame:
    """Count people by group, arm, risk band, stage and outcome.

    Parameters
    ----------
    files
        What `welfare_selection.select` returns.

    Returns
    -------
    DataFrame
        The columns of the contract ``welfare.audit_counts`` and ``exact`` (the count before it
        was rounded). Every number is rounded by itself, totals too, so that parts need not add
        up to their total.
    """
    files = files.assign(band=np.where(files["flagged"], "high", "other"))
    files["both"] = files["origin"] + ", " + files["sex"]
    reached = {
        "population": np.ones(len(files), dtype=bool),
        "flagged": files["flagged"].to_numpy(),
        "chosen": files["chosen"].to_numpy(),
        "visited": files["visited"].to_numpy(),
        "finding": files["finding"].notna().to_numpy(),
        "objection": files["objection"].isin(["rejected", "upheld"]).to_numpy(),
        "upheld": (files["objection"] == "upheld").to_numpy(),
    }
    frames = []
    for attribute, column in (("origin", "origin"), ("origin and sex", "both")):
        for stage in STAGES:
            part = files[reached[stage]]
            arms = [TOTAL] if stage in STAGES[:2] else [TOTAL, *ARMS]
            outcomes = [TOTAL, *FINDINGS] if stage == "finding" else [TOTAL]
            groups = [TOTAL, *sorted(files[column].unique())]
            years = sorted(files["year"].unique())
            levels = [years, groups, arms, [TOTAL, "high", "other"], outcomes]
            frames.append(
                _table(part, ["year", column, "arm", "band", "finding"], levels).assign(
                    attribute=attribute, stage=stage
                )
            )
    table = pd.concat(frames, ignore_index=True)
    table["study"] = "Demo city " + table["year"].astype(str)
    table["people"] = (table["exact"] + ROUNDING // 2) // ROUNDING * ROUNDING
    table["rounding"] = ROUNDING
    return table[[*KEYS, "people", "rounding", "exact"]].sort_values(KEYS, ignore_index=True)


def _table(part: pd.DataFrame, columns: list[str], levels: list[list[object]]) -> pd.DataFrame:
    """Count rows for all combinations of levels; `TOTAL` counts whatever the value."""
    names = ["year", "group", "arm", "band", "outcome"]
    exact = np.zeros([len(own) for own in levels], dtype=np.int64)
    places = []
    for column, own in zip(columns, levels, strict=True):
        codes = pd.Index(own).get_indexer(part[column])
        # Each file counts at its own level and, where there is one, at the total.
        places.append([codes] if TOTAL not in own else [codes, np.zeros_like(codes)])
    for mask in np.ndindex(*(len(own) for own in places)):
        place = [own[choice] for own, choice in zip(places, mask, strict=True)]
        known = np.all([codes >= 0 for codes in place], axis=0)
        np.add.at(exact, tuple(codes[known] for codes in place), 1)
    index = pd.MultiIndex.from_product(levels, names=names)
    return pd.DataFrame({"exact": exact.ravel()}, index=index).reset_index()
