"""What limits and p-values cost: how many functions are reckoned until the last is found.

A rule that finds the same in more steps is wrong here, too. Numbers of steps are those of the
methods as they are described; a hundredth is left to processors that end a step otherwise.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from datamall.fairness import intervals
from datamall.fairness.intervals import Kind, lower_limit, p_above

TAILS = np.array([0.5, 0.3, 0.1, 0.025, 1e-3, 1e-5, 1e-8, 1e-12])[:, None]


@pytest.fixture
def reckoned(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Callable[[], int]]]:
    """Count the elements for which a function of the module is reckoned."""

    def counting(name: str) -> Callable[[], int]:
        work, seen = getattr(intervals, name), [0]

        def counted(*given: Any) -> Any:
            found = work(*given)
            seen[0] += np.size(found)
            return found

        monkeypatch.setattr(intervals, name, counted)
        return lambda: seen[0]

    yield counting


def people(shapes: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return counts from one to all but one of each number of people."""
    pairs = [(x, n) for n in shapes for x in np.unique(np.geomspace(1, n - 1, 12).round())]
    x, n = np.array(pairs).T
    return np.concatenate([x, n - x]), np.concatenate([n, n])


@pytest.mark.parametrize(
    ("shapes", "steps"), [([8, 30, 200], 3.353), ([2000, 10**5, 10**7], 2.345)]
)
def test_exact_limits_take_few_steps(reckoned: Any, shapes: list[int], steps: float) -> None:
    x, n = people(shapes)
    count = reckoned("betainc")
    low = lower_limit(x, n, TAILS)
    assert count() / low.size == pytest.approx(steps, rel=0.01)


@pytest.mark.parametrize(("kind", "steps"), [("difference", 2.884), ("ratio", 3.813)])
def test_p_values_take_few_steps(reckoned: Any, kind: Kind, steps: float) -> None:
    x, n = people([15, 300, 20_000])
    one, other = (x[:, None], n[:, None]), (x, n)
    bounds = {"difference": [-0.2, -0.01, 0.0, 0.05], "ratio": [0.5, 0.8, 1.0, 1.25]}[kind]
    count = reckoned("gap_lower")
    p = np.stack([p_above(one, other, bound, kind) for bound in bounds])
    assert count() / p.size == pytest.approx(steps, rel=0.01)
