"""Intervals and tests for proportions, and for the gap between two, that hold in small groups.

One proportion: exact limits (Clopper and Pearson 1934), exact with half the probability of what
was seen (mid-p), or score limits (Wilson 1927). Two: limits of the difference (Newcombe 1998,
method 10) and of the ratio (Donner and Zou 2012) follow from those of each proportion, by
recovering the variance on the side that matters.

Why exact limits are the default, and no score test of the gap (Miettinen and Nurminen 1985) is
here: an audit makes many comparisons, so the error of each must hold far out in the tail. True
error / stated error of "the ratio is above 1.25" where it is 1.25, for a group of 230 against
12,000 at 2 %, by enumeration: at a stated 2.5 % exact 0.7, mid-p 1.0, score 1.4; at 0.005 % (a
thousand comparisons) exact 0.6, mid-p 1.0, score 9.3. The percentile bootstrap covers 33 % of the
time for 20 people at 2 %.
"""

from typing import Literal, get_args

import numpy as np
from scipy.special import betainc, betaln, ndtr, ndtri

Method = Literal["exact", "mid-p", "wilson"]
Kind = Literal["difference", "ratio"]
Array = np.ndarray
Pair = tuple[Array, Array]  # successes and trials, or lower and upper limits

# Smaller p-values are given as this.
SMALLEST = 1e-15


def lower_limit(
    successes: Array, trials: Array, tail: Array | float, method: Method = "exact"
) -> Array:
    """Return lower limits of proportions.

    Parameters
    ----------
    successes, trials
        Counts; shapes must agree after broadcasting.
    tail
        Error allowed, above 0 and at most 0.5; 0.025 is one side of a 95 % interval.
    method
        See the module.

    Returns
    -------
    ndarray
        0 where there are no successes, or no trials at all.
    """
    x, n, a = (np.asarray(v, float) for v in np.broadcast_arrays(successes, trials, tail))
    z = -ndtri(a)
    if method not in get_args(Method):
        raise ValueError(f"No limits by {method!r}; there are {', '.join(get_args(Method))}.")
    if method == "wilson":
        return np.where(x > 0, _score(x, n, z), 0.0)
    # The beta function needs positive arguments; without successes the limit is known.
    x, n = np.maximum(x, 0.5), np.maximum(n, 0.5)
    p = _exact(x, n, a, z)
    if method == "mid-p":
        p = _mid_p(x, n, a, p)
    return np.where(np.asarray(successes) > 0, p, 0.0)


def _score(x: Array, n: Array, z: Array) -> Array:
    n = np.maximum(n, 1)
    p, wide = x / n, 1 + z * z / n
    half = z * np.sqrt(p * (1 - p) / n + (z / (2 * n)) ** 2)
    return np.clip((p + z * z / (2 * n) - half) / wide, 0, 1)


def unskewed(x: Array, n: Array, z: Array) -> Array:
    """Return the counts whose score limits are the exact ones of `x`, but for a tenth of a person.

    Half a person less, and less by the skewness of the counts (Cornish and Fisher 1938).
    """
    return np.clip(x - 0.5 - (1 - 2 * x / n) * (z * z - 1) / 6, 0, n)


def _exact(x: Array, n: Array, tail: Array, z: Array) -> Array:
    """Solve P(X >= x) = tail, for up to 1e12 people and a tail from 1e-15, to 1e-11.

    Once by the normal deviate of P(X >= x), in which the solution is nearly linear: its second
    order leaves the cube of the step, divided by the count. Where that is not small (few people),
    by Halley's method on the logarithms of both sides: there the function is increasing and
    concave, so the steps cannot get lost, and each cubes the error.
    """
    scale, goal = np.asarray(betaln(x, n - x + 1)), np.asarray(np.log(tail))
    # The solution is not below this, since P(X >= x) <= (n over x) p^x; near it, equality.
    least, most = np.exp((goal + scale + np.log(x)) / x), 1 - 1e-16
    least = np.asarray(np.clip(least, 1e-300, most))
    start = np.asarray(np.clip(_score(np.maximum(unskewed(x, n, z), 0.25), n, z), least, most))

    def stepped(own: Array, i: Array) -> tuple[Array, Array]:
        k, m = x[i], n[i] - x[i]
        value = np.log(np.maximum(betainc(k, m + 1, own), 1e-300))
        slope = np.exp(k * np.log(own) + m * np.log1p(-own) - scale[i] - value)
        step = (goal[i] - value) / np.maximum(slope, 1e-300)
        bend = k - m * own / (1 - own) - slope  # second derivative over the first
        step = step / np.maximum(1 + step * bend / 2, 0.2)
        near = np.maximum(own * np.exp(np.clip(step, -700, 700)), least[i])
        return np.minimum(near, most), step

    deviate = -ndtri(np.clip(betainc(x, n - x + 1, start), 1e-300, 1 - 1e-16))
    step, density = z - deviate, (x - 1) * np.log(start) + (n - x) * np.log1p(-start) - scale
    slope = -np.exp(-deviate * deviate / 2 - density) / np.sqrt(2 * np.pi)
    bend = -deviate - ((x - 1) / start - (n - x) / (1 - start)) * slope
    p = np.asarray(start + slope * step * (1 + bend * step / 2))
    # That of the bent line, and that of `betaln`, which loses digits as people are many.
    few, far = np.maximum(np.minimum(x, n - x), 0.25), np.abs(step)
    open_ = np.asarray(~(far**3 / few + 3e-15 * n * far / np.sqrt(few) < 1e-12))
    if open_.any():
        p[open_], _ = stepped(start[open_], open_)
        p[open_], rest = stepped(p[open_], open_)
        # In standard errors: the next step would have the cube of this.
        open_[open_] = np.abs(rest) * np.sqrt(x[open_]) > 1e-5
        p[open_], _ = stepped(p[open_], open_)
    return p


def _mid_p(x: Array, n: Array, tail: Array, exact: Array) -> Array:
    """Solve P(X > x) + P(X = x) / 2 = tail by halving; the solution is above the exact limit."""
    lower, upper = exact, np.ones_like(exact)
    for _ in range(50):
        p = (lower + upper) / 2
        more = np.where(x < n, betainc(x + 1, np.maximum(n - x, 0.5), p), 0.0)
        small = (more + betainc(x, n - x + 1, p)) / 2 < tail
        lower, upper = np.where(small, p, lower), np.where(small, upper, p)
    return (lower + upper) / 2


def limits(
    successes: Array, trials: Array, tail: Array | float, method: Method = "exact"
) -> tuple[Array, Array]:
    """Return lower and upper limits of proportions; `tail` is the error on each side.

    See `lower_limit`. 0 and 1 where there are no trials: nothing is known.
    """
    failures = np.asarray(trials) - np.asarray(successes)
    low = lower_limit(successes, trials, tail, method)
    return low, 1 - lower_limit(failures, trials, tail, method)


def gap_lower(
    one: Pair, other: Pair, tail: Array | float, kind: Kind, method: Method = "exact"
) -> Array:
    """Return the lower limit of the gap between two independent proportions.

    Parameters
    ----------
    one, other
        Successes and trials of each; all shapes must agree after broadcasting.
    tail
        Error allowed, above 0 and at most 0.5.
    kind
        ``"difference"``: one minus other. ``"ratio"``: one divided by other.
    method
        Method for the limits of each proportion.

    Returns
    -------
    ndarray
        -1 or 0 where nothing is known.
    """
    failures = np.asarray(other[1]) - np.asarray(other[0])
    low = lower_limit(*one, tail, method)
    return gap_above(one, other, low, 1 - lower_limit(failures, other[1], tail, method), kind)


def gap_above(one: Pair, other: Pair, low: Array, high: Array, kind: Kind) -> Array:
    """Return `gap_lower` where the lower limit of one and the upper limit of other are known."""
    x, n, y, m = (np.asarray(v, float) for v in (*one, *other))
    p, q = x / np.maximum(n, 1), y / np.maximum(m, 1)
    known = (n > 0) & (m > 0)
    if kind == "difference":
        return np.where(known, p - q - np.hypot(p - low, high - q), -1.0)
    # The formula of Donner and Zou, rationalised: no 0 / 0 and no cancellation.
    above = np.where(known, low * (2 * p - low), 0.0)
    root = np.sqrt(np.maximum((p * q) ** 2 - above * high * (2 * q - high), 0))
    return np.divide(above, p * q + root, out=np.zeros_like(root), where=above > 0)


def gap_limits(
    one: Pair, other: Pair, tail: Array | float, kind: Kind, method: Method = "exact"
) -> tuple[Array, Array]:
    """Return lower and upper limits of a gap; `tail` is the error on each side.

    See `gap_lower`. -1 and 1, or 0 and infinity, where nothing is known.
    """
    return gap_between(one, other, limits(*one, tail, method), limits(*other, tail, method), kind)


def gap_between(
    one: Pair, other: Pair, one_limits: Pair, other_limits: Pair, kind: Kind
) -> tuple[Array, Array]:
    """Return `gap_limits` where the `limits` of both proportions are known already."""
    low = gap_above(one, other, one_limits[0], other_limits[1], kind)
    return low, _turned(gap_above(other, one, other_limits[0], one_limits[1], kind), kind)


def _turned(value: Array | float, kind: Kind) -> Array:
    """Return the gap of other to one from that of one to other."""
    with np.errstate(divide="ignore"):
        return -np.asarray(value) if kind == "difference" else 1 / np.asarray(value, float)


def p_above(
    one: Pair, other: Pair, bound: Array | float, kind: Kind, method: Method = "exact"
) -> Array:
    """Return the p-value of "the gap is at most `bound`": small is evidence that it is above.

    It is the error at which `gap_lower` equals `bound`, so test and interval never disagree.

    Parameters
    ----------
    one, other, kind, method
        See `gap_lower`.
    bound
        Gap to test against; of shape (bounds, 1) for several of each pair.

    Returns
    -------
    ndarray
        Between `SMALLEST` and 0.5; 1 where the limit is not above the bound at any such error.
    """
    # The limit does not depend on the bound: of several bounds it is reckoned once.
    above = gap_lower(one, other, 0.5, kind, method) - np.asarray(bound, float)
    known = np.stack(np.broadcast_arrays(*one, *other, bound, above)).astype(float)
    p, there = np.ones(above.shape), above > 0
    x, n, y, m, edge, above = known[:, there]
    below = gap_lower((x, n), (y, m), SMALLEST, kind, method) - edge
    found = np.full(below.shape, SMALLEST)
    # Only these lie between: the limit is above the bound at one end, and not at the other.
    between = below < 0
    if between.any():
        x, n, y, m, edge, above, below = (v[between] for v in (x, n, y, m, edge, above, below))
        found[between] = _crossing(np.stack([x, n, y, m, edge]), above, below, kind, method)
    p[there] = found
    return p


def p_below(
    one: Pair, other: Pair, bound: Array | float, kind: Kind, method: Method = "exact"
) -> Array:
    """Return the p-value of "the gap is at least `bound`": small is evidence that it is below.

    See `p_above`.
    """
    return p_above(other, one, _turned(bound, kind), kind, method)


def _crossing(known: Array, above: Array, below: Array, kind: Kind, method: Method) -> Array:
    """Return the error at which the lower limit crosses the bound.

    `known` has the rows x, n, y, m and bound; `above` and `below` are how far the limit is from
    the bound at an error of 0.5 and of `SMALLEST`. The limit is nearly linear in the normal deviate
    of the error, so false position (an end that stays counts for less, Anderson and Björck 1973)
    takes few steps; what is open after them, where the limit is very bent, is halved.
    """
    z, last = np.zeros(above.shape), np.zeros(above.shape)
    left, right = np.zeros(above.shape), np.full(above.shape, -ndtri(SMALLEST))
    open_ = np.arange(len(z))
    for step in range(90):
        i = open_
        z[i] = (left[i] + right[i]) / 2
        if step < 25:
            z[i] = (left[i] * below[i] - right[i] * above[i]) / (below[i] - above[i])
        x, n, y, m, bound = known[:, i]
        value = gap_lower((x, n), (y, m), ndtr(-z[i]), kind, method) - bound
        up = value > 0
        kept = 1 - value / np.where(up, above[i], below[i])
        kept = np.where(last[i] * np.where(up, 1, -1) > 0, np.where(kept > 0, kept, 0.5), 1.0)
        below[i] = np.where(up, kept * below[i], value)
        above[i] = np.where(up, value, kept * above[i])
        left[i], right[i] = np.where(up, z[i], left[i]), np.where(up, right[i], z[i])
        last[i] = np.where(up, 1, -1)
        open_ = i[np.abs(value) >= 1e-13]
        if not len(open_):
            break
    return ndtr(-z)
