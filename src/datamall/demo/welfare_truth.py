"""What was planted in welfare, per person and per group, to hold results against.

The same people met the same chances with and without the planted biases, so that the difference
between the two is what the biases did.
"""

from dataclasses import asdict

import numpy as np
import pandas as pd

from datamall.demo.welfare_people import TRUTHS
from datamall.demo.welfare_world import NEUTRAL, WelfareWorld

PERSON = [
    *("client", "year", "sex", "age_band", "living_form", "origin", "nationality", "disability"),
    *("chance", "chance_unlawful", "truth", "score", "score_band", "arm"),
    *("flagged", "chosen", "visited", "finding", "objection"),
]
STEPS = ["flagged", "chosen", "visited", "finding", "objection"]


def tables(
    biased: pd.DataFrame, fair: pd.DataFrame, world: WelfareWorld
) -> dict[str, pd.DataFrame]:
    """Return the tables of truth.

    Parameters
    ----------
    biased, fair
        The same people and years, drawn with and without the biases.

    Returns
    -------
    dict
        ``welfare_people``: one row per client and year, its truth, what happened, and the same
        without bias (``flagged_unbiased`` …). ``welfare_groups``: see `groups`.
        ``welfare_knobs``: knob, value, neutral (the value at which it does nothing; empty for
        sizes that make no groups differ).
    """
    persons = biased[PERSON].copy()
    for name in STEPS:
        persons[f"{name}_unbiased"] = fair[name].to_numpy()
    knobs = asdict(world)
    table = pd.DataFrame({"knob": list(knobs), "value": [float(v) for v in knobs.values()]})
    table["neutral"] = table["knob"].map(NEUTRAL)
    return {"welfare_people": persons, "welfare_groups": groups(persons), "welfare_knobs": table}


def groups(persons: pd.DataFrame) -> pd.DataFrame:
    """Return the true rates of each group.

    Parameters
    ----------
    persons
        The table ``welfare_people`` of `tables`.

    Returns
    -------
    DataFrame
        One row per year, attribute and group: people; base_rate and unlawful_rate (wrong and
        unlawful amounts, of all); flagged and flagged_unbiased (share of all); fpr (flagged, of
        those whose amount is right), fnr (not flagged, of those whose amount is unlawful), fpr_any
        and so on with the same for any error; chosen_given_flagged (profile arm, of the flagged
        who were not in the draw); harsher (findings above the truth, of all visited); visited
        (share of all); wrongly_visited (visited, of those whose amount is right).
    """
    table = persons.assign(
        **{
            "origin and sex": persons["origin"] + ", " + persons["sex"],
            "single mother under 27": np.where(
                (persons["sex"] == "female")
                & (persons["living_form"] == "single parent")
                & (persons["age_band"] == "under 27"),
                "yes",
                "no",
            ),
            "all": "total",
        }
    )
    wrong = table["truth"] != TRUTHS[0]
    unlawful = table["truth"] == TRUTHS[2]
    level = {"nothing": 0, "administrative": 1, "unlawful": 2}
    harsher = table["finding"].map(level) > table["truth"].map(
        dict(zip(TRUTHS, range(3), strict=True))
    )
    flagged = table["flagged"]
    sums = pd.DataFrame(
        {
            "people": 1,
            "wrong": wrong,
            "unlawful": unlawful,
            "flagged": flagged,
            "flagged_unbiased": table["flagged_unbiased"],
            "flagged_right": flagged & ~wrong,
            "flagged_lawful": flagged & ~unlawful,
            "flagged_wrong": flagged & wrong,
            "flagged_unlawful": flagged & unlawful,
            "open": flagged & ~table["arm"].isin(["random", "signal"]),
            "chosen": flagged & (table["arm"] == "profile"),
            "visited": table["visited"],
            "visited_right": table["visited"] & ~wrong,
            "harsher": harsher,
        }
    ).astype(np.int64)
    frames = []
    for attribute in (
        *("all", "origin", "sex", "age_band", "living_form", "nationality", "disability"),
        *("origin and sex", "single mother under 27"),
    ):
        keys = [table["year"], table[attribute].astype(str).rename("group")]
        s = sums.groupby(keys).sum()
        lawful, right = s["people"] - s["unlawful"], s["people"] - s["wrong"]
        rates = pd.DataFrame(
            {
                "people": s["people"],
                "base_rate": s["wrong"] / s["people"],
                "unlawful_rate": s["unlawful"] / s["people"],
                "flagged": s["flagged"] / s["people"],
                "flagged_unbiased": s["flagged_unbiased"] / s["people"],
                "fpr": s["flagged_lawful"] / lawful,
                "fnr": 1 - s["flagged_unlawful"] / s["unlawful"],
                "fpr_any": s["flagged_right"] / right,
                "fnr_any": 1 - s["flagged_wrong"] / s["wrong"],
                "chosen_given_flagged": s["chosen"] / s["open"],
                "visited": s["visited"] / s["people"],
                "wrongly_visited": s["visited_right"] / right,
                "harsher": s["harsher"] / s["visited"],
            }
        )
        frames.append(rates.reset_index().assign(attribute=attribute))
    out = pd.concat(frames, ignore_index=True)
    return out[["year", "attribute", *[c for c in out.columns if c not in ("year", "attribute")]]]
