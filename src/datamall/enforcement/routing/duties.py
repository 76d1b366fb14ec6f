"""The trucks that can drive today: from where and when, with what on board, until when."""

from typing import Any

import numpy as np
import pandas as pd

from datamall.enforcement.routing.refusals import SITES, TRUCKS, UNDER_WAY, clock, complete
from datamall.errors import DatamallError

REFUSALS = ("subject", "sentence")


def latest(closes: int, pause: int, from_: int) -> int:
    """Return the latest time, on a clock without the break, that is still by `closes` with it.

    A break of `pause` seconds begins at `from_` or later: what is reached before that is not
    delayed, all else by the whole break at most.
    """
    return closes if closes < from_ else max(from_ - 1, closes - pause)


def sites(table: pd.DataFrame | None) -> pd.DataFrame:
    """Return the disposal sites with times in seconds, in order of site.

    Parameters
    ----------
    table
        The columns of `SITES`: x, y in m; opens, closes in minutes of the day, missing where it
        is always open; unload_minutes. None is a city without any.

    Returns
    -------
    DataFrame
        site, x, y, opens, closes (latest arrival to be unloaded by closing time) and unload.
    """
    if table is None:
        table = pd.DataFrame(columns=list(SITES))
    complete(table, SITES, "The disposal sites")
    unload = 60 * table["unload_minutes"].astype(float)
    found = pd.DataFrame(
        {
            "site": table["site"].astype(str),
            "x": table["x"].astype(float),
            "y": table["y"].astype(float),
            "opens": 60 * table["opens"].astype(float).fillna(0),
            "closes": 60 * table["closes"].astype(float).fillna(1440) - unload,
            "unload": unload,
        }
    ).astype({"opens": np.int64, "closes": np.int64, "unload": np.int64})
    sound = found[["x", "y"]].notna().all(axis=1) & (found["closes"] >= found["opens"])
    return found[sound].sort_values("site", ignore_index=True)


def duties(
    trucks: pd.DataFrame, under_way: pd.DataFrame | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the duty of each truck that can drive, and why the others cannot.

    Parameters
    ----------
    trucks
        The columns of `TRUCKS`: x, y of the depot in m; volume in m³, mass in kg; times in
        minutes of the day, and ``takes_<kind>``, "yes" or "no", for each kind of waste.
    under_way
        The columns of `UNDER_WAY`, one row per truck on its way: minute of the day, position,
        load in m³ and kg, the place that it is driving to (missing if none) and whether the break
        was taken; shift_end where this crew stops at another time. None for a morning.

    Returns
    -------
    tuple of DataFrame
        One row per truck, in order of truck: truck, x, y (where it starts), depot_x, depot_y,
        start, end, pause, pause_from, pause_to (s of the day), litres, kilograms (capacity),
        load_litres, load_kilograms, takes (kinds), under_way and committed (place or ""). And
        the refusals: subject and sentence.

    Raises
    ------
    DatamallError
        When a column is absent or a truck comes twice.
    """
    complete(trucks, TRUCKS, "The trucks")
    if trucks["truck"].duplicated().any():
        again = trucks["truck"][trucks["truck"].duplicated()].iloc[0]
        raise DatamallError(f"Truck {again} comes twice: keep one row per truck.")
    states: dict[Any, dict[str, Any]] = {}
    if under_way is not None:
        complete(under_way, UNDER_WAY, "The rounds under way")
        under_way = under_way.astype({"truck": str})
        if under_way["truck"].duplicated().any():
            again = under_way["truck"][under_way["truck"].duplicated()].iloc[0]
            raise DatamallError(
                f"Truck {again} is under way twice: keep its last position of that moment."
            )
        states = under_way.set_index("truck").to_dict("index")
    able, unable = [], []
    for row in trucks.astype({"truck": str}).sort_values("truck").to_dict("records"):
        state = states.pop(row["truck"], None)
        if under_way is not None and state is None:
            continue  # not on the road: a plan is changed for those that are
        duty = _duty(row, state)
        wrong = _impossible(row["truck"], duty)
        if wrong:
            unable.append((row["truck"], wrong))
        else:
            able.append(duty)
    unable += [(name, f"{name} is under way and no truck of the store: add it to the trucks.")
               for name in sorted(states)]  # fmt: skip
    columns = list(_duty(dict.fromkeys(TRUCKS, 0.0), None))
    return (
        pd.DataFrame(able, columns=columns),
        pd.DataFrame(unable, columns=list(REFUSALS)),
    )


def _duty(row: dict[str, Any], state: dict[str, Any] | None) -> dict[str, Any]:
    """Return one truck's duty."""

    def number(value: Any, missing: float = 0.0) -> float:
        return missing if pd.isna(value) else float(value)

    start, end = number(row["shift_start"]), number(row["shift_end"])
    pause, load = number(row["break_minutes"]), (0.0, 0.0)
    x, y, committed = row["x"], row["y"], ""
    if state is not None:
        start = max(start, number(state["minute"]))
        end = number(state.get("shift_end"), end)
        load = (number(state["volume"]), number(state["mass"]))
        x, y = state["x"], state["y"]
        committed = "" if pd.isna(state["next_place"]) else str(state["next_place"])
        pause = 0.0 if state["break_taken"] == "yes" else pause
    pause_from = max(number(row["break_from"]), start)
    litres, kilograms = np.ceil([1000 * load[0], load[1]])
    return {
        "truck": str(row["truck"]),
        "x": number(x, np.nan),
        "y": number(y, np.nan),
        "depot_x": number(row["x"], np.nan),
        "depot_y": number(row["y"], np.nan),
        "start": int(60 * start),
        "end": int(60 * end),
        "pause": int(60 * pause),
        "pause_from": int(60 * pause_from),
        "pause_to": int(60 * max(number(row["break_to"]), pause_from)),
        "litres": int(1000 * number(row["volume"])),
        "kilograms": int(number(row["mass"])),
        "load_litres": int(litres),
        "load_kilograms": int(kilograms),
        "takes": frozenset(
            name.removeprefix("takes_")
            for name, value in row.items()
            if name.startswith("takes_") and value == "yes"
        ),
        "under_way": state is not None,
        "committed": committed,
    }


def _impossible(name: str, duty: dict[str, Any]) -> str:
    """Return why a truck cannot drive, or ""."""
    where = [duty[column] for column in ("x", "y", "depot_x", "depot_y")]
    if not np.isfinite(np.array(where, dtype=float)).all():
        return f"{name} has no position or no depot: deliver x and y, and it can be planned."
    if duty["start"] >= duty["end"]:
        over = (clock(duty["end"]), clock(duty["start"]))
        return (
            f"The shift of {name} ends at {over[0]} and it is {over[1]}: a later shift end would "
            "make a plan possible."
        )
    return ""
