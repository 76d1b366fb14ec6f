"""The demo's people on benefit, and what two releases print of them with and without somebody."""

from typing import Any

import numpy as np
import pandas as pd

from datamall.demo import welfare
from datamall.fraud import printed
from datamall.fraud.audit import display, information, sources
from datamall.fraud.profile import information as profile

WORDS = {True: "yes", False: "no"}
FILE = ["client", "year", "sex", "age_band", "living_form", "score_band", "arm"]
FACTS = ["client", "year", "cost_sharers", "late_reports", "months_since_review"]
Tables = dict[str, pd.DataFrame]


def extract(people: pd.DataFrame) -> Tables:
    """Return these people in the shape of the contracts."""
    steps = {name: people[name].map(WORDS) for name in ("flagged", "chosen", "visited")}
    files = people[[*FILE, "finding", "objection"]].assign(people=1, **steps)
    return {
        "welfare.investigations": files.reset_index(drop=True),
        "welfare.clients": people[FACTS].reset_index(drop=True),
    }


def tables(people: pd.DataFrame, parameters: dict[str, Any]) -> Tables:
    """Return the tables of counts of both fraud pages, by the programs that make them."""
    data, plan = extract(people), parameters["fraud_audit"]
    files = data["welfare.investigations"]
    newest = {"welfare.investigations": files[files["year"] == files["year"].max()]}
    own = sources.own(newest, plan["groups"], 1)
    labels = parameters["fraud_profile"]["labels"]
    return {
        "fraud_profile/people": profile.people(data),
        "fraud_profile/outcomes_counted": profile.outcomes(data, labels, 0.95),
        "fraud_audit/people": display.counts_by_group(own, information.STAGES),
    }


def demo() -> pd.DataFrame:
    """Return one row per person and year of the demo."""
    return welfare.people(2319)


def some(people: pd.DataFrame, number: int, seed: int = 1) -> list[str]:
    """Return persons drawn at random, of whom anything but that they are on benefit is known.

    Half of them were looked at: of the others there is less to tell.
    """
    rng = np.random.default_rng(seed)
    everybody = people["client"].unique()
    chosen = people.loc[people["chosen"], "client"].unique()
    half = rng.choice(chosen, number // 2, replace=False)
    rest = np.setdiff1d(everybody, half)
    return [*half, *rng.choice(rest, number - number // 2, replace=False)]


def counts(people: pd.DataFrame, parameters: dict[str, Any]) -> list[printed.Count]:
    """Return the counts that attackers see."""
    return printed.counts(tables(people, parameters))
