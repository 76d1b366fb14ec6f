"""The raw files of trucks, disposal sites, rounds under way and results, with counted mistakes.

A faulty line of these small files is about a truck or site that is no longer there, so that no
truck that drives is lost with it.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from datamall.demo.draws import stream
from datamall.demo.enforcement import City
from datamall.demo.fleet import KINDS, fleet
from datamall.demo.mistakes import Fault, count_faults, misprint, spoil
from datamall.demo.raw import Delivery, decimals, delivery

YES = {"yes": "ja", "no": "nee"}
TAKES = dict(zip(KINDS, ("Container", "Grofvuil", "Huisvuil", "Karton"), strict=True))
RESULT = {"done": "gedaan", "nothing there": "niets aangetroffen", "refused": "niet gedaan"}
REASON = {
    "parked car": "auto in de weg",
    "road works": "wegwerk",
    "too much": "te veel",
    "unsafe": "onveilig",
    "other": "anders",
    "": "",
}
Mistakes = Sequence[tuple[str, Mapping[str, str]]]
TRUCK_MISTAKES: Mistakes = (
    ("no capacity", {"Inhoud (m³)": ""}),
    ("impossible capacity", {"Laadvermogen (kg)": "0"}),
    ("unknown answer", {"Grofvuil": "soms"}),
    ("ends before it starts", {"Einde dienst": "05:00"}),
    ("zero coordinates", {"X-coördinaat": "0,00", "Y-coördinaat": "0,00"}),
)
SITE_MISTAKES: Mistakes = (
    ("no time to unload", {"Lostijd (min)": ""}),
    ("closes before it opens", {"Sluit": "05:00"}),
)
WAY_MISTAKES: Mistakes = (
    ("no position", {"X-coördinaat": "", "Y-coördinaat": ""}),
    ("unknown cluster", {"Volgende": "GR99901"}),
    ("impossible load", {"Lading (kg)": "-100"}),
)
RESULT_FAULTS = (
    Fault("unknown cluster", 400, (("Clusternummer", "GR99901"),)),
    Fault("unknown result", 400, (("Resultaat", "?"),)),
    Fault("refused without a reason", 400, (("Reden", ""),), lambda t: t["Reden"] != ""),
    Fault("impossible time", 400, (("Tijd", "25:10"),)),
)


def fleet_files(city: City) -> Iterator[Delivery]:
    """Yield the files on trucks, disposal sites, rounds under way and results of stops."""
    own = fleet(city.seed, city.world, city.places)
    trucks, sites, way, results = own
    table = {
        "Wagen": trucks["truck"],
        **_spot(trucks),
        "Inhoud (m³)": decimals(trucks["volume"], 1),
        "Laadvermogen (kg)": trucks["mass"].astype(str),
        **{dutch: trucks[f"takes_{kind}"].map(YES) for kind, dutch in TAKES.items()},
        "Begin dienst": _clock(trucks["shift_start"]),
        "Einde dienst": _clock(trucks["shift_end"]),
        "Pauze (min)": trucks["break_minutes"].astype(str),
        "Pauze vanaf": _clock(trucks["break_from"]),
        "Pauze tot": _clock(trucks["break_to"]),
        "Bemanning": trucks["crew"].astype(str),
    }
    yield _with_old(city, "wagens.csv", table, "Wagen", TRUCK_MISTAKES)
    table = {
        "Locatie": sites["site"],
        **_spot(sites),
        "Open": _clock(sites["opens"]),
        "Sluit": _clock(sites["closes"]),
        "Lostijd (min)": sites["unload_minutes"].astype(str),
    }
    yield _with_old(city, "stortplaatsen.csv", table, "Locatie", SITE_MISTAKES)
    table = {
        "Datum": way["day"].dt.strftime("%d-%m-%Y"),
        "Tijd": _clock(way["minute"]),
        "Wagen": way["truck"],
        **_spot(way),
        "Lading (m³)": decimals(way["volume"], 1),
        "Lading (kg)": way["mass"].astype(str),
        "Gedaan": way["stops_done"].astype(str),
        "Volgende": way["next_place"].fillna(""),
        "Pauze gehad": way["break_taken"].map(YES),
    }
    yield _with_old(city, "onderweg.csv", table, "Wagen", WAY_MISTAKES)
    text = pd.DataFrame(
        {
            "Datum": results["day"].dt.strftime("%d-%m-%Y"),
            "Tijd": _clock(results["minute"]),
            "Wagen": results["truck"],
            "Clusternummer": results["cluster"],
            "Resultaat": results["result"].map(RESULT),
            "Reden": results["reason"].map(REASON),
            "fault": "",
        },
        dtype=object,
    )
    if city.world.mess:
        rng = stream(city.seed, "faults of results")
        otherwise = {"Resultaat": _another}
        text = spoil(rng, city.world.mess, text, RESULT_FAULTS, otherwise)
    yield delivery("terugmeldingen.csv", text.sort_index(kind="stable"))


def _another(table: pd.DataFrame) -> pd.Series:
    """Return other results than these lines have."""
    return pd.Series(
        np.where(table["Resultaat"] == "gedaan", "niets aangetroffen", "gedaan"), table.index
    )


def _with_old(
    city: City, name: str, columns: Mapping[str, pd.Series], number: str, mistakes: Mistakes
) -> Delivery:
    """Return a file, and after its lines one of something old for each mistake, and one twice."""
    table = pd.DataFrame(columns, dtype=object)
    if not city.world.mess:
        return Delivery(name, table, count_faults([]))
    old = table.iloc[np.zeros(len(mistakes), dtype=int)].reset_index(drop=True)
    old[number] = [f"X{row:02d}" for row in range(1, len(mistakes) + 1)]
    misprint(old, [changes for _, changes in mistakes])
    names = ["exact duplicate", *(fault for fault, _ in mistakes)]
    return Delivery(name, pd.concat([table, table.head(1), old]), count_faults(names))


def _spot(table: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the columns of a position."""
    return {"X-coördinaat": decimals(table["x"]), "Y-coördinaat": decimals(table["y"])}


def _clock(minutes: pd.Series) -> pd.Series:
    """Return minutes of the day as a clock shows them."""
    return minutes.map(lambda minute: f"{minute // 60:02d}:{minute % 60:02d}")
