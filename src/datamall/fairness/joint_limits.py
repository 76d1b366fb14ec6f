"""Rates that are put together from independent arms, with limits that hold in small cells.

Sums of people × proportion and ratios of such sums get their limits from those of each proportion
by recovering the variance on the side that matters (MOVER; Zou and Donner, Statistics in Medicine
27, 2008, for sums; Donner and Zou 2012 for ratios). The limits of each proportion are exact, which
is what makes the joined ones hold in small cells. Far out in the tail that is not enough where a
share is near 1 (the share without a mistake often is): for 20 people at 90 % against 100 at 50 %
the ratio is wrong 1.6 times as often as stated at 0.1 %, 2.4 times at 0.01 %, never at 2.5 % and
above. Below that the proportions therefore get limits of a smaller error, `careful`; with it no
case of the grid in `tests/truth/test_identification.py` is wrong more often than stated.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from datamall.fairness import metrics
from datamall.fairness.counting import NO, TOTAL, YES
from datamall.fairness.intervals import Kind, gap_between, limits

Design = Literal["everybody", "base", "cases"]
Array = np.ndarray
Limited = tuple[Array, Array, Array]  # estimate, lower and upper limit

# Error below which limits are taken at a smaller one; see `careful`.
_FAR = 0.025
# Normal deviates at which limits are computed to find where they cross a tolerance: between them
# these are nearly straight lines, but for a bend at the error where they become careful.
_GRID = np.sort([*np.arange(0, 7.51, 0.25), -ndtri(_FAR)])


def careful(tail: Array | float) -> Array:
    """Return the error at which to take limits so that joined ones hold; see the module."""
    return tail * np.minimum(1.0, (np.asarray(tail) / _FAR) ** 0.3)


@dataclass(frozen=True, eq=False)
class Sample:
    """People of groups (rows) in strata (columns), some of whom have an outcome.

    Attributes
    ----------
    people
        How many they stand for.
    none, mistakes
        Outcomes without and with a mistake.
    pool
        Whether the outcomes of several groups in a stratum are one random sample.
    """

    people: Array
    none: Array
    mistakes: Array
    pool: bool

    def of(self, reference: int | None) -> "Sample":
        """Return the sample of what each group is compared with, where that can be one sum."""
        arrays = (self.people, self.none, self.mistakes)
        if reference is not None:
            people, none, mistakes = (np.broadcast_to(v[reference], v.shape) for v in arrays)
        else:
            people, none, mistakes = (v.sum(axis=0) - v for v in arrays)
        return Sample(people, none, mistakes, self.pool)

    def sum(self, mistake: bool, tail: Array | float, census: bool) -> Limited:
        """Return how many people with (or without) a mistake there are in each group."""
        return _total([np.nansum(v, axis=1) for v in self._terms(mistake, tail, census)])

    def rest(self, mistake: bool, tail: Array | float, census: bool) -> Limited:
        """Return the same among everybody else."""
        if self.pool:
            return self.of(None).sum(mistake, tail, census)
        terms = [np.nansum(v, axis=1) for v in self._terms(mistake, tail, census)]
        return _total([np.maximum(v.sum() - v, 0) for v in terms])

    def _terms(self, mistake: bool, tail: Array | float, census: bool) -> list[Array]:
        x, n = (self.mistakes if mistake else self.none), self.none + self.mistakes
        low, high = limits(x, n, tail)
        value = metrics.share(x, n)
        if census:
            # Of a list some outcomes are known; chance concerns the others alone.
            known = metrics.share(x, self.people)
            low = np.fmax(low, known)
            high = np.fmin(high, known + metrics.share(self.people - n, self.people))
        there = n > 0
        return [
            self.people * value,
            (self.people * (value - low)) ** 2,
            (self.people * (high - value)) ** 2,
            np.where(there, self.people, 0.0),
            np.where(there, 0.0, self.people),
        ]


def _total(terms: list[Array]) -> Limited:
    """Return a sum over strata; those without any outcome may be anything between none and all."""
    value, below, above, known, unknown = terms
    estimate = value * (1 + metrics.share(unknown, known))
    low, high = value - np.sqrt(below), value + np.sqrt(above) + unknown
    return estimate, np.maximum(low, 0), np.minimum(high, known + unknown)


@dataclass(frozen=True, eq=False)
class Part:
    """Groups of one set of attributes.

    Attributes
    ----------
    table
        One row per group: `by`, `group`, `people`.
    design
        See `datamall.fairness.identification`.
    census
        Whether the flags are what they are (the list), or a sample too.
    reference
        Row of the reference group; None: everybody else.
    flagged
        Those who were flagged.
    left
        Those who were not; in the designs base and cases, everybody.
    drawn
        The random arm, standing for everybody.
    population
        People in all, in the design cases; NaN if unknown.
    fewest
        How many were flagged at least, where that is known within bounds.
    """

    table: pd.DataFrame
    design: Design
    census: bool
    reference: int | None
    flagged: Sample
    left: Sample
    drawn: Sample
    population: float
    fewest: Array | None = None

    def gap(self, metric: str, tail: float, kind: Kind) -> tuple[Array, Array]:
        """Return the limits of the gap of each group to what it is compared with."""
        mistake = self._by_odds(metric)
        if mistake is not None and kind == "ratio":
            return self._odds(mistake, tail)
        # Groups of a case-control study share one sample: their errors are not independent.
        own = tail / 2 if self.design == "cases" else tail
        one, other = self.rate(metric, own, False), self.rate(metric, own, True)
        if self.design == "cases":
            if kind == "difference":
                return one[1] - other[2], one[2] - other[1]
            return metrics.ratio(one[1], other[2]), metrics.ratio(one[2], other[1])
        unit = np.ones(len(one[0]))
        known = np.isfinite(one[0]) & np.isfinite(other[0])
        pairs = [(np.where(known, v[0], 0.5), unit) for v in (one, other)]
        low, high = gap_between(pairs[0], pairs[1], one[1:], other[1:], kind)
        least, most = (-1.0, 1.0) if kind == "difference" else (0.0, np.inf)
        return np.where(known, low, least), np.where(known, high, most)

    def rate(self, metric: str, tail: Array | float, against: bool) -> Limited:
        """Return a rate with its limits, of the groups or of what they are compared with."""
        own = metrics.find(metric)
        decision, outcome = own.numerator[0]
        mistake, tail = outcome == YES, careful(tail)
        if own.criterion == "separation":
            value, low, high = self._flagged(mistake, tail, against)
            return (value, low, high) if decision == YES else (1 - value, 1 - high, 1 - low)
        if own.joinable and decision == TOTAL:
            return self._scaled(self.drawn, mistake, tail, against, False)
        if own.joinable and decision == YES:
            return self._scaled(self.flagged, mistake, tail, against, self.census)
        if own.joinable and self.design == "everybody":
            return self._scaled(self.left, mistake, tail, against, False)
        nothing = np.full(len(self.flagged.people), np.nan)
        return nothing, np.zeros(len(nothing)), np.ones(len(nothing))

    def ratio(self, metric: str) -> Array:
        """Return the ratio of each group to what it is compared with."""
        mistake = self._by_odds(metric)
        if mistake is None:
            return metrics.ratio(*(self.rate(metric, 0.5, against)[0] for against in (False, True)))
        odds = [metrics.ratio(*self._split(v, mistake)) for v in (self.flagged, self.drawn)]
        return metrics.ratio(*odds)

    def _by_odds(self, metric: str) -> bool | None:
        """Return whether the people of a share that is flagged have a mistake, if odds give it."""
        own = metrics.find(metric)
        decision, outcome = own.numerator[0]
        odds = self.design == "cases" and own.criterion == "separation" and decision == YES
        return outcome == YES if odds else None

    def _flagged(self, mistake: bool, tail: Array | float, against: bool) -> Limited:
        """Return the share that is flagged of those with (or without) a mistake."""
        flagged = self._sum(self.flagged, mistake, tail, against, self.census)
        if self.design == "cases":
            left = self._of_population(mistake, tail, against)
        else:
            left = self._sum(self.left, mistake, tail, against, False)
        return self._share(flagged, left, tail, against)

    def _split(self, sample: Sample, mistake: bool) -> tuple[Array, Array]:
        """Return the outcomes of each group, and of what it is compared with."""
        one, other = (
            (v.mistakes if mistake else v.none).sum(axis=1).astype(float)
            for v in (sample, sample.of(self.reference))
        )
        return one, other

    def _of_population(self, mistake: bool, tail: Array | float, against: bool) -> Limited:
        """Return a number of people from the share of the random arm that is in the group."""
        x = self._split(self.drawn, mistake)[int(against)]
        people = float(np.nan_to_num(self.population, nan=1.0))
        n = (self.drawn.none + self.drawn.mistakes).sum()
        low, high = limits(x, np.full(len(x), n), tail)
        return people * x / n, people * low, people * high

    def _sum(
        self, sample: Sample, mistake: bool, tail: Array | float, against: bool, census: bool
    ) -> Limited:
        if not against:
            return sample.sum(mistake, tail, census)
        if self.reference is None:
            return sample.rest(mistake, tail, census)
        return sample.of(self.reference).sum(mistake, tail, census)

    def _people(self, sample: Sample, against: bool) -> Array:
        return (sample.of(self.reference) if against else sample).people.sum(axis=1)

    def _scaled(
        self, sample: Sample, mistake: bool, tail: Array | float, against: bool, census: bool
    ) -> Limited:
        people = self._people(sample, against)
        value, low, high = self._sum(sample, mistake, tail, against, census)
        none = people == 0
        return (
            metrics.share(value, people),
            np.where(none, 0, metrics.share(low, people)),
            np.where(none, 1, metrics.share(high, people)),
        )

    def _share(
        self, flagged: Limited, left: Limited, tail: Array | float, against: bool
    ) -> Limited:
        """Return flagged / (flagged + left); in the designs base and cases flagged / left."""
        if not self.census:
            flagged = self._chance(flagged, tail, against)
        value = metrics.ratio(flagged[0], left[0])
        unit = np.ones(len(value))
        known = ~(np.isnan(flagged[0]) | np.isnan(left[0]))
        pairs = [(np.where(known, v[0], 1.0), unit) for v in (flagged, left)]
        low, high = gap_between(pairs[0], pairs[1], flagged[1:], left[1:], "ratio")
        low, high = np.where(known, low, 0), np.where(known, high, np.inf)
        if self.design == "everybody":
            value, low, high = (
                np.where(np.isinf(v), 1.0, v / (1 + np.where(np.isinf(v), 0, v)))
                for v in (value, low, high)
            )
        if self.design == "cases" and np.isnan(self.population):
            return np.full(len(value), np.nan), np.zeros(len(value)), np.ones(len(value))
        # Nobody drawn without a mistake: the quotient is endless, the rate is 1 at most.
        return np.minimum(value, 1.0), np.clip(low, 0, 1), np.clip(high, 0, 1)

    def _chance(self, flagged: Limited, tail: Array | float, against: bool) -> Limited:
        """Widen a number of flagged people by chance: for the next people it is a rate itself.

        In the design *everybody* the number counts as odds, flagged for each who is not.
        """
        x = self._people(self.flagged, against) if self.fewest is None else self.fewest
        left = self._people(self.left, against)
        odds = self.design == "everybody"
        n = x + left if odds else np.maximum(left, x)
        if self.design == "cases":
            n = np.full(len(x), np.nan_to_num(self.population, nan=1e9))
        ends = [np.minimum(v, 1 - 1e-12) for v in limits(x, n, np.ravel(tail))]
        share = metrics.share(x, n)
        rates = [share, *ends]
        if odds:
            rates = [v / np.maximum(1 - v, 1e-12) for v in rates]
        value, low, high = flagged
        with np.errstate(divide="ignore", invalid="ignore"):
            down, up = rates[1] / rates[0], rates[2] / rates[0]
            lower = value * np.exp(-np.hypot(np.log(value / low), np.log(down)))
            upper = value * np.exp(np.hypot(np.log(high / value), np.log(up)))
            # Without an estimate above 0 the limits are multiplied: wider, and never wrong.
            upper = np.where(value > 0, upper, high * up)
        # Nobody was flagged: at most as many people as the limit of the share says.
        most = left * rates[2] if odds else n * rates[2]
        upper = np.where(x > 0, upper, most)
        return value, np.where(low > 0, np.nan_to_num(lower), 0.0), np.fmax(upper, value)

    def _odds(self, mistake: bool, stated: float) -> tuple[Array, Array]:
        """Return the limits of a ratio of rates where the sizes of groups are a sample too.

        Of the flagged, and of the random arm, those with (or without) a mistake belong to the group
        or to what it is compared with: two independent odds.
        """
        sides, tail = [], float(careful(stated))
        for sample, exact in ((self.flagged, self.census), (self.drawn, False)):
            x, y = self._split(sample, mistake)
            low, high = limits(x, x + y, tail)
            centre = (x + 0.5) / (x + y + 1)
            if exact:
                centre = low = high = metrics.share(x, x + y)
            with np.errstate(divide="ignore", invalid="ignore"):
                sides.append([np.log(v / (1 - v)) for v in (centre, low, high)])
        (a, a_low, a_high), (b, b_low, b_high) = sides
        with np.errstate(invalid="ignore", over="ignore"):
            low = np.exp(a - b - np.hypot(a - a_low, b_high - b))
            high = np.exp(a - b + np.hypot(a_high - a, b - b_low))
        return np.nan_to_num(low, nan=0.0, posinf=np.inf), np.where(np.isnan(high), np.inf, high)


@dataclass(frozen=True, eq=False)
class BoundedSample:
    """As `Sample`, of one stratum, with each count known within bounds.

    Attributes
    ----------
    people, none, mistakes
        Shape (3, groups): the estimate (NaN if too little is known), the least and the most.
    complete
        Whether the outcome of all of them is known.
    """

    people: Array
    none: Array
    mistakes: Array
    complete: bool = False

    def corner(self, mistake: bool, up: bool | None, copies: int, share: bool = False) -> Sample:
        """Return the counts that make the people with (or without) a mistake most, or fewest.

        `up` None: the estimate. `copies`: how often, one below the other. `share`: the counts that
        make their share highest, or lowest. What is known of a list is least among most people.
        """
        this, that = (0, 0) if up is None else (2, 1) if up else (1, 2)
        return self._sample(mistake, this, that, copies, 2 if share and up is not None else this)

    def among(self, mistake: bool, up: bool | None, copies: int) -> tuple[Sample, Array | None]:
        """Return the same where they are a number of all people, and how few may stand behind it.

        Where the outcome of all is known, others do not change the number. The more there are, the
        wider is the share; the fewer, the wider is chance: so both are taken.
        """
        if not self.complete or up is None:
            return self.corner(mistake, up, copies), None
        this = 2 if up else 1
        few = self._sample(mistake, this, 1, copies, this)
        return self._sample(mistake, this, 2, copies, this), few.people[:, 0]

    def _sample(self, mistake: bool, this: int, that: int, copies: int, stand: int) -> Sample:
        target, other = (self.mistakes, self.none) if mistake else (self.none, self.mistakes)
        wanted, rest = target[this], other[that]
        people = wanted + rest if self.complete else self.people[stand]
        people, wanted, rest = (np.tile(v, copies)[:, None] for v in (people, wanted, rest))
        return Sample(people, rest if mistake else wanted, wanted if mistake else rest, True)


@dataclass(frozen=True, eq=False)
class BoundedPart:
    """Groups of one set of attributes whose counts are known within bounds.

    A limit is that of the exact counts within the bounds at which it is furthest out: the counts
    of the group that make its rate lowest, those of the others that make theirs highest, or the
    other way round. So rounding and chance are joined, as in `Bounds.pairs`.

    Attributes
    ----------
    table, design, census, reference
        See `Part`; *everybody* and *base* only.
    one, other
        Flagged, left and drawn, of each group and of what it is compared with.
    """

    table: pd.DataFrame
    design: Design
    census: bool
    reference: int | None
    one: tuple[BoundedSample, BoundedSample, BoundedSample]
    other: tuple[BoundedSample, BoundedSample, BoundedSample]

    def gap(self, metric: str, tail: Array | float, kind: Kind) -> tuple[Array, Array]:
        """Return the limits of the gap of each group to what it is compared with.

        Of several errors one row each.
        """
        lowest, highest = ([self._at(metric, tail, v, up) for v in (False, True)] for up in (0, 1))
        unit, ends = np.ones(len(self.table) * np.size(tail)), []
        for one, other in ((lowest[0], highest[1]), (highest[0], lowest[1])):
            known = np.isfinite(one[0]) & np.isfinite(other[0])
            pairs = [(np.where(known, v[0], 0.5), unit) for v in (one, other)]
            limits_ = gap_between(pairs[0], pairs[1], one[1:], other[1:], kind)
            least, most = (-1.0, 1.0) if kind == "difference" else (0.0, np.inf)
            ends.append((np.where(known, limits_[0], least), np.where(known, limits_[1], most)))
        shape = (*np.shape(tail), len(self.table))
        return ends[0][0].reshape(shape), ends[1][1].reshape(shape)

    def rate(self, metric: str, tail: float, against: bool) -> Limited:
        """Return a rate with its limits, of the groups or of what they are compared with."""
        value = self._at(metric, 0.5, against, None)[0]
        low = self._at(metric, tail, against, False)[1]
        return value, low, self._at(metric, tail, against, True)[2]

    def ratio(self, metric: str) -> Array:
        """Return the ratio of each group to what it is compared with."""
        return metrics.ratio(*(self.rate(metric, 0.5, against)[0] for against in (False, True)))

    def _at(
        self, metric: str, tail: Array | float, against: bool, highest: bool | int | None
    ) -> Limited:
        """Return the rate at the counts that make it highest or lowest, or as estimated."""
        own = metrics.find(metric)
        decision, outcome = own.numerator[0]
        share_of_left = own.criterion == "sufficiency" and decision == NO
        turned = own.criterion == "separation" and decision == NO
        up = None if highest is None else bool(highest) is not turned
        down = up if share_of_left or up is None else not up
        mistake = outcome == YES
        flagged, left, drawn = self.other if against else self.one
        copies, fewest = np.size(tail), None
        a, b, c = (
            v.corner(mistake, end, copies, own.criterion == "sufficiency")
            for v, end in zip((flagged, left, drawn), (up, down, up), strict=True)
        )
        if own.criterion == "separation":
            a, fewest = flagged.among(mistake, up, copies)
        part = Part(self.table, self.design, self.census, None, a, b, c, float("nan"), fewest)
        tails = np.repeat(tail, len(self.table))[:, None] if np.ndim(tail) else tail
        return part.rate(metric, tails, False)


@dataclass(frozen=True, eq=False)
class Joined:
    """Rates of groups, each joined from independent arms.

    Attributes
    ----------
    table
        One row per group: `by`, `group`, `people`.
    metric, design
        The rate, and how it is identified.
    parts
        The groups by set of attributes.
    """

    table: pd.DataFrame
    metric: str
    design: Design
    parts: tuple["Part | BoundedPart", ...]

    @property
    def compared(self) -> Array:
        """Whether each group is compared: not the reference group itself."""
        found = []
        for part in self.parts:
            row = -1 if part.reference is None else part.reference
            found.append(np.arange(len(part.table)) != row)
        return np.concatenate(found)

    def rate(self, against: bool = False) -> Array:
        """Return the rate of each group, or of what it is compared with; NaN if not known."""
        return np.concatenate([part.rate(self.metric, 0.5, against)[0] for part in self.parts])

    def ratio(self) -> Array:
        """Return the ratio of each group to what it is compared with."""
        return np.concatenate([part.ratio(self.metric) for part in self.parts])

    def limits(self, tail: float) -> tuple[Array, Array]:
        """Return the limits of the rate of each group; `tail` is the error on each side."""
        pairs = [part.rate(self.metric, tail, False)[1:] for part in self.parts]
        return np.concatenate([v[0] for v in pairs]), np.concatenate([v[1] for v in pairs])

    def gaps(self, tail: float, kind: Kind) -> tuple[Array, Array]:
        """Return the limits of the gap of each group; `tail` is the error on each side."""
        pairs = [part.gap(self.metric, tail, kind) for part in self.parts]
        return np.concatenate([v[0] for v in pairs]), np.concatenate([v[1] for v in pairs])

    def _along(self, tails: Array, kind: Kind) -> tuple[Array, Array]:
        """Return `gaps` for each of several errors, one row each."""
        found = []
        for part in self.parts:
            if isinstance(part, BoundedPart):
                found.append(part.gap(self.metric, tails, kind))
            else:
                pairs = [part.gap(self.metric, float(tail), kind) for tail in tails]
                found.append((np.stack([v[0] for v in pairs]), np.stack([v[1] for v in pairs])))
        least, most = (np.concatenate(v, axis=1) for v in zip(*found, strict=True))
        return least, most

    def evidence(self, kind: Kind, low: float | None, high: float | None) -> tuple[Array, Array]:
        """Return p-values of "the gap is outside" and of "the gap is inside" a tolerance.

        They are the errors at which the limits of `gaps` cross the tolerance, found between normal
        deviates at most a quarter apart, where the limits are nearly straight lines.
        """
        least, most = self._along(ndtr(-_GRID), kind)
        edges = [low, high]
        if kind == "ratio":
            # Logarithms, on which the ratio turned round has the same limits with another sign.
            with np.errstate(divide="ignore"):
                least, most = np.log(least), np.log(most)
            edges = [None if edge is None else float(np.log(edge)) for edge in edges]
        inside, outside = np.zeros(len(self.table)), np.ones(len(self.table))
        if edges[0] is not None:
            inside = np.maximum(inside, _crossing(least - edges[0]))
            outside = np.minimum(outside, _crossing(edges[0] - most))
        if edges[1] is not None:
            inside = np.maximum(inside, _crossing(edges[1] - most))
            outside = np.minimum(outside, _crossing(least - edges[1]))
        sides = int(low is not None) + int(high is not None)
        return inside, np.minimum(1, sides * outside)


def _crossing(margin: Array) -> Array:
    """Return the error at which a margin, falling along the grid, reaches 0; 1 if it is never."""
    above = np.nan_to_num(margin, nan=-np.inf, posinf=1e300) > 0
    last = np.where(above.all(axis=0), len(_GRID) - 1, np.argmin(above, axis=0) - 1)
    columns, low = np.arange(margin.shape[1]), np.maximum(last, 0)
    high = np.minimum(low + 1, len(_GRID) - 1)
    left, right = margin[low, columns], margin[high, columns]
    with np.errstate(invalid="ignore", divide="ignore"):
        part = np.nan_to_num(left / (left - right), nan=0.0, posinf=0.0, neginf=0.0)
    z = _GRID[low] + (_GRID[high] - _GRID[low]) * np.clip(part, 0, 1)
    return np.where(last < 0, 1.0, ndtr(-z))
