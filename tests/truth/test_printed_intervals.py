"""Printed intervals hold the truth of drawn worlds as often as the page says: 95 %."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from datamall.fairness import Audit, Plan, audit
from datamall.fairness.steps import ALL, KEYS, Selection
from datamall.project import load_parameters

SECTION = load_parameters(Path(__file__).parents[2])["fraud_audit"]
CHECKS = ("flagged", "found", "wrongly visited", "wrongly flagged", "missed")
LEVEL, PEOPLE, DRAWN, VISITED = 0.95, 2000, 400, 0.6
Array = np.ndarray


@dataclass(frozen=True)
class World:
    """Rates of groups: with a mistake, and flagged of those with and without one."""

    mistakes: Array
    caught: Array
    wronged: Array

    @classmethod
    def draw(cls, rng: np.random.Generator, groups: int) -> "World":
        ends = ((0.15, 0.4), (0.4, 0.7), (0.15, 0.35))
        return cls(*(rng.uniform(low, high, groups) for low, high in ends))

    def rates(self) -> dict[str, tuple[Array, Array]]:
        """Return the rate of each check by group, and the people that it is a rate of."""
        b, everybody = self.mistakes, np.ones(len(self.mistakes))
        return {
            "flagged": (b * self.caught + (1 - b) * self.wronged, everybody),
            "found": (b, everybody),
            "wrongly visited": (VISITED * self.wronged, 1 - b),
            "wrongly flagged": (self.wronged, 1 - b),
            "missed": (1 - self.caught, b),
        }

    def ratios(self, check: str) -> Array:
        """Return the rate of each group to that of everybody else."""
        rate, people = self.rates()[check]
        other = ((rate * people).sum() - rate * people) / (people.sum() - people)
        return rate / other

    def count(self, rng: np.random.Generator, study: str, rounding: int) -> pd.DataFrame:
        """Draw the people of each group, some of them at random, and visit some of the flagged."""
        b, counts = self.mistakes, {}
        flagged = np.stack([(1 - b) * self.wronged, b * self.caught])
        cells = np.concatenate([flagged, np.stack([1 - b, b]) - flagged]).T
        drawn = rng.multinomial(DRAWN, cells).T
        others = rng.multinomial(PEOPLE - DRAWN, cells).T
        for band, first in (("high", 0), ("other", 2)):
            for place, result in enumerate(("nothing", "unlawful")):
                counts["finding", "random", band, result] = drawn[first + place]
        for place, result in enumerate(("nothing", "unlawful")):
            counts["finding", "profile", "high", result] = rng.binomial(others[place], VISITED)
        counts["population", ALL, ALL, ALL] = np.full(len(b), PEOPLE)
        counts["chosen", "random", ALL, ALL] = np.full(len(b), DRAWN)
        counts["flagged", ALL, ALL, ALL] = drawn[:2].sum(axis=0) + others[:2].sum(axis=0)
        return printed(counts, study, rounding)


def printed(counts: dict[tuple[str, ...], Array], study: str, rounding: int) -> pd.DataFrame:
    """Return counts by place with their totals, each rounded by itself."""
    groups = [f"g{i}" for i in range(len(counts["population", ALL, ALL, ALL]))]
    stage, arm, band, outcome = np.array(list(counts), object).T
    frames = []
    for group, people in [*zip(groups, zip(*counts.values(), strict=True), strict=True)]:
        frames.append(pd.DataFrame({"group": group, "people": people}))
    table = pd.concat(frames, ignore_index=True)
    for name, values in (("stage", stage), ("arm", arm), ("band", band), ("outcome", outcome)):
        table[name] = np.tile(values, len(groups))
    for name in ("group", "band", "outcome"):
        rest = [key for key in ("group", "stage", "arm", "band", "outcome") if key != name]
        parts = table[table[name] != ALL]
        sums = parts.groupby(rest)["people"].sum().reset_index().assign(**{name: ALL})
        table = pd.concat([table, sums], ignore_index=True)
    near = (table["people"] + rounding // 2) // rounding * rounding
    table = table.assign(people=near, rounding=rounding, study=study, attribute="g")
    return table[[*KEYS, "people", "rounding"]]


def audited(tables: list[pd.DataFrame], *names: str) -> Audit:
    section = {name: value for name, value in SECTION.items() if name != "crossed"}
    label = next(iter(SECTION["labels"]))
    checks = [check for check in SECTION["checks"] if check["name"] in names]
    plan = section | {"groups": ["g"], "labels": {label: SECTION["labels"][label]}}
    table = pd.concat(tables, ignore_index=True)
    return audit(Selection.read(table), Plan.read(plan | {"checks": checks}))


GROUPS = 600
# Two standard errors of a share of 95 % among so many.
ROOM = 2 * np.sqrt(LEVEL * (1 - LEVEL) / GROUPS)


@pytest.fixture(
    scope="module",
    params=[pytest.param(1, id="exact"), pytest.param(10, id="rounded", marks=pytest.mark.slow)],
)
def town(request: pytest.FixtureRequest) -> tuple[World, Audit]:
    """Return a world of many groups, in which each is one draw, and its audit."""
    rng = np.random.default_rng(5)
    world = World.draw(rng, GROUPS)
    return world, audited([world.count(rng, "Town 2025", request.param)], *CHECKS)


def rows(table: pd.DataFrame, check: str) -> pd.DataFrame:
    return table[table["check"].eq(check)].set_index("group").loc[[f"g{i}" for i in range(GROUPS)]]


@pytest.mark.parametrize("check", CHECKS)
def test_the_interval_of_a_group_by_itself_holds_its_rate(
    town: tuple[World, Audit], check: str
) -> None:
    world, result = town
    truth, shown = world.rates()[check][0], rows(result.figures, check)
    held = ((shown["low"] <= truth) & (truth <= shown["high"])).mean()
    assert held >= LEVEL - ROOM
    assert (shown["high"] - shown["low"]).median() < 0.5  # and says something


@pytest.mark.parametrize("check", CHECKS)
def test_each_end_that_a_pass_needs_holds_the_ratio_at_its_level(
    town: tuple[World, Audit], check: str
) -> None:
    world, result = town
    truth, shown = world.ratios(check), rows(result.comparisons, check)
    assert (shown["gap_low"] <= truth).mean() >= LEVEL - ROOM
    assert (truth <= shown["gap_high"]).mean() >= LEVEL - ROOM
    assert ((shown["all_low"] <= truth) & (truth <= shown["all_high"])).all()


@pytest.mark.slow
@pytest.mark.parametrize("check", ["flagged", "wrongly visited"])
def test_the_intervals_of_a_check_hold_all_its_ratios_at_once(check: str) -> None:
    worlds, rng = 300, np.random.default_rng(6)
    drawn = [World.draw(rng, 3) for _ in range(worlds)]
    tables = [world.count(rng, f"Town {i:03d}", 1) for i, world in enumerate(drawn)]
    table = audited(tables, check).comparisons.sort_values(["study", "group"])
    truth = np.concatenate([world.ratios(check) for world in drawn])
    assert len(table) == len(truth) == 3 * worlds
    inside = (table["all_low"] <= truth) & (truth <= table["all_high"])
    held = inside.to_numpy().reshape(worlds, 3).all(axis=1).mean()
    assert held >= LEVEL - 2 * np.sqrt(LEVEL * (1 - LEVEL) / worlds)
