"""Worlds with a planted truth, drawn as counts: who erred, was flagged, chosen, and how it ended.

Two groups of people on benefit, A and B. A share of each has a mistake in its file. A profile flags
people; a caseworker chooses some of the flagged (the profile arm); a lot is drawn from everybody
(the random arm); those of both arms are visited and a finding is recorded. Every step has a rate of
its own in group B, so that a bias can be planted at one step and nowhere else.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd

from datamall.fairness import Cells

Counts: TypeAlias = np.ndarray
GROUPS = ("A", "B")
FALSE, TRUE = 0, 1


@dataclass(frozen=True)
class World:
    """How people are made and treated; ratios compare group B with group A.

    Attributes
    ----------
    people, share
        Caseload, and the share of group B.
    arm
        People drawn at random from everybody.
    chosen
        Share of the flagged whom a caseworker chooses in group A.
    mistakes
        Share with a mistake in group A.
    wrongly, rightly
        Share that is flagged in group A, of those without and with a mistake.
    flag_gap
        Ratio of both in group B: a profile that rests on a proxy.
    base_gap
        Ratio of the shares with a mistake: a true difference, and no bias.
    human_gap
        Ratio of the shares of the flagged who are chosen.
    visit, visit_gap
        Share of the chosen who are visited in group A, and the ratio.
    label_gap
        Ratio of the shares without a finding, of those without a mistake: below 1 somebody
        records a mistake more often where there is none.
    """

    people: int = 9000
    share: float = 0.2
    arm: int = 450
    chosen: float = 0.6
    mistakes: float = 0.2
    wrongly: float = 0.1
    rightly: float = 0.3
    flag_gap: float = 1.0
    base_gap: float = 1.0
    human_gap: float = 1.0
    visit: float = 0.9
    visit_gap: float = 1.0
    label_gap: float = 1.0

    def rates(self, name: str, gap: float) -> np.ndarray:
        """Return a rate in both groups."""
        return np.array([getattr(self, name), getattr(self, name) * gap])


@dataclass(frozen=True, eq=False)
class Drawn:
    """Counts of many worlds, each of shape (worlds, 2 groups).

    Attributes
    ----------
    everybody, flagged, picked, visited
        People; flagged ones; of these chosen by a caseworker; of these visited.
    lot
        The random arm, shape (worlds, 2 groups, 2: not flagged or flagged, 2: without or with a
        finding).
    profile
        The visited of the profile arm, shape (worlds, 2 groups, 2: without or with a finding).
    """

    everybody: Counts
    flagged: Counts
    picked: Counts
    visited: Counts
    lot: Counts
    profile: Counts

    def cells(self, world: int) -> Cells:
        """Return one world as an audit gets it: by group and arm, flagged or not, and found."""
        rows = []
        for g, group in enumerate(GROUPS):
            of_lot, of_profile = self.lot[world, g], self.profile[world, g]
            for flagged in (0, 1):
                rows += [(group, "random", flagged, y, of_lot[flagged, y]) for y in (0, 1)]
            rows += [(group, "profile", 1, y, of_profile[y]) for y in (0, 1)]
            flags = self.flagged[world, g] - of_lot[1].sum()
            others = self.everybody[world, g] - self.flagged[world, g] - of_lot[0].sum()
            rows += [(group, "none", 1, None, flags - of_profile.sum())]
            rows += [(group, "none", 0, None, others)]
        frame = pd.DataFrame(rows, columns=["origin", "arm", "flagged", "found", "people"])
        names = {"decision": "flagged", "outcome": "found", "arm": "arm", "count": "people"}
        return Cells.from_frame(frame, ["origin"], **names)


def draw(world: World, number: int, seed: int) -> Drawn:
    """Draw worlds.

    Parameters
    ----------
    world
        What is planted.
    number
        How many.
    seed
        Seed of the draws.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    second = round(world.people * world.share)
    everybody = np.broadcast_to([world.people - second, second], (number, 2))
    wrong = generator.binomial(everybody, world.rates("mistakes", world.base_gap))
    truth = np.stack([everybody - wrong, wrong], axis=-1)
    rates = np.stack([world.rates(n, world.flag_gap) for n in ("wrongly", "rightly")], axis=-1)
    flagged = generator.binomial(truth, rates)
    # Axes: world, group, flagged, with a mistake.
    people = np.stack([truth - flagged, flagged], axis=2)
    lot = _take(generator, people.reshape(number, 8), world.arm).reshape(people.shape)
    left = (people - lot)[:, :, TRUE]
    picked = generator.binomial(left, world.rates("chosen", world.human_gap)[:, None])
    visited = generator.binomial(picked, world.rates("visit", world.visit_gap)[:, None])
    return Drawn(
        everybody,
        flagged.sum(axis=-1),
        picked.sum(axis=-1),
        visited.sum(axis=-1),
        _recorded(generator, lot, world.label_gap),
        _recorded(generator, visited, world.label_gap),
    )


def _take(generator: np.random.Generator, people: Counts, number: int) -> Counts:
    """Draw a number of people without replacement from the columns of each row."""
    out = np.zeros_like(people)
    wanted = np.full(len(people), number)
    left = people.sum(axis=1)
    for column in range(people.shape[1]):
        left = left - people[:, column]
        out[:, column] = generator.hypergeometric(people[:, column], left, wanted)
        wanted = wanted - out[:, column]
    return out


def _recorded(generator: np.random.Generator, seen: Counts, gap: float) -> Counts:
    """Return findings: what is true, but for people of group B without a mistake."""
    out = seen.copy()
    clean = seen[:, 1, ..., FALSE]
    kept = generator.binomial(clean, min(gap, 1.0))
    out[:, 1, ..., FALSE] = kept
    out[:, 1, ..., TRUE] += clean - kept
    return out
