"""What cannot be planned, each with a sentence that says what would make it possible."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from datamall.errors import DatamallError

CANDIDATES = (
    *("place", "kind", "x", "y", "value", "demand", "volume", "mass", "service"),
    *("opens", "closes", "reason"),
)
DEMANDS = ("must", "may", "don't")
TRUCKS = (
    *("truck", "x", "y", "volume", "mass", "shift_start", "shift_end"),
    *("break_minutes", "break_from", "break_to"),
)
SITES = ("site", "x", "y", "opens", "closes", "unload_minutes")
UNDER_WAY = ("truck", "minute", "x", "y", "volume", "mass", "next_place", "break_taken")
LEFT_OUT = ("place", "kind", "demand", "value", "reason")


def clock(seconds: float) -> str:
    """Return a time of the day as a clock shows it, from seconds since midnight."""
    minutes = int(seconds) // 60
    return f"{minutes // 60}:{minutes % 60:02d}"


def minutes(seconds: float) -> str:
    """Return a span as whole minutes in words, at least one."""
    number = max(1, -(-int(seconds) // 60))
    return f"{number:,} minute{'s' if number > 1 else ''}"


def listed(names: Sequence[str]) -> str:
    """Return names as a sentence lists them."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def complete(table: pd.DataFrame, columns: Iterable[str], what: str) -> None:
    """Refuse a table without one of its columns.

    Raises
    ------
    DatamallError
        When a column is absent.
    """
    absent = [name for name in columns if name not in table]
    if absent:
        raise DatamallError(f"{what} have no {listed(absent)}: deliver it, or fill it in.")


def left_out(table: pd.DataFrame, reasons: pd.Series | str) -> pd.DataFrame:
    """Return candidates that are not served, with the reason of each."""
    return table.assign(reason=reasons)[list(LEFT_OUT)]


def fit(candidates: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the candidates that a plan can be made of, and the others with their reasons.

    Parameters
    ----------
    candidates
        The columns of `CANDIDATES`: kind as in ``takes_<kind>`` of the trucks; x, y in m; value
        in dirty days that serving it is expected to prevent; demand, one of `DEMANDS`; volume in
        m³, mass in kg; service in seconds, parking included; opens and closes in minutes of the
        day, missing where the place is always open; reason, in words.

    Returns
    -------
    tuple of DataFrame
        Candidates in order of place and kind, with the places whose records they stand for
        (`records`, a set), and `LEFT_OUT` of the others.

    Raises
    ------
    DatamallError
        When a column is absent, a demand unknown, or a number missing or below nought.

    Notes
    -----
    Records of one kind at one place, or at the same coordinates to the metre, are one pile. One
    that says "don't" stands for all of them, else a must, else the one of the highest value; it
    takes the room and the time of the largest.
    """
    complete(candidates, CANDIDATES, "The candidates")
    table = candidates.astype({"place": str, "kind": str, "demand": str})
    strange = sorted(set(table["demand"]) - set(DEMANDS))
    if strange:
        raise DatamallError(f"A candidate's demand is {strange[0]!r}: use {listed(DEMANDS)}.")
    numbers = ["value", "volume", "mass", "service"]
    wrong = ~(table[numbers].astype(float) >= 0) | ~np.isfinite(table[numbers].astype(float))
    if wrong.to_numpy().any():
        row, column = np.argwhere(wrong.to_numpy())[0]
        raise DatamallError(
            f"The {numbers[column]} of {table['place'].iloc[row]} is "
            f"{table[numbers[column]].iloc[row]}: give a number from 0."
        )
    rank = table["demand"].map({"don't": 0, "must": 1, "may": 2})
    table = table.assign(rank=rank, less=-table["value"].astype(float))
    table = table.sort_values(["rank", "less", "place", "kind"], ignore_index=True)
    reason = pd.Series("", table.index, dtype=object)
    stands: dict[tuple[object, ...], int] = {}
    records: list[set[str]] = [{place} for place in table["place"]]
    for row, (place, kind, x, y) in enumerate(
        zip(table["place"], table["kind"], *(table[c].astype(float) for c in "xy"), strict=True)
    ):
        spots: list[tuple[object, ...]] = [(place, kind)]
        if np.isfinite(x) and np.isfinite(y):
            spots.append((round(x), round(y), kind))
        own = next((stands[spot] for spot in spots if spot in stands), row)
        if own != row:
            reason[row] = f"two records of one pile: it is served, or not, as {table['place'][own]}"
            records[own].add(place)
            for name in ("volume", "mass", "service"):
                table.loc[own, name] = max(table[name][own], table[name][row])
        elif len(spots) == 1:
            reason[row] = "it has no coordinates: deliver x and y, and it can be planned"
        elif table["demand"][row] == "don't":
            reason[row] = f"not to be served: {table['reason'][row]}"
        stands |= dict.fromkeys(spots, own)
    out = reason != ""
    table["records"] = records
    kept = table[~out].sort_values(["place", "kind"], ignore_index=True)
    return kept.drop(columns=["rank", "less"]), left_out(table[out], reason[out])
