"""How often the estimate of an action's effect is right, in cities whose truth is known."""

import pandas as pd

from datamall.enforcement import effect
from proofs.cities import EFFECT, City, draw

CITY = City()
HEADINGS = {
    "covered": "Holds the truth",
    "estimate": "Estimate (mean)",
    "estimates": "Estimates",
    "false": "Of the other places called hot",
    "findable": "Smallest decrease that could be found (mean)",
    "found": "Of its places found",
    "helped": "Said to help",
    "ratio": "Ratio of the rates",
    "truth": "Planted",
}


def estimates(cities: int, seed: int, city: City = CITY) -> pd.DataFrame:
    """Return every estimate in so many cities, with what was planted.

    Returns
    -------
    DataFrame
        As from `datamall.enforcement.effect.effects`, with city and truth (the planted effect).
    """
    tables = []
    for number in range(cities):
        data, actions = draw(city, seed + number)
        found = effect.effects(data, actions)
        tables.append(found.assign(city=number))
    table = pd.concat(tables, ignore_index=True)
    return table.assign(truth=table["action"].map(EFFECT))


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return how the estimates of each action lie about the truth.

    Parameters
    ----------
    table
        As from `estimates`.

    Returns
    -------
    DataFrame
        action, method, truth, cities, estimate (mean), covered (share of 95 % intervals that hold
        the truth), helped (share with an interval below nought: right where it helps, wrong where
        it does nothing), findable (mean).
    """
    below = table["high"] < 0
    held = table["low"].le(table["truth"]) & table["truth"].le(table["high"])
    groups = table.assign(helped=below, covered=held).groupby(
        ["truth", "action", "method"], sort=True
    )
    result = groups[["estimate", "covered", "helped", "findable"]].mean()
    result.insert(0, "cities", groups.size())
    return result.reset_index()


def falsified(cities: int, seed: int, city: City = CITY) -> pd.DataFrame:
    """Return what is said of bulky waste, which no action moves.

    Returns
    -------
    DataFrame
        verdict, estimates.
    """
    verdicts: list[str] = []
    for number in range(cities):
        data, actions = draw(city, seed + number)
        found = effect.effects(data, actions, unaffected="bulky")
        verdicts += found.loc[found["about"].ne(effect.OWN), "verdict"].to_list()
    counts = pd.Series(verdicts).value_counts()
    order = [effect.UNMOVED, effect.NOT_ENOUGH, effect.MOVED]
    counts = counts.reindex(order, fill_value=0)
    return counts.rename_axis("verdict").reset_index(name="estimates")


def metrics(table: pd.DataFrame, hot: pd.DataFrame) -> dict[str, float]:
    """Return the numbers worth following from version to version.

    Parameters
    ----------
    table, hot
        As from `summary` and `proofs.discs.discs`.
    """
    ours = table[table["method"].ne(effect.NAIVE)]
    naive = table[table["method"].eq(effect.NAIVE)]
    nothing = ours["truth"].eq(0)
    large = hot[hot["ratio"].eq(hot["ratio"].max()) & hot["list"].eq(hot["list"].iloc[-1])]
    return {
        "covered_at_least": ours["covered"].min(),
        "wrong_help_at_most": ours.loc[nothing, "helped"].max(),
        "naive_wrong_help": naive.loc[naive["truth"].eq(0), "helped"].max(),
        "help_found_at_least": ours.loc[~nothing, "helped"].min(),
        "hot_spots_found": float(large["found"].iloc[0]),
        "false_hot_spots": float(large["false"].iloc[0]),
    }


def lines(table: pd.DataFrame, hot: pd.DataFrame) -> list[str]:
    """Return the results that decide whether an effect can be believed, a line each."""
    out = []
    for row in table.itertuples():
        out.append(
            f"{row.action} ({100 * row.truth:+.0f} %), {row.method}: mean {100 * row.estimate:+.1f}"
            f" %, 95 % intervals hold it in {row.covered:.3f} of {row.cities} cities, said to help "
            f"in {row.helped:.3f}"
        )
    for row in hot.itertuples():
        out.append(
            f"hot spots of {row.ratio:g} times the rate, {row.list}: {row.found:.3f} of their "
            f"places found, {row.false:.4f} of the others called hot ({row.worlds} worlds)"
        )
    return out


def answer(table: pd.DataFrame, hot: pd.DataFrame) -> str:
    """Return the answer of the page."""
    known = metrics(table, hot)
    share = {name: f"{100 * value:.1f} %" for name, value in known.items()}
    return (
        f"The intervals hold the planted effect in at least {share['covered_at_least']} of the "
        "cities, whichever way places were chosen; of actions that do nothing at most "
        f"{share['wrong_help_at_most']} seem to help, by before and after alone up to "
        f"{share['naive_wrong_help']}. Of places with three times the usual rate that lie together "
        f"{share['hot_spots_found']} are found, and {share['false_hot_spots']} of the others."
    )


def covering(table: pd.DataFrame) -> pd.DataFrame:
    """Return the coverage of what is used, and of before and after alone, by action."""
    naive = table["method"].eq(effect.NAIVE)
    way = naive.map({True: "before and after", False: "corrected"})
    return table.assign(way=way)[["action", "way", "covered"]]


def describe(table: pd.DataFrame) -> str:
    """Say how low the coverage of each way gets; `table` as from `covering`."""
    least = table.groupby("way")["covered"].min()
    parts = [f"{way} {value:.2f}" for way, value in least.items()]
    return f"Lowest share of intervals that hold the planted effect: {', '.join(parts)}."
