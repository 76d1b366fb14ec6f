"""The raw files, as departments deliver them: Dutch headers, windows-1252, and mistakes.

Every mistake is planted on purpose and counted. A faulty row of the inspections is a real row that
was spoilt, so what it said is lost; faulty places and areas are rows about places that nobody
inspects (cleared containers that stayed in the register), so that no inspection loses its place.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from datamall.demo.draws import sample, stream
from datamall.demo.enforcement import City

ROLE = {"cleaning crew": "Reinigingsploeg", "enforcement officer": "Handhaver"}
KIND = {"container": "ondergrondse container", "dump spot": "dumpplek"}
FRACTION = {"residual": "restafval"}
COUNTS = {
    "inspections": "Aantal schouwen",
    "with_waste": "Met bijplaatsing",
    "bulky": "Grofvuil",
    "residual": "Huisvuil",
    "cardboard": "Karton",
    "full": "Container vol",
    "broken": "Container defect",
}
# What inspectors type. The third needs its quotes: the separator is part of the remark.
REMARKS = ("koelkast", "vóór 9 uur opgeruimd", '"matras; bank"', "café-afval", "zie foto")
REMARK_SHARE = 0.05  # of the rows with bulky waste
DUPLICATES = 0.003  # share of the rows that a batch sent twice delivers again
REGISTER = 2469  # places in the full city, for which the numbers of `PLACE_FAULTS` hold
CONTRADICTIONS = 12  # pairs per 100,000 rows: a correction that did not replace the first entry


class Delivery(NamedTuple):
    """A raw file: its name, its lines as text under their headers, and the mistakes in it.

    `faults` has one row per kind of mistake: fault, rows (that carry it; of exact duplicates the
    copies, of contradictions both rows). `trailer` is a last line of another form, if any.
    """

    name: str
    table: pd.DataFrame
    faults: pd.DataFrame
    trailer: str = ""


class Fault(NamedTuple):
    """A mistake: its name, rows per 100,000, and what may be typed into which column.

    The name of another column means that what stands there is typed.
    """

    name: str
    frequency: float
    cases: tuple[tuple[str, str], ...]


INSPECTION_FAULTS = (
    Fault(
        "negative count",
        15,
        (("Met bijplaatsing", "-1"), ("Grofvuil", "-1"), ("Aantal schouwen", "-2")),
    ),
    Fault("more with waste than inspections", 40, (("Met bijplaatsing", "99"),)),
    Fault("more of a cause than inspections", 10, (("Grofvuil", "99"), ("Container vol", "99"))),
    Fault("no inspection at all", 10, (("Aantal schouwen", "0"),)),
    Fault("unknown cluster", 30, (("Clusternummer", "GR99901"), ("Clusternummer", "GR99902"))),
    Fault("unknown role", 25, (("Waarnemer", "Stagiair"), ("Waarnemer", "Handhaver?"))),
    Fault("impossible date", 8, (("Week vanaf", "31-02-2025"), ("Week vanaf", "00-00-0000"))),
    Fault("date in another form", 8, (("Week vanaf", "2025/03/31"),)),
    Fault(
        "text in a number",
        12,
        (("Aantal schouwen", "twee"), ("Met bijplaatsing", "n.v.t."), ("Karton", "één")),
    ),
    Fault("fraction in a count", 6, (("Huisvuil", "0,5"),)),
    Fault(
        "missing required field",
        25,
        tuple(
            (column, "")
            for column in (
                *("Clusternummer", "Week vanaf", "Waarnemer"),
                *("Aantal schouwen", "Met bijplaatsing"),
            )
        ),
    ),
    # The remark has the separator in it and no quotes around it.
    Fault("too many fields", 4, (("Opmerking", "bank; matras"),)),
)
# Name, rows in the full city, and what stands in which column; the name of another column means
# that its value stands there.
PLACE_FAULTS: tuple[tuple[str, int, dict[str, str]], ...] = (
    ("swapped coordinates", 4, {"X-coördinaat": "Y-coördinaat", "Y-coördinaat": "X-coördinaat"}),
    ("zero coordinates", 5, {"X-coördinaat": "0,00", "Y-coördinaat": "0,00"}),
    ("missing coordinates", 2, {"X-coördinaat": "", "Y-coördinaat": ""}),
    ("unknown neighbourhood", 3, {"Buurtcode": "B9999"}),
    ("unknown kind of place", 2, {"Soort plek": "perscontainer?"}),
    ("negative count", 2, {"Huishoudens": "-30"}),
)


def deliver(city: City) -> Iterator[Delivery]:
    """Yield the raw files on neighbourhoods, places and inspections, with mistakes."""
    yield _areas(city)
    yield _places(city)
    yield from _inspections(city)


def write(folder: Path, delivery: Delivery) -> None:
    """Write lines with semicolons, CRLF and windows-1252; aside first, so that none is half."""
    table = delivery.table
    lines = [list(table.columns), *table.to_numpy(dtype=object).tolist()]
    text = "".join(";".join(line) + "\r\n" for line in lines)
    if delivery.trailer:
        text += delivery.trailer + "\r\n"
    path = folder / delivery.name
    aside = folder / f"{delivery.name}.part"
    aside.write_bytes(text.encode("windows-1252"))
    aside.replace(path)


def _areas(city: City) -> Delivery:
    """Return the register of neighbourhoods, with a line repeated and a line of totals."""
    areas = city.neighbourhoods
    table = pd.DataFrame(
        {
            "Buurtcode": areas["neighbourhood"],
            "Buurtnaam": areas["name"],
            "Wijknaam": areas["district"],
            "Huishoudens": areas["households"].astype(str),
        }
    )
    if not city.world.mess:
        return Delivery("buurten.csv", table, count_faults([]))
    total = pd.DataFrame([["", "Totaal gemeente", "", str(areas["households"].sum())]])
    total.columns = table.columns
    table = pd.concat([table, table.iloc[[len(table) // 2]], total])
    return Delivery(
        "buurten.csv", table, count_faults(["exact duplicate", "missing required field"])
    )


def _places(city: City) -> Delivery:
    """Return the register of containers and dump spots."""
    rng = stream(city.seed, "faults of places")
    places = city.places
    dump = places["kind"] == "dump spot"
    table = pd.DataFrame(
        {
            "Clusternummer": places["cluster"],
            "Soort plek": places["kind"].map(KIND),
            "Fractie": places["fraction"].map(FRACTION).fillna(""),
            "X-coördinaat": decimals(places["x"]),
            "Y-coördinaat": decimals(places["y"]),
            "Huishoudens": places["households"].astype(str).mask(dump, ""),
            "Buurtcode": places["neighbourhood"],
        }
    )
    if not city.world.mess:
        return Delivery("containers.csv", table, count_faults([]))
    kept = table.iloc[sample(rng, len(table), often(city.world.mess, DUPLICATES * len(table)))]
    faults = [
        (name, changes)
        for name, usual, changes in PLACE_FAULTS
        for _ in range(often(city.world.mess, usual * len(table) / REGISTER))
    ]
    # Cleared containers: numbers no longer in use, otherwise like a container that still stands.
    cleared = table[~dump].iloc[: len(faults) + 2].reset_index(drop=True)
    cleared["Clusternummer"] = [f"GR8{index:04d}" for index in range(len(cleared))]
    for row, (_, changes) in enumerate(faults):
        proper = cleared.loc[row].to_dict()
        cleared.loc[row, list(changes)] = [proper.get(value, value) for value in changes.values()]
    # The last two are moved: the register has them at the old place and at the new one.
    moved = cleared.tail(2).assign(**{"X-coördinaat": "233100,00"})
    names = [name for name, _ in faults]
    counted = count_faults(["exact duplicate"] * len(kept) + names + ["contradiction"] * 4)
    return Delivery("containers.csv", pd.concat([table, cleared, kept, moved]), counted)


def _inspections(city: City) -> Iterator[Delivery]:
    """Yield the inspections of each quarter: the weeks in order, each in random order."""
    rng = stream(city.seed, "faults of inspections")
    tallies = city.tallies
    number = len(tallies)
    table = pd.DataFrame(
        {
            "Clusternummer": tallies["cluster"],
            "Week vanaf": tallies["period_start"].dt.strftime("%d-%m-%Y"),
            "Waarnemer": tallies["observer_role"].map(ROLE),
            **{dutch: tallies[name].astype(str) for name, dutch in COUNTS.items()},
        }
    )
    remarked = (rng.random(number) < REMARK_SHARE) & (tallies["bulky"] > 0)
    chosen = np.where(remarked, rng.integers(1, len(REMARKS) + 1, number), 0)
    table["Opmerking"] = np.array(("", *REMARKS), dtype=object)[chosen]
    table["fault"] = ""
    if city.world.mess:
        table = spoil(rng, city.world.mess, table, INSPECTION_FAULTS, "Aantal schouwen", one_more)
    monday = tallies["period_start"].iloc[table.index]
    quarter = monday.dt.strftime("schouwen_%Y_k") + monday.dt.quarter.astype(str)
    order = np.lexsort((rng.random(len(table)), monday))
    for name, part in table.iloc[order].groupby(quarter.to_numpy()[order]):
        found = count_faults(part["fault"][part["fault"] != ""])
        yield Delivery(f"{name}.csv", part.drop(columns="fault"), found)


def spoil(
    rng: np.random.Generator,
    mess: float,
    table: pd.DataFrame,
    faults: Iterable[Fault],
    corrected: str,
    otherwise: Callable[[pd.Series], pd.Series],
) -> pd.DataFrame:
    """Spoil rows, each by one mistake; then repeat some sound ones and contradict others.

    Parameters
    ----------
    rng
        The stream of this file's mistakes.
    mess
        `World.mess`, above 0.
    table
        Lines as text, numbered from 0, and ``fault``, empty; changed in place.
    faults
        Mistakes other than repetitions and contradictions.
    corrected
        Column in which a second line contradicts the first.
    otherwise
        Makes what that line says in it from what the first one says.

    Returns
    -------
    DataFrame
        The lines with the name of their ``fault``, and after them copies and second lines, each
        under the index of the line it goes with.
    """
    number = len(table)
    sound = sample(rng, number, number)  # taken from the front, so that no row is chosen twice
    for fault in faults:
        rows, sound = np.split(sound, [often(mess, fault.frequency * number / 1e5)])
        for turn, (column, value) in enumerate(fault.cases):
            chosen = rows[turn :: len(fault.cases)]
            table.loc[chosen, column] = table.loc[chosen, value] if value in table else value
        table.loc[rows, "fault"] = fault.name
    twice = often(mess, DUPLICATES * number)
    pairs = often(mess, CONTRADICTIONS * number / 1e5)
    copies = table.iloc[sound[:twice]].assign(fault="exact duplicate")
    table.loc[sound[twice : twice + pairs], "fault"] = "contradiction"
    second = table.iloc[sound[twice : twice + pairs]]
    return pd.concat([table, copies, second.assign(**{corrected: otherwise(second[corrected])})])


def one_more(column: pd.Series) -> pd.Series:
    """Return whole numbers, as text, that are one higher."""
    return (column.astype(int) + 1).astype(str)


def often(mess: float, usual: float) -> int:
    """Return how often a mistake is made: at least once, so that small cities have them all."""
    return max(1, round(mess * usual))


def count_faults(names: Iterable[str]) -> pd.DataFrame:
    """Return fault and rows of a list of mistakes."""
    counted = Counter(names)
    return pd.DataFrame({"fault": list(counted), "rows": list(counted.values())})


def decimals(values: pd.Series, places: int = 2) -> pd.Series:
    """Write numbers with a decimal comma."""
    return values.map(f"{{:.{places}f}}".format).str.replace(".", ",")
