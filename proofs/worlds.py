"""Worlds with a planted truth, drawn as counts: who erred, was flagged, chosen, and how it ended.

Two groups of people on benefit, A and B. A share of each has a mistake in its file. A profile flags
people. A lot is drawn from everybody (the random arm); of the others some are reported (the arm
signal), and of the flagged among the rest a caseworker chooses some (the profile arm). All of these
are to be visited; of those who are a finding is recorded. Every step has a rate of its own in group
B, so that a bias can be planted at one step and nowhere else.
"""

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from datamall.fairness.steps import ALL, SAID, Node

Counts: TypeAlias = np.ndarray
GROUPS = ("A", "B")
FALSE, TRUE = 0, 1
RESULTS = ("nothing", "unlawful")  # without and with a mistake


@dataclass(frozen=True)
class World:
    """How people are made and treated; ratios compare group B with group A.

    Attributes
    ----------
    people, share
        Caseload, and the share of group B.
    arm
        People drawn at random from everybody.
    signals
        Share of the others who are reported.
    chosen
        Share of the flagged among the rest whom a caseworker chooses in group A.
    mistakes
        Share with a mistake in group A.
    wrongly, rightly
        Share that is flagged in group A, of those without and with a mistake.
    flag_gap
        Ratio of both in group B: a profile that rests on a proxy.
    base_gap
        Ratio of the shares with a mistake: a true difference.
    human_gap
        Ratio of the shares chosen.
    visit, visit_gap
        Share of those to be visited who are visited in group A, and the ratio.
    label_gap
        Ratio of the shares without a finding, of those without a mistake: below 1 somebody
        records a mistake more often where there is none.
    """

    people: int = 9000
    share: float = 0.2
    arm: int = 450
    signals: float = 0.01
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


class Way(NamedTuple):
    """What happened to people of a cell; a finding of "none" was never made."""

    arm: str
    flagged: bool
    visited: bool
    finding: str

    def came_to(self, node: Node) -> bool:
        """Return whether they count at a place of the department's counts."""
        stage, arm, band, outcome = node
        stages = {
            "population": True,
            "flagged": self.flagged,
            "chosen": self.arm != "none",
            "visited": self.visited,
            "finding": self.finding != "none",
        }
        # "<definition>: yes" counts what it calls a mistake; here all definitions agree.
        said = SAID[self.finding == RESULTS[TRUE]]
        found = outcome in (ALL, self.finding) or outcome.endswith(said)
        own_band = band in (ALL, "high" if self.flagged else "other")
        return stages[stage] and arm in (ALL, self.arm) and own_band and found


@dataclass(frozen=True, eq=False)
class Drawn:
    """Counts of many worlds.

    Attributes
    ----------
    ways
        What happens to people.
    people
        How many it happened to: shape (worlds, 2 groups, ways).
    """

    ways: tuple[Way, ...]
    people: Counts

    def __len__(self) -> int:
        """Return the number of worlds."""
        return len(self.people)

    def count(self, *node: str) -> Counts:
        """Return the people at a place (stage, arm, band, outcome), shape (worlds, 2 groups)."""
        stage, arm, band, outcome = (*node, *[ALL] * (4 - len(node)))
        there = [way.came_to((stage, arm, band, outcome)) for way in self.ways]
        return np.asarray(self.people[..., there].sum(axis=-1))

    def files(self, world: int) -> pd.DataFrame:
        """Return one world as the department holds it: the table welfare.investigations."""
        yes = {True: "yes", False: "no"}
        rows = [
            {
                **{"year": 2026, "origin": group, "arm": way.arm, "flagged": yes[way.flagged]},
                **{"chosen": yes[way.arm != "none"], "visited": yes[way.visited]},
                **{"finding": None if way.finding == "none" else way.finding, "people": people},
            }
            for group, own in zip(GROUPS, self.people[world], strict=True)
            for way, people in zip(self.ways, own, strict=True)
            if people
        ]
        return pd.DataFrame(rows)


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
    signals = generator.binomial(people - lot, world.signals)
    left = people - lot - signals
    picks = np.zeros_like(left)
    chosen = world.rates("chosen", world.human_gap)[:, None]
    picks[:, :, TRUE] = generator.binomial(left[:, :, TRUE], chosen)
    ways, counts = [], []
    visits = world.rates("visit", world.visit_gap)[:, None, None]
    for arm, own in (("random", lot), ("signal", signals), ("profile", picks)):
        visited = generator.binomial(own, visits)
        found = _recorded(generator, visited, world.label_gap)
        for flag in (FALSE, TRUE):
            ways += [Way(arm, bool(flag), True, result) for result in RESULTS]
            counts += [found[:, :, flag, mistake] for mistake in (FALSE, TRUE)]
            ways.append(Way(arm, bool(flag), False, "none"))
            counts.append((own - visited)[:, :, flag].sum(axis=-1))
    for flag in (FALSE, TRUE):
        ways.append(Way("none", bool(flag), False, "none"))
        counts.append((left - picks)[:, :, flag].sum(axis=-1))
    return Drawn(tuple(ways), np.stack(counts, axis=-1))


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
