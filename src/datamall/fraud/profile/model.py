"""A profile: a logistic regression on permitted facts, or a sentence why there is none."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from datamall.fraud.profile.facts import FACTS, numbers
from datamall.requirements import Absent

CHAPTER = "The profile"
# A coefficient per standard deviation with a wider error than this is no finite number but the
# sign that people with and without a finding are separated.
_WIDEST = 10.0
# Scores are compared after rounding: linear algebra differs in its last bits between processors.
_DIGITS = 9


@dataclass(frozen=True)
class Profile:
    """A fitted logistic regression.

    Attributes
    ----------
    facts
        Columns used, k of them.
    usual
        What stands in for a value that is not recorded: the median of the training people.
    centre, spread
        Mean and standard deviation of the training people, by which facts are standardised.
    coefficients, errors
        Intercept and k log odds per standard deviation, and their standard errors.
    people, found
        People it was trained on, and how many of them had a finding.
    """

    facts: tuple[str, ...]
    usual: np.ndarray
    centre: np.ndarray
    spread: np.ndarray
    coefficients: np.ndarray
    errors: np.ndarray
    people: int
    found: int

    def chance(self, clients: pd.DataFrame) -> np.ndarray:
        """Return for each person the chance of a finding that the profile sees."""
        values = numbers(clients, list(self.facts)).to_numpy()
        values = np.where(np.isnan(values), self.usual, values)
        logit = self.coefficients[0] + (values - self.centre) / self.spread @ self.coefficients[1:]
        return (1 / (1 + np.exp(-logit))).round(_DIGITS)


def fit(
    clients: pd.DataFrame, found: pd.Series, facts: Sequence[str], findings_per_fact: int
) -> Profile | Absent:
    """Train a profile.

    Parameters
    ----------
    clients
        People with a known result, and their facts.
    found
        Whether a mistake was found, in the same order.
    facts
        Permitted columns. One that is the same for all these people is left out.
    findings_per_fact
        Least number of people with a finding, and of people without, for each fact.

    Returns
    -------
    Profile or Absent
        `Absent` says why no profile can be learnt: too few findings, two facts that say the same,
        or facts that separate people with and without a finding completely, so that their weight
        has no finite estimate.

    Notes
    -----
    Maximum likelihood (statsmodels GLM, binomial with logit link). What is not recorded is taken
    as usual, and that it is not recorded is no fact of its own: it says something of the
    department, not of the person. Fewer than about 5 findings per fact give intervals that do not
    hold (Vittinghoff and McCulloch 2007).
    """
    values = numbers(clients, list(facts))
    values = values.loc[:, values.max() > values.min()]
    number, hits = values.shape[1], int(found.sum())
    fewest, needed = min(hits, len(found) - hits), findings_per_fact * number
    if not number or fewest < max(needed, 1):
        return Absent(
            CHAPTER,
            f"Not possible here: the random draw of the years before holds too few people with, or "
            f"without, a finding for {number} facts: at least {max(needed, 1)} of each are needed.",
        )
    usual = values.median().to_numpy()
    filled = np.where(np.isnan(values), usual, values)
    centre, spread = filled.mean(axis=0), filled.std(axis=0)
    if (spread == 0).any() or np.linalg.matrix_rank(filled - centre) < number:
        return Absent(
            CHAPTER, "Not possible here: two of the facts say the same of all these people."
        )
    design = np.column_stack([np.ones(len(filled)), (filled - centre) / spread])
    estimates = _maximum(design, found.to_numpy(float))
    if estimates is None:
        return Absent(
            CHAPTER,
            "Not possible here: the facts separate the people with a finding from those without "
            f"one completely among these {len(found) // 10 * 10} people, so that their weight has "
            "no finite estimate. That is chance in few people, not knowledge.",
        )
    used = tuple(values.columns)
    return Profile(used, usual, centre, spread, *estimates, people=len(found), found=hits)


def _maximum(design: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return coefficients and standard errors, or None where the likelihood has no maximum."""
    import statsmodels.api as sm

    with warnings.catch_warnings():
        # Statsmodels warns of separation; the width of the errors says it as well, and sooner.
        warnings.simplefilter("ignore")
        result = sm.GLM(found, design, family=sm.families.Binomial()).fit()
    errors = np.asarray(result.bse, float)
    settled = bool(result.converged) and np.isfinite(errors).all() and (errors < _WIDEST).all()
    return (np.asarray(result.params, float), errors) if settled else None


def odds(profile: Profile, confidence: float) -> pd.DataFrame:
    """Return how the odds of a finding go with each fact, the others being equal.

    Parameters
    ----------
    profile
        As from `fit`.
    confidence
        Level of all intervals together (Bonferroni).

    Returns
    -------
    pandas.DataFrame
        column, fact, one_more (what the step is), weight (log odds per standard deviation) with
        weight_low and weight_high, and of 1,000 people at the usual chance those with a finding:
        usual, and with one_more: with_more, low and high. The furthest from nothing first.
    """
    from scipy.special import ndtri

    table = FACTS.set_index("column").loc[list(profile.facts)].reset_index()
    width = ndtri(1 - (1 - confidence) / 2 / len(table)) * profile.errors[1:]
    weight, usual = profile.coefficients[1:], profile.found / profile.people
    table["weight"], table["weight_low"], table["weight_high"] = (
        weight,
        weight - width,
        weight + width,
    )
    steps = table["step"].to_numpy(float) / profile.spread
    table["usual"] = 1000 * usual
    ends = {"with_more": weight, "low": weight - width, "high": weight + width}
    for name, per_deviation in ends.items():
        ratio = np.exp(per_deviation * steps)
        table[name] = 1000 * usual * ratio / (1 - usual + usual * ratio)
    order = np.lexsort((np.arange(len(table)), -np.abs(weight / profile.errors[1:]).round(6)))
    columns = ["column", "fact", "one_more", "weight", "weight_low", "weight_high"]
    return table.iloc[order][[*columns, "usual", *ends]].reset_index(drop=True)
