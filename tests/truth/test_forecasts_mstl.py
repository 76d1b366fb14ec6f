"""On series that grow, the published forecast is nearer than MSTL's and the weekly median's.

MSTL (Bandara, Hyndman and Bergmeir 2021) as statsmodels has it: the last trend and the last
seasons of the half year before, on the log scale. Reckoned apart from the module, on the same
weeks and with the same scale.
"""

import counted_streets as streets
import numpy as np
import pytest
from statsmodels.tsa.seasonal import MSTL

from datamall.traffic import forecast_judging as judging
from datamall.traffic import forecast_models as models

WEEKS, ORIGINS = 64, (40, 48, 56, 63)


def growing(share: float, seed: int) -> np.ndarray:
    """Draw counts of two approaches of one junction that grow by a share a year, days that vary."""
    rng = np.random.Generator(np.random.PCG64(seed))
    day = np.arange(7 * WEEKS)
    level = np.log1p(share) * day / 364 + 0.01 * rng.standard_normal(7 * WEEKS)
    shape = np.tile(np.stack([streets.WORKING] * 5 + [streets.WEEKEND] * 2), (WEEKS, 1))
    volume = np.array([900, 1400])[:, None, None]
    return rng.poisson(volume * np.exp(level)[:, None] * shape).astype(float)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
def test_growing_series_are_nearer_than_by_mstl(share: float) -> None:
    (block,) = streets.cube(growing(share, 21))
    run = models.run(block, None)
    assert run is not None
    error = judging.errors(run)
    best = run.best(judging.chosen(error, np.array(["car"]), run.start))
    found = []
    for week in ORIGINS:
        counts, scale = run.weeks[0, week].ravel(), run.scale[0, week]
        parts = MSTL(np.log1p(run.weeks[0, week - 26 : week].ravel()), periods=(24, 168)).fit()
        other = np.expm1(parts.trend[-1] + parts.seasonal[-168:].sum(axis=1))
        made = (best[0, week].ravel(), run.median[0, week].ravel(), other)
        found.append([np.abs(counts - one).mean() / scale for one in made])
    own, by_median, by_mstl = np.mean(found, axis=0)
    print(f"{share:.0%} a year: {own:.3f}, median {by_median:.3f}, MSTL {by_mstl:.3f}")
    assert own <= by_median
    assert own <= by_mstl + 0.02
    if share >= 0.3:
        assert own < 0.85 * by_median
