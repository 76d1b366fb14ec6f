"""Knowledge of lists: how much of the waste of later weeks each of them would have found.

A map describes what was; a list that crews are sent by has to foretell. Each is made from the past
alone and held against weeks that it has not seen. The list to be used is chosen on earlier weeks
than those on which it is judged, or it would be praised for its luck.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from datamall.enforcement import spatial
from datamall.enforcement.information import COUNTED, Tables, known_of
from datamall.enforcement.knowledge import check_level, dirty_rates
from datamall.enforcement.sums import COUNTS, INSPECTIONS, slices
from datamall.errors import DatamallError
from datamall.requirements import Absent, needs, passes_absent

COUNT, KERNEL, RAW, POOLED = "count", "kernel density of counts", "raw rate", "pooled rate"
GI_STAR = "Gi* of counts"
TARGET, OTHER, DESCRIPTION = "target list", "other list", "description"
SHARES = (0.05, 0.1, 0.2)
_TIMED = (f"{INSPECTIONS}.period_start", f"{INSPECTIONS}.period_days")
_DRAWS = 500
# Fewer places looked at later than this tell lists apart no better than a coin.
_LEAST = 40


@needs("What each list foretells", *COUNTED, _TIMED[1], varying=_TIMED[:1])
def foretold(
    data: Tables,
    weeks: int,
    seed: int,
    *,
    confidence: float = 0.95,
    neighbours: int = 8,
    bandwidth: float = 250.0,
    main: float = 0.1,
) -> pd.DataFrame | Absent:
    """Return the hit rate and the predictive accuracy index of each list on the last weeks.

    Parameters
    ----------
    data
        The extract.
    weeks
        Weeks on which lists are judged: the last ones. They are made from all that is earlier. The
        target list is the one that was best on as many weeks before these, made from all that is
        earlier still.
    seed
        Of the bootstrap.
    confidence
        Level of the intervals.
    neighbours, bandwidth
        Of Gi*; standard deviation of the kernel in metres.
    main
        Share of the places at which the target list is chosen; one of `SHARES`.

    Returns
    -------
    pandas.DataFrame
        One row per list and share: list, role (`TARGET`, `OTHER`, `DESCRIPTION`), share (of the
        places, at the head of the list), places (looked at in the weeks judged), earlier (hit rate
        on the weeks on which the target was chosen), hit_rate with low and high, pai with pai_low
        and pai_high, gain (of hit rate over that of the count) with gain_low and gain_high. An
        Absent where the inspections do not reach that far back.

    Notes
    -----
    Hit rate: of the waste to be expected at all places, the share that lies at the first ones of
    the list. What is to be expected at a place is the share of its later looks that found some, so
    that a list is not praised because inspectors went by it. Places that nobody looked at later
    take no part. PAI (Chainey, Tompson and Uhlig 2008, Security Journal 21:4): hit rate over share;
    1 is what a list at random has. Equal scores share what they hold. Intervals: percentiles of a
    bootstrap of places, the same draws for all lists; of places far apart, so that they are
    somewhat narrow where waste comes in patches.
    """
    check_level("confidence", confidence)
    if main not in SHARES:
        raise DatamallError(f"main is {main}: set it to one of {', '.join(map(str, SHARES))}.")
    if weeks < 1:
        raise DatamallError(f"weeks is {weeks}: set it to at least 1.")
    seen = pd.concat([_dated(part) for part in slices(data[INSPECTIONS])], ignore_index=True)
    last, length = seen["end"].max(), pd.Timedelta(days=7 * weeks)
    chosen = _fold(data, seen, last - 2 * length, last - length, neighbours, bandwidth)
    judged = _fold(data, seen, last - length, last, neighbours, bandwidth)
    if isinstance(chosen, Absent) or isinstance(judged, Absent):
        return chosen if isinstance(chosen, Absent) else judged
    earlier = {name: hit_rates(chosen[name], chosen["found"], SHARES) for name in _lists(chosen)}
    place = SHARES.index(main)
    able = [name for name in _lists(judged) if name in earlier and name != GI_STAR]
    # Ties go to the simpler list, which stands first.
    best = max(able, key=lambda name: round(float(earlier[name][place]), 9))
    return _table(judged, earlier, best, confidence, seed)


def hit_rates(
    score: np.ndarray, found: np.ndarray, shares: Sequence[float], weight: np.ndarray | None = None
) -> np.ndarray:
    """Return which share of what was found lies at the highest scores.

    Parameters
    ----------
    score, found
        Shape (places,); equal scores share what they hold.
    shares
        Of the places, or of their weight.
    weight
        How often each place counts (or its area), shape (places,) or (draws, places); once where it
        is None.

    Returns
    -------
    numpy.ndarray
        Shape (shares,) or (shares, draws); NaN where nothing was found.

    Notes
    -----
    A place at the edge of the share counts for the part of it that is inside.
    """
    score, found = np.asarray(score, float), np.asarray(found, float)
    own = np.ones(len(score)) if weight is None else np.asarray(weight, float)
    order = np.argsort(-score, kind="stable")
    tie = np.unique(-score[order].round(12), return_inverse=True)[1]
    mean = np.bincount(tie, found[order]) / np.bincount(tie)
    sorted_weight = own[..., order]
    reached = np.cumsum(sorted_weight, axis=-1)
    held = np.cumsum(sorted_weight * mean[tie], axis=-1)
    results = []
    for share in shares:
        edge = share * reached[..., -1:]
        right = np.minimum((reached < edge).sum(axis=-1, keepdims=True), len(score) - 1)
        # Back from the place at the edge by what lies outside.
        value = np.take_along_axis(held, right, -1)
        value = value - (np.take_along_axis(reached, right, -1) - edge) * mean[tie][right]
        with np.errstate(invalid="ignore"):
            results.append((value / held[..., -1:])[..., 0])
    return np.array(results)


def kernel(x: np.ndarray, y: np.ndarray, count: np.ndarray, bandwidth: float) -> np.ndarray:
    """Return the density of counts at each place: a normal kernel, cut at three bandwidths.

    Parameters
    ----------
    x, y, count
        Metres; shape (places,).
    bandwidth
        Standard deviation in metres.

    Returns
    -------
    numpy.ndarray
        Counts per square metre, shape (places,).
    """
    from scipy.spatial import cKDTree

    tree = cKDTree(np.column_stack([x, y]))
    near = tree.sparse_distance_matrix(tree, 3 * bandwidth, output_type="coo_matrix")
    part = np.exp(-0.5 * (near.data / bandwidth) ** 2) * np.asarray(count, float)[near.col]
    total = np.bincount(near.row, part, len(tree.data))
    return total / (2 * np.pi * bandwidth**2)


@passes_absent
def describe(table: pd.DataFrame, main: float = 0.1) -> str:
    """Say what the lists foretell, the target first.

    Parameters
    ----------
    table, main
        As from and for `foretold`.
    """
    own = table[table["share"] == main].set_index("list")
    best = own[own["role"] == TARGET].iloc[0]
    name = own.index[own["role"] == TARGET][0]
    told = (
        f"The first {100 * main:.0f} % of the places by {name} hold {100 * best['hit_rate']:.0f} % "
        f"({100 * best['low']:.0f} to {100 * best['high']:.0f} %) of the waste of the weeks held "
        f"out"
    )
    others = own[own["role"] != TARGET]["hit_rate"]
    rest = ", ".join(f"{100 * rate:.0f} % by {other}" for other, rate in others.items())
    known = "" if GI_STAR not in own.index else " Gi* describes where waste lay, and sends nobody."
    return f"{told}; {rest}.{known}"


def _dated(part: pd.DataFrame) -> pd.DataFrame:
    """Return inspections with the first day after their period."""
    length = pd.to_timedelta(part["period_days"].astype(int), unit="D")
    return part.assign(cluster=part["cluster"].astype(str), end=part["period_start"] + length)


def _fold(
    data: Tables,
    seen: pd.DataFrame,
    begin: pd.Timestamp,
    end: pd.Timestamp,
    neighbours: int,
    bandwidth: float,
) -> pd.DataFrame | Absent:
    """Return the scores of the places from what is before `begin`, and what was found until `end`.

    Lists that need places on a map are left out where these are not delivered.
    """
    reason = f"Not possible here: too little was looked at before {begin:%Y-%m-%d} or from then to "
    reason += f"{end:%Y-%m-%d}."
    absent = Absent("What each list foretells", reason)
    past = seen[seen["end"] <= begin].drop(columns="end")
    later = seen[(seen["period_start"] >= begin) & (seen["end"] <= end)]
    if past.empty or later.empty:
        return absent
    rates = dirty_rates({**data, INSPECTIONS: past}, 0.9)
    if isinstance(rates, Absent):
        return rates
    table = rates[[*known_of(rates), *COUNTS]].assign(
        **{COUNT: rates["with_waste"], RAW: rates["with_waste"] / rates["inspections"]},
        **{POOLED: rates["rate"]},
    )
    if {"x", "y"} <= set(table):
        xy = table["x"].to_numpy(), table["y"].to_numpy()
        table[KERNEL] = kernel(*xy, table["with_waste"].to_numpy(), bandwidth)
        table[GI_STAR] = -np.inf  # of a kind with too few places nothing is known
        for own, score in _gi_star(table, neighbours):
            table.loc[own, GI_STAR] = score
    looked = later.groupby("cluster")[COUNTS].sum()
    found = (looked["with_waste"] / looked["inspections"]).rename("found")
    table = table.merge(found, left_on="cluster", right_index=True)
    return table if len(table) >= _LEAST and table["found"].sum() > 0 else absent


def _gi_star(table: pd.DataFrame, neighbours: int) -> Iterator[tuple[pd.Index, np.ndarray]]:
    """Yield for each kind its rows and Gi* of the normal scores of their counts."""
    for _, own in table.groupby("kind"):
        if len(own) >= neighbours + 2:
            near = spatial.nearest(own["x"].to_numpy(), own["y"].to_numpy(), neighbours)
            score = spatial.local_g_star(spatial.normal_scores(own["with_waste"]), near)
            yield own.index, np.nan_to_num(score)


def _lists(fold: pd.DataFrame) -> list[str]:
    """Return the lists that a fold has, the simpler ones first."""
    return [name for name in (COUNT, RAW, KERNEL, POOLED, GI_STAR) if name in fold]


def _table(
    fold: pd.DataFrame, earlier: dict[str, np.ndarray], best: str, confidence: float, seed: int
) -> pd.DataFrame:
    """Return the rows of `foretold`."""
    rng = np.random.Generator(np.random.PCG64(seed))
    number = len(fold)
    weight = rng.multinomial(number, np.full(number, 1 / number), size=_DRAWS)
    tails = (1 - confidence) / 2, (1 + confidence) / 2
    found = fold["found"].to_numpy()
    hit = {name: hit_rates(fold[name].to_numpy(), found, SHARES) for name in _lists(fold)}
    drawn = {name: hit_rates(fold[name].to_numpy(), found, SHARES, weight) for name in hit}
    rows = []
    for name in hit:
        role = {best: TARGET, GI_STAR: DESCRIPTION}.get(name, OTHER)
        for place, share in enumerate(SHARES):
            low, high = np.nanquantile(drawn[name][place], tails)
            gains = np.nanquantile(drawn[name][place] - drawn[COUNT][place], tails)
            value = hit[name][place]
            row = (name, role, share, number, earlier[name][place], value, low, high)
            gain = value - hit[COUNT][place]
            rows.append((*row, value / share, low / share, high / share, gain, *gains))
    columns = ["list", "role", "share", "places", "earlier", "hit_rate", "low", "high"]
    columns += ["pai", "pai_low", "pai_high", "gain", "gain_low", "gain_high"]
    return pd.DataFrame(rows, columns=columns)
