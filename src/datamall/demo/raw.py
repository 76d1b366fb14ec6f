"""The raw files, as departments deliver them: Dutch headers, windows-1252, and mistakes.

Every mistake is planted on purpose and counted. A faulty row of the inspections is a real row that
was spoilt, so what it said is lost; faulty places and areas are rows about places that nobody
inspects (cleared containers that stayed in the register), so that no inspection loses its place.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from datamall.demo.draws import sample, stream
from datamall.demo.enforcement import City
from datamall.demo.mistakes import (
    DUPLICATES,
    Fault,
    count_faults,
    misprint,
    often,
    one_more,
    spoil,
)

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
REGISTER = 2469  # places in the full city, for which the numbers of `PLACE_FAULTS` hold


class Delivery(NamedTuple):
    """A raw file: its name, its lines as text under their headers, and the mistakes in it.

    `faults` has one row per kind of mistake: fault, rows (that carry it; of exact duplicates the
    copies, of contradictions both rows). `trailer` is a last line of another form, if any.
    """

    name: str
    table: pd.DataFrame
    faults: pd.DataFrame
    trailer: str = ""


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
    Fault("impossible date", 8, (("Datum", "31-02-2025"), ("Datum", "00-00-0000"))),
    Fault("date in another form", 8, (("Datum", "2025/03/31"),)),
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
                *("Clusternummer", "Datum", "Waarnemer"),
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


def delivery(name: str, table: pd.DataFrame) -> Delivery:
    """Return the file of lines that have the name of their ``fault``, or ""."""
    return Delivery(name, table.drop(columns="fault"), count_faults(table["fault"]))


def deliver(city: City) -> Iterator[Delivery]:
    """Yield the raw files on neighbourhoods, places and inspections, with mistakes."""
    yield _areas(city)
    yield _places(city)
    yield from _inspections(city)


def write(folder: Path, delivery: Delivery) -> None:
    """Write a file, GeoJSON or lines, by its name; aside first, so that none is half."""
    text = (_features if delivery.name.endswith(".geojson") else _lines)(delivery)
    path = folder / delivery.name
    aside = folder / f"{delivery.name}.part"
    aside.write_bytes(text)
    aside.replace(path)


def _lines(delivery: Delivery) -> bytes:
    """Return lines with semicolons, CRLF and windows-1252."""
    table = delivery.table
    lines = [list(table.columns), *table.to_numpy(dtype=object).tolist()]
    text = "".join(";".join(line) + "\r\n" for line in lines)
    if delivery.trailer:
        text += delivery.trailer + "\r\n"
    return text.encode("windows-1252")


def _features(delivery: Delivery) -> bytes:
    """Return a collection of features, one a line; the last column is the geometry as text."""
    features = []
    for *values, geometry in delivery.table.itertuples(index=False):
        about = dict(zip(delivery.table.columns, values, strict=False))
        head = json.dumps({"type": "Feature", "properties": about}, ensure_ascii=False)
        features.append(f'{head[:-1]}, "geometry": {geometry}}}')
    return (
        '{"type": "FeatureCollection", "features": [\n' + ",\n".join(features) + "\n]}\n"
    ).encode()


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
    misprint(cleared, [changes for _, changes in faults])
    # The last two are moved: the register has them at the old place and at the new one.
    moved = cleared.tail(2).assign(**{"X-coördinaat": "233100,00"})
    names = [name for name, _ in faults]
    counted = count_faults(["exact duplicate"] * len(kept) + names + ["contradiction"] * 4)
    return Delivery("containers.csv", pd.concat([table, cleared, kept, moved]), counted)


def _inspections(city: City) -> Iterator[Delivery]:
    """Yield the inspections of each quarter: the days in order, each in random order."""
    rng = stream(city.seed, "faults of inspections")
    tallies = city.tallies
    table = pd.DataFrame(
        {
            "Clusternummer": tallies["cluster"],
            "Datum": tallies["period_start"].dt.strftime("%d-%m-%Y"),
            "Waarnemer": tallies["observer_role"].map(ROLE),
            **{dutch: tallies[name].astype(str) for name, dutch in COUNTS.items()},
        }
    )
    drawn = remarks(rng, len(tallies), REMARKS, REMARK_SHARE)
    table["Opmerking"] = np.where(tallies["bulky"] > 0, drawn, "")
    table["fault"] = ""
    if city.world.mess:
        otherwise = {"Aantal schouwen": one_more("Aantal schouwen")}
        table = spoil(rng, city.world.mess, table, INSPECTION_FAULTS, otherwise)
    day = tallies["period_start"].iloc[table.index]
    quarter = day.dt.strftime("schouwen_%Y_k") + day.dt.quarter.astype(str)
    order = np.lexsort((rng.random(len(table)), day))
    for name, part in table.iloc[order].groupby(quarter.to_numpy()[order]):
        yield delivery(f"{name}.csv", part)


def remarks(
    rng: np.random.Generator, number: int, texts: tuple[str, ...], share: float
) -> np.ndarray:
    """Draw a remark for a share of the lines; "" for the others."""
    chosen = np.where(rng.random(number) < share, rng.integers(1, len(texts) + 1, number), 0)
    return np.array(("", *texts), dtype=object)[chosen]


def decimals(values: pd.Series, places: int = 2) -> pd.Series:
    """Write numbers with a decimal comma."""
    return values.map(f"{{:.{places}f}}".format).str.replace(".", ",")
