"""Knowledge: whether permitted facts stand for what the law protects, one by one and together.

A contract forbids columns by what they say. One that only goes along with sex, age or the way
people live is that attribute under another name, and so are several together of which none is by
itself. How well they tell people apart is the share of pairs, one of a group and one of the others,
that they put in the right order (the area under the ROC curve): half of them is chance.
"""

import numpy as np
import pandas as pd

from datamall.fraud import disclosure
from datamall.fraud.profile.facts import CLIENTS, FACTS, delivered, numbers
from datamall.fraud.profile.information import Tables, check_level
from datamall.requirements import Absent, needs

CHAPTER = "Facts that stand for who people are"
TOGETHER = "all facts together"
ENOUGH = 100  # people in a group, and outside it, of whom something can be said
YES, OPEN, NO = "yes", "not ruled out", "no"
_AGES = {"under 27": (0, 26), "27 to 44": (27, 44), "45 and over": (45, 200)}
_SHUFFLES = 499
_SEED = 56


@needs(CHAPTER, f"{CLIENTS}.year")
def stand_for(data: Tables, proxy_limit: float, confidence: float) -> pd.DataFrame | Absent:
    """Return how well permitted facts, one by one and together, tell protected groups from others.

    Parameters
    ----------
    data
        The extract of ``fraud-proxies``: people of the last year, without their numbers.
    proxy_limit
        Share of pairs in the right order, from 0.5 to 1, above which facts stand for a group.
    confidence
        Level of all intervals together.

    Returns
    -------
    pandas.DataFrame
        group, fact (`TOGETHER` first, then the furthest from chance), pairs (in the right order, or
        of a fact alone in the wrong one), low, high, chance (of a fact that far for any group, if
        facts had nothing to do with groups) and beyond: `YES` where the interval lies above the
        limit, `OPEN` where it reaches it, otherwise `NO`. The two furthest facts of each group, and
        each that is not `NO`. Intervals are rounded outward. How many people a group has is for
        the bias audit to print, from one store.

    Notes
    -----
    Intervals by DeLong et al. (1988), all together by Bonferroni. Chances by shuffling people among
    groups, against the furthest of all (Westfall and Young 1993). Together: a logistic regression
    on the facts, their squares and products learns from one half of the people and is measured on
    the other, so that shuffling stays exact (Lopez-Paz and Oquab 2017). What is not recorded is
    taken as usual, as by the profile.
    """
    check_level("confidence", confidence)
    check_level("proxy_limit", proxy_limit)
    table = data[CLIENTS]
    table = table[table["year"] == table["year"].max()].reset_index(drop=True)
    values = numbers(table, delivered(table))
    values = values.fillna(values.median())
    values = values.loc[:, values.max() > values.min()]
    groups = {name: own for name, own in _groups(table).items() if _enough(own)}
    if not groups or values.empty:
        return Absent(CHAPTER, f"Not possible here: no facts, or no group of {ENOUGH} people.")
    rng = np.random.default_rng(_SEED)
    inside = np.column_stack([*groups.values()])
    learn, test = np.array_split(rng.permutation(len(table)), 2)
    known, others = values.to_numpy()[learn], values.to_numpy()[test]
    together = np.column_stack([_scores(known, own, others) for own in inside[learn].T])
    number, facts = len(groups), values.shape[1]
    level = (1 - confidence) / 2 / (number * (1 + facts))
    # One column for each fact and group.
    alone = np.repeat(values.to_numpy(), number, axis=1), np.tile(inside, facts)
    found = [_compared(*each, level, rng) for each in ((together, inside[test]), alone)]
    furthest = np.maximum(*(shuffled for _, shuffled in found))
    names = [TOGETHER, *FACTS.set_index("column")["fact"][values.columns]]
    result = pd.concat([compared for compared, _ in found], ignore_index=True).assign(
        fact=np.repeat(names, number),
        group=np.tile([*groups], 1 + facts),
    )
    reached = (furthest[:, None] >= result["far"].to_numpy() - 1e-9).sum(axis=0)
    result["chance"] = (1 + reached) / (1 + _SHUFFLES)
    return _shown(result, proxy_limit, [*groups])


def _shown(table: pd.DataFrame, proxy_limit: float, groups: list[str]) -> pd.DataFrame:
    """Round outward, and keep in order what there is to say."""
    alone = table["fact"].ne(TOGETHER)
    turned = alone & table["pairs"].lt(0.5)
    ends = ["pairs", "low", "high"]
    table[ends] = table[ends].mask(turned, 1 - table[["pairs", "high", "low"]].to_numpy())
    table = disclosure.outward(table, 0.01, *ends)
    ranges = [table["low"].gt(proxy_limit), table["high"].gt(proxy_limit)]
    table["beyond"] = np.select(ranges, [YES, OPEN], NO)
    order = np.lexsort((-table["far"], alone, table["group"].map(groups.index)))
    table = table.iloc[order]
    first = table.groupby("group").cumcount() <= 2  # all together, and the two furthest
    table = table[first | table["beyond"].ne(NO)].reset_index(drop=True)
    return table[["group", "fact", *ends, "chance", "beyond"]]


def _groups(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return group in words → who is in it; of two groups one, since the other is the rest."""
    found = {}
    if "sex" in table:
        found["women"] = table["sex"].eq("female").to_numpy()
    if "birth_year" in table:
        age = table["year"] - table["birth_year"]
        found |= {f"people {name}": age.between(*ends).to_numpy() for name, ends in _AGES.items()}
    if "living_form" in table:
        forms = sorted(table["living_form"].dropna().unique())
        found |= {f"living form: {f}": table["living_form"].eq(f).to_numpy() for f in forms}
    return found


def _enough(own: np.ndarray) -> bool:
    return bool(min(own.sum(), (~own).sum()) >= ENOUGH)


def _scores(known: np.ndarray, inside: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Learn from people who is in a group; return the log odds of others."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    steps = StandardScaler(), PolynomialFeatures(2, include_bias=False), StandardScaler()
    model = make_pipeline(*steps, LogisticRegression(C=0.1, solver="newton-cholesky"))
    return np.asarray(model.fit(known, inside).decision_function(others)).round(6)


def _compared(
    scores: np.ndarray, inside: np.ndarray, level: float, rng: np.random.Generator
) -> tuple[pd.DataFrame, np.ndarray]:
    """Compare people inside groups with those outside, column by column.

    Parameters
    ----------
    scores, inside
        People in rows; in each column what tells them apart, and who is in the group.
    level
        Error allowed at each end of an interval.
    rng
        For shuffling.

    Returns
    -------
    pandas.DataFrame
        pairs, low, high, and far (from chance, in standard deviations of chance).
    numpy.ndarray
        The furthest of all columns, for each shuffling.
    """
    from scipy.special import ndtri
    from scipy.stats import rankdata

    ranks, size = rankdata(scores, axis=0), inside.sum(axis=0)
    rest = len(inside) - size
    unit = np.sqrt(12 * size * rest / (len(inside) + 1))

    def pairs(own: np.ndarray) -> np.ndarray:
        shares: np.ndarray = ((ranks * own).sum(axis=0) / size - (size + 1) / 2) / rest
        return shares

    errors = np.empty(scores.shape[1])
    for k, own in enumerate(inside.T):
        # For each person the share of the other side that lies below.
        below = [
            (ranks[side, k] - rankdata(scores[side, k])) / (~side).sum() for side in (own, ~own)
        ]
        errors[k] = np.sqrt(sum(side.var(ddof=1) / len(side) for side in below))
    found, width = pairs(inside), ndtri(1 - level) * errors
    shuffled = [
        (np.abs(pairs(inside[rng.permutation(len(inside))]) - 0.5) * unit).max()
        for _ in range(_SHUFFLES)
    ]
    low, high = np.clip(found - width, 0, 1), np.clip(found + width, 0, 1)
    far = np.abs(found - 0.5) * unit
    table = pd.DataFrame({"pairs": found, "low": low, "high": high, "far": far})
    return table, np.array(shuffled)
