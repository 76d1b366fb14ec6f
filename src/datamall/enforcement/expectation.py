"""What was found after an action, over what would have been found without it: the reckoning.

`effect` says what is compared with what, and what may be concluded.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.special import expit, stdtrit

from datamall.enforcement import pooling
from datamall.enforcement.information import Tables
from datamall.enforcement.knowledge import PooledPlaces, pooled
from datamall.enforcement.sums import COUNTS, INSPECTIONS, slices
from datamall.errors import DatamallError

POWER = 0.8


@dataclass(frozen=True)
class Found:
    """A change of the chance of a find, -0.2 is a fifth less; NaN where it is not known.

    Attributes
    ----------
    estimate, low, high
        The change and its limits.
    places, compared, looks
        Places with the action, places compared, looks at the places with the action.
    findable
        Smallest decrease that would be found in 8 of 10 cases.
    """

    estimate: float = np.nan
    low: float = np.nan
    high: float = np.nan
    places: int = 0
    compared: int = 0
    looks: int = 0
    findable: float = np.nan

    def __iter__(self) -> Iterator[float]:
        return iter(vars(self).values())


@dataclass(frozen=True)
class Looks:
    """The pooled places before an action, and the looks afterwards.

    Attributes
    ----------
    before
        From the looks before the action began anywhere.
    after
        place and role (positions), day, end (first day after the period), inspections and
        with_waste of every row that is not before; only places that were looked at before.
    """

    before: PooledPlaces
    after: pd.DataFrame

    @classmethod
    def of(
        cls, data: Tables, outcome: str, begun: pd.Timestamp, apart: frozenset[str]
    ) -> "Looks | None":
        """Divide the inspections at the first day of the action.

        Parameters
        ----------
        data, begun
            The extract; first day.
        outcome
            What is counted.
        apart
            Places that are pulled towards their own mean instead of that of their district.

        Returns
        -------
        Looks or None
            None where there were no inspections before.
        """
        parts = []
        for part in slices(data[INSPECTIONS]):
            day = part["period_start"]
            length = pd.to_timedelta(part["period_days"].astype(int), unit="D")
            role = part.get("observer_role", "unknown")
            own = part[["cluster", "period_start", "inspections"]]
            own = own.assign(with_waste=part[outcome], day=day, end=day + length)
            parts.append(own.assign(observer_role=role).dropna(subset="with_waste"))
        seen = pd.concat(parts, ignore_index=True)
        early = seen["end"] <= begun
        if not early.any():
            return None
        old = seen[early].drop(columns=["day", "end"])
        names = pd.Index(old["cluster"].unique())
        groups = pd.Series(names.isin(list(apart)), names) if apart else None
        before = pooled({**data, INSPECTIONS: old}, 0.9, groups)
        after = seen[~early]
        after = after.assign(
            place=pd.Index(before.places["cluster"]).get_indexer(after["cluster"]),
            role=before.offsets.index.get_indexer(after["observer_role"]),
        )
        return cls(before, after[after["place"] >= 0])

    @property
    def clusters(self) -> np.ndarray:
        """Names of the places, in order."""
        return self.before.places["cluster"].to_numpy()

    @cached_property
    def weights(self) -> np.ndarray:
        """Posterior of each place over the grid of log-odds."""
        result = np.empty((len(self.clusters), len(pooling.GRID)))
        for own, posterior in self.before.kinds:
            result[own] = posterior.weights
        return result

    def days(self, begun: pd.Series) -> np.ndarray:
        """Return the first day of each place; NaT where there is none."""
        return begun.reindex(self.clusters).to_numpy("datetime64[s]")

    def beside(self, begun: pd.Series, near: float) -> np.ndarray:
        """Return for each place without the action since when it is near one with it."""
        from scipy.spatial import cKDTree

        places = self.before.places
        if "x" not in places:
            raise DatamallError("Neighbours need x and y of the places: deliver them, or ask none.")
        points = places[["x", "y"]].to_numpy(float)
        own = places["cluster"].isin(begun.index).to_numpy()
        day = self.days(begun)
        result = np.full(len(points), np.datetime64("NaT", "s"))
        if own.any():
            found = cKDTree(points[own]).query_ball_point(points[~own], near)
            rows = np.flatnonzero(~own)
            for row, index in zip(rows, found, strict=True):
                if index:
                    result[row] = day[own][index].min()
        return result

    def effect(
        self,
        start: np.ndarray,
        touched: np.ndarray,
        among: np.ndarray,
        confidence: float,
        tilt: bool,
    ) -> Found:
        """Estimate the effect at places from `start` on.

        Parameters
        ----------
        start, touched
            First day of the action, and of any action, shape (places,); NaT where there is none.
        among
            Places that may be compared, as long as nothing was done there.
        tilt
            Whether bad places may move otherwise than good ones.
        """
        place = self.after["place"].to_numpy()
        day, end = (self.after[name].to_numpy("datetime64[s]") for name in ("day", "end"))
        begun = day >= start[place]
        idle = np.isnat(touched[place]) | (end <= touched[place])
        waiting = among[place] & idle & ~begun
        rows = self.after.assign(month=day.astype("M8[M]"), begun=begun, waiting=waiting)
        rows = rows[begun | waiting]
        # Only months in which both were looked at, and not all or nothing was found, can tell.
        by_month = rows.groupby("month")[["begun", "waiting", *COUNTS]].transform("sum")
        tells = (by_month["begun"] > 0) & (by_month["waiting"] > 0) & (by_month["with_waste"] > 0)
        rows = rows[tells & (by_month["with_waste"] < by_month["inspections"])]
        keys = ["place", "role", "month", "begun"]
        rows = rows.groupby(keys, as_index=False)[COUNTS].sum()
        own, others = rows[rows["begun"]], rows[~rows["begun"]]
        count = [part["place"].nunique() for part in (own, others)]
        known = {"places": count[0], "compared": count[1], "looks": int(own["inspections"].sum())}
        looked, found = others[COUNTS].sum()
        if min(count) == 0 or found in (0, looked):
            return Found(**known)
        if own["with_waste"].sum():
            return _interval(*self._fit(rows, tilt), count, known, confidence)
        # Half a find is put in to reckon what was expected. None found of so many: Garwood's limit.
        half = 0.5 * rows["inspections"] / known["looks"]
        ratio, _ = self._fit(
            rows.assign(with_waste=rows["with_waste"].where(~rows["begun"], half)), tilt
        )
        return Found(-1, -1, -np.log((1 - confidence) / 2) * ratio / 0.5 - 1, **known)

    def _fit(self, rows: pd.DataFrame, tilt: bool) -> tuple[float, np.ndarray]:
        """Return the ratio of the finds to those without the action, and each place's part in it.

        Rows lie in the order of places.

        Fitted are by how much the log-odds moved in each month, the logarithm of the ratio and,
        with `tilt`, how the distance of places from the mean grew. Estimating equations: what is
        left over sums to nothing in each month, over the places of the action and, weighted by
        that distance, over those compared. The part of a place is what leaving it out would change,
        to the second order: their squares sum to the variance of the jackknife.
        """
        grid = pooling.GRID
        role, begun = (rows[name].to_numpy() for name in ("role", "begun"))
        used, place = np.unique(rows["place"], return_inverse=True)
        posterior = self.weights[used]
        y, n = (rows[name].to_numpy(float) for name in ("with_waste", "inspections"))
        month = np.unique(rows["month"], return_inverse=True)[1]
        number = month.max() + 1
        habits = self.before.offsets.to_numpy()
        cell = month * len(habits) + np.maximum(role, 0)
        usual = posterior @ grid
        centre = np.average(usual[place], weights=n * ~begun)
        away = (usual[place] - centre) * ~begun
        by_month = np.eye(number)[month]
        weights = np.column_stack([by_month, begun, *[away] * tilt])
        guess = np.zeros(weights.shape[1])
        for _ in range(100):
            level = centre + (1 + tilt * guess[-1]) * (grid - centre) + habits[:, None]
            chance = expit(level + guess[:number, None, None]).reshape(-1, len(grid))
            moves = chance * (1 - chance)
            factor = n * np.exp(guess[number] * begun)
            expected, moved, tilted = (
                (posterior @ curve.T)[place, cell] * factor
                for curve in (chance, moves, moves * (grid - centre))
            )
            slopes = np.column_stack(
                [by_month * moved[:, None], expected * begun, *[tilted] * tilt]
            )
            bread = weights.T @ slopes
            step = np.linalg.lstsq(bread, weights.T @ (y - expected), rcond=None)[0].clip(-1, 1)
            if np.abs(step).max() < 1e-8:
                break
            guess += step
        inverse, first = np.linalg.pinv(bread), np.unique(place, return_index=True)[1]
        scores = np.add.reduceat(weights * (y - expected)[:, None], first)
        bends = np.add.reduceat((weights @ inverse[number])[:, None] * slopes, first)
        influence = scores @ inverse[number] + ((bends @ inverse) * scores).sum(axis=1)
        return float(np.exp(guess[number])), influence

    def naive(self, start: np.ndarray, confidence: float) -> Found:
        """Divide the share with waste after the action by that before it."""
        own = ~np.isnat(start)
        place = self.after["place"].to_numpy()
        begun = self.after["day"].to_numpy("datetime64[s]") >= start[place]
        n1, y1 = (
            np.bincount(place[begun], self.after[name].to_numpy(float)[begun], len(start))
            for name in COUNTS
        )
        n0, y0 = (self.before.places[name].to_numpy(float) * own for name in COUNTS)
        known = {"places": int((n1 > 0).sum()), "looks": int(n1.sum())}
        if min(y1.sum(), y0.sum()) == 0:
            return Found(**known)
        ratio = y1.sum() / n1.sum() * n0.sum() / y0.sum()
        influence = y1 / y1.sum() - n1 / n1.sum() - y0 / y0.sum() + n0 / n0.sum()
        influence *= np.sqrt(own.sum() / max(own.sum() - 1, 1))
        return _interval(ratio, influence, [known["places"]], known, confidence)


def _interval(
    ratio: float,
    influence: np.ndarray,
    count: list[int],
    known: dict[str, int],
    confidence: float,
) -> Found:
    """Return the ratio of rates with its limits from the part of each place in its logarithm."""
    degrees, tail = min(count) - 1, (1 - confidence) / 2
    if degrees < 1:
        return Found(ratio - 1, **known)
    error = np.sqrt(np.sum(influence**2))
    width = stdtrit(degrees, 1 - tail) * error
    findable = 1 - np.exp(-width - stdtrit(degrees, POWER) * error)
    low, high = ratio * np.exp([-width, width]) - 1
    return Found(ratio - 1, low, high, **known, findable=findable)
