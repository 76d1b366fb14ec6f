"""How often the effect of a measure on traffic is right, on roads whose truth is known."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from datamall.traffic import effect
from datamall.traffic.cube import Block, Cube

FIRST = pd.Timestamp("2024-01-01")  # a Monday
NOTHING, GAIN, MOVED = "does nothing", "serves more", "takes it from beside"
# What is planted: its name, the share of its traffic that the junction gains, and how much of that
# its neighbours lose.
PLANTED = (
    (NOTHING, 0.0, 0.0),
    (GAIN, 0.05, 0.0),
    (GAIN, 0.1, 0.0),
    (GAIN, 0.2, 0.0),
    (MOVED, 0.2, 1.0),
)
CORRELATIONS = (0.3, 0.6)
OURS, SINGLE = "this method, three intervals together", "this method, one interval"
ALONE, PLAIN = "before and after alone", "controls, weeks as independent"
HEADINGS = {
    "correlation": "Of one week with the next",
    "covered": "Holds the truth",
    "helped": "Said to have helped",
    "moves": "Said to have moved",
    "nothing": "Said to have no effect that matters",
    "planted": "Planted at the junction",
    "planted_area": "Planted with its neighbours",
    "unknown": "Not enough evidence",
    "width": "Width of the interval (mean)",
}
_HOURS = np.array(
    [1, 1, 1, 1, 2, 5, 15, 40, 45, 30, 25, 28, 30, 30, 30, 35, 45, 50, 40, 25, 18, 12, 8, 3]
) / 520  # fmt: skip


@dataclass(frozen=True)
class Road:
    """A city's junctions and how they vary; two of them lie beside that of the measure.

    Attributes
    ----------
    sites, weeks, begun
        Junctions, weeks that are counted, and those before the measure.
    own, common, day
        Standard deviations (log) of a junction's week, of what all feel in a week, and of a
        junction's day.
    season, growth, own_growth
        Swing of the year (log), which differs by a fifth between junctions, growth in a year, and
        the standard deviation of what a junction grows beside it.
    """

    sites: int = 12
    weeks: int = 46
    begun: int = 26
    own: float = 0.04
    common: float = 0.05
    day: float = 0.03
    season: float = 0.15
    growth: float = 0.06
    own_growth: float = 0.05


def _serial(rng: np.random.Generator, shape: tuple[int, ...], rho: float) -> NDArray[np.float64]:
    """Draw rows of which each week has the correlation rho with the one before; variance 1."""
    steps = rng.standard_normal(shape)
    for week in range(1, shape[-1]):
        steps[..., week] = rho * steps[..., week - 1] + np.sqrt(1 - rho**2) * steps[..., week]
    return steps


def draw(
    road: Road, gain: float, lost: float, rho: float, seed: int
) -> tuple[Cube, dict[str, pd.DataFrame], dict[str, float]]:
    """Return the counts of a city, its measures and positions, and the truth.

    That is what each place of `effect.effects` gained, as a share of its own traffic.
    """
    rng = np.random.Generator(np.random.PCG64([seed, round(100 * rho), round(100 * gain)]))
    size = np.exp(rng.uniform(np.log(4000), np.log(16000), road.sites))
    weekly = road.own * _serial(rng, (road.sites, road.weeks), rho)
    weekly += road.common * _serial(rng, (1, road.weeks), 0.5)
    days = np.arange(7 * road.weeks)
    swing = road.season * rng.uniform(0.8, 1.2, road.sites)
    year = 2 * np.pi * (days / 364 + rng.random())
    level = weekly.repeat(7, axis=1) + swing[:, None] * np.sin(year) + road.growth * days / 364
    level += road.own_growth * rng.standard_normal((road.sites, 1)) * days / 364
    level += road.day * rng.standard_normal(level.shape)
    mean = size[:, None] * np.where(days % 7 < 5, 1.0, 0.6) * np.exp(level)
    since = days >= 7 * road.begun
    usual = size[1:3].sum()
    mean[0] *= np.where(since, 1 + gain, 1.0)
    mean[1:3] *= np.where(since, 1 - lost * gain * size[0] / usual, 1.0)
    count = rng.poisson(mean[..., None] * _HOURS)
    names = [f"J{number:02}" for number in range(road.sites)]
    keys = {"approach": "north", "movement": "-", "mode": "car", "detector": names}
    block = Block(
        pd.DataFrame({"site": names, **keys}),
        pd.date_range(FIRST, periods=len(days)),
        60,
        count.astype(np.int32),
    )
    places = pd.DataFrame({"site": names, "x": 2000.0 * np.arange(road.sites), "y": 0.0})
    places.loc[1:2, "x"] = [300.0, -300.0]
    first = FIRST + pd.Timedelta(days=7 * road.begun)
    about = {"measure": "M", "site": "J00", "approach": effect.ALL, "kind": "signal plan"}
    about |= {"aimed_at": "car", "aim": effect.MORE}
    measures = pd.DataFrame([about | {"first_day": first}])
    data = {effect.MEASURES: measures, "traffic.junctions": places}
    truth = {
        effect.HERE: gain,
        effect.BESIDE: -lost * gain * size[0] / usual,
        effect.AREA: gain * size[0] * (1 - lost) / (size[0] + usual),
    }
    return Cube((block,)), data, truth


def _naive(cube: Cube, road: Road) -> Iterator[tuple[str, float, float]]:
    """Yield the intervals of a mean before and one since, of weeks as if independent."""
    [block] = cube
    weeks = np.log(block.stored.reshape(road.sites, road.weeks, -1).sum(axis=2))
    for name, series in ((ALONE, weeks[0]), (PLAIN, weeks[0] - weeks[3:].mean(axis=0))):
        old, new = series[: road.begun], series[road.begun :]
        change = new.mean() - old.mean()
        rest = ((old - old.mean()) ** 2).sum() + ((new - new.mean()) ** 2).sum()
        freedom = road.weeks - 2
        error = np.sqrt(rest / freedom * (1 / len(old) + 1 / len(new)))
        width = stdtrit(freedom, 0.975) * error
        yield name, float(np.expm1(change - width)), float(np.expm1(change + width))


def estimates(worlds: int, seed: int, road: Road | None = None) -> pd.DataFrame:
    """Return every interval in so many cities of each kind, with what was planted.

    Returns
    -------
    DataFrame
        world, what, planted (share of the junction's traffic), correlation, method, about, truth,
        low, high and verdict (of this method, about the junction). `OURS` has positions and
        intervals that hold together; `SINGLE` is without positions, so that there is but one.
    """
    road = road or Road()
    rows = []
    for what, gain, lost in PLANTED:
        for rho in CORRELATIONS:
            for world in range(worlds):
                cube, data, truth = draw(road, gain, lost, rho, seed + world)
                about = (world, what, gain, rho)
                alone = {effect.MEASURES: data[effect.MEASURES]}
                for method, known in ((OURS, data), (SINGLE, alone)):
                    for row in effect.effects(known, cube, effect.Rules()).itertuples():
                        ends = row.low - 1, row.high - 1
                        own = (method, row.about, truth[row.about], *ends, row.verdict)
                        rows.append((*about, *own))
                for name, low, high in _naive(cube, road):
                    rows.append((*about, name, effect.HERE, gain, low, high, ""))
    columns = ["world", "what", "planted", "correlation", "method", "about", "truth"]
    return pd.DataFrame(rows, columns=[*columns, "low", "high", "verdict"])


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return how often intervals hold the truth, and how often they lie beside nought.

    Returns
    -------
    DataFrame
        method, about, what, planted, correlation, worlds, covered, moves (share of intervals beside
        nought: wrong where the truth is 0, else the power) and width (mean).
    """
    held = table["low"].le(table["truth"]) & table["truth"].le(table["high"])
    beside = table["low"].gt(0) | table["high"].lt(0)
    keys = ["method", "about", "what", "planted", "correlation"]
    own = table.assign(covered=held, moves=beside, width=table["high"] - table["low"])
    groups = own.groupby(keys, sort=True)
    result = groups[["covered", "moves", "width"]].mean()
    result.insert(0, "worlds", groups.size())
    return result.reset_index()


def together(table: pd.DataFrame) -> pd.DataFrame:
    """Return how often all three intervals of a city hold what was planted, by what it was."""
    own = table[table["method"].eq(OURS)]
    held = own["low"].le(own["truth"]) & own["truth"].le(own["high"])
    keys = ["what", "planted", "correlation"]
    each = own.assign(covered=held).groupby([*keys, "world"])["covered"].all()
    return each.groupby(keys).mean().reset_index()


def verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """Return how often each verdict is given: what, planted, correlation, and a share of each."""
    own = table[table["method"].eq(OURS) & table["about"].eq(effect.HERE)]
    names = {
        "helped": effect.HELPED,
        "moved": effect.MOVED,
        "nothing": effect.NO_EFFECT,
        "contrary": effect.CONTRARY,
        "unknown": effect.NOT_ENOUGH,
    }
    said = own.assign(**{name: own["verdict"].eq(words) for name, words in names.items()})
    return said.groupby(["what", "planted", "correlation"])[list(names)].mean().reset_index()


def metrics(table: pd.DataFrame, said: pd.DataFrame, joint: pd.DataFrame) -> dict[str, float]:
    """Return the numbers worth following.

    Parameters
    ----------
    table, said, joint
        As from `summary`, `verdicts` and `together`.
    """
    here = table[table["method"].eq(SINGLE)]
    naive = table[table["method"].isin([ALONE, PLAIN])]
    false = said[said["what"].ne(GAIN)]
    large = here[here["planted"].eq(0.2)]
    return {
        "covered_at_least": here["covered"].min(),
        "covered_together_at_least": joint["covered"].min(),
        "wrong_effect_at_most": here.loc[here["what"].eq(NOTHING), "moves"].max(),
        "wrong_help_at_most": false["helped"].max(),
        "naive_covered": naive["covered"].min(),
        "naive_wrong_effect": naive.loc[naive["what"].eq(NOTHING), "moves"].max(),
        "fifth_found_at_least": large["moves"].min(),
        "nothing_when_it_gained": said.loc[said["what"].eq(GAIN), "nothing"].max(),
    }


def lines(table: pd.DataFrame) -> list[str]:
    """Return the results that decide whether an effect can be believed, a line each."""
    return [
        f"{row.what} ({100 * row.planted:+.0f} %), {row.about}, correlation {row.correlation:g}, "
        f"{row.method}: 95 % intervals hold it in {row.covered:.3f} of {row.worlds} cities, beside "
        f"nought in {row.moves:.3f}"
        for row in table.itertuples()
    ]


def answer(table: pd.DataFrame, said: pd.DataFrame, joint: pd.DataFrame) -> str:
    """Return the answer of the page."""
    share = {name: f"{100 * value:.1f} %" for name, value in metrics(table, said, joint).items()}
    return (
        f"A 95 % interval holds what was planted in at least {share['covered_at_least']} of the "
        f"cities, three together in {share['covered_together_at_least']}. Where nothing was done "
        f"to the traffic, at most {share['wrong_effect_at_most']} seem to have an effect; by naive "
        f"ways up to {share['naive_wrong_effect']}. What only moved from beside is said to have "
        f"helped in at most {share['wrong_help_at_most']}, and a fifth more is found in at least "
        f"{share['fifth_found_at_least']}."
    )


def covering(table: pd.DataFrame) -> pd.DataFrame:
    """Return the least coverage at the junction of each way, over all that was planted."""
    here = table[table["about"].eq(effect.HERE)]
    return here.groupby("method", as_index=False)["covered"].min()


def describe(table: pd.DataFrame) -> str:
    """Say how low the coverage of each way gets; `table` as from `covering`."""
    parts = [f"{way} {value:.2f}" for way, value in table.itertuples(index=False)]
    return f"Lowest share of intervals that hold the planted effect: {', '.join(parts)}."
