"""Sheets for the crews of a day, stop by stop: for a telephone and for paper, in Dutch; GPX beside.

They are internal: a sheet says where a truck is at what time. No person is on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gpxpy.gpx
import pandas as pd

from datamall.errors import DatamallError
from datamall.project import put
from datamall.reporting import outlines, pages
from datamall.reporting.canvas import svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = (
    *("truck", "turn", "place", "kind", "x", "y", "arrival", "departure", "volume", "mass"),
    "facts",
)
MOST_FACTS = 3
SEPARATOR = "; "  # between the facts of a stop
DAYS = ("maandag", "dinsdag", "woensdag", "donderdag", "vrijdag", "zaterdag", "zondag")
MONTHS = (
    *("januari", "februari", "maart", "april", "mei", "juni", "juli", "augustus", "september"),
    *("oktober", "november", "december"),
)
KINDS = {
    "bulky": "grofvuil",
    "full": "volle container",
    "broken": "kapotte container",
    "residual": "huisvuil",
    "cardboard": "karton",
    "disposal": "lossen",
    "break": "pauze",
    "depot": "terug op de werf",
}
IN_DUTCH = {
    "district": "wijkgrens",
    "neighbourhood": "buurtgrens",
    "road": "hoofdweg",
    "water": "water",
}
WITHOUT_PLACE = ("break",)


def write(
    folder: Path,
    about: Mapping[str, Any],
    day: date,
    stops: Iterable[Mapping[str, Any]],
    crs: str,
    places: Mapping[str, str] | None = None,
    changed: str = "",
    background: pd.DataFrame | None = None,
) -> list[Path]:
    """Write ``<truck>.html`` and ``<truck>.gpx`` for each truck; other files there go.

    Parameters
    ----------
    folder
        Of this day's sheets.
    about
        The authority: title and synthetic.
    day
        Whose plan it is; it is valid on this day alone.
    stops
        Rows with `COLUMNS`, in order of truck and turn: x and y in m, arrival and departure as a
        clock shows them, volume (m³) and mass (kg) on board afterwards, facts in Dutch; and new,
        where a change put the stop in.
    crs
        Coordinate system of x and y, such as EPSG:28992.
    places
        Place → where it is in words, such as a street crossing, as far as delivered.
    changed
        Time at which the rounds were changed, as a clock shows it; "" for those of the morning.
    background
        What an extract holds as ``shared.outlines``, if anything, for the maps.

    Returns
    -------
    list of Path
        The files, in order of their names.

    Raises
    ------
    DatamallError
        When a column or a value is missing, or a stop has more than three facts.
    """
    rounds = {str(truck): [*own] for truck, own in groupby(stops, key=lambda row: row["truck"])}
    contents: dict[str, bytes] = {}
    for truck, rows in rounds.items():
        name = re.sub(r"[^\w-]", "-", truck)
        own = [_stop(row, places or {}) for row in rows]
        page = _page(about, day, truck, own, bool(places), changed, background)
        contents[f"{name}.html"] = page.encode()
        contents[f"{name}.gpx"] = _gpx(day, truck, own, crs).encode()
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.name not in contents and path.is_file():
            path.unlink()
    for name, content in contents.items():
        put(folder / name, content.decode())
    return sorted(folder / name for name in contents)


def in_words(day: date) -> str:
    """Return a day as Dutch people write it, such as maandag 5 januari 2026."""
    return f"{DAYS[day.weekday()]} {day.day} {MONTHS[day.month - 1]} {day.year}"


def number(value: float, digits: int = 0) -> str:
    """Return a number in Dutch form: a point for thousands and a comma before decimals."""
    text = f"{value:,.{digits}f}"
    return text.translate(str.maketrans(",.", ".,"))


def _stop(row: Mapping[str, Any], places: Mapping[str, str]) -> dict[str, Any]:
    missing = [name for name in COLUMNS if name not in row]
    if missing:
        raise DatamallError(f"A stop of a crew sheet lacks {missing[0]}: make the plan again.")
    facts = [fact for fact in str(row["facts"] or "").split(SEPARATOR) if fact]
    if len(facts) > MOST_FACTS:
        raise DatamallError(
            f"The stop at {row['place']} has {len(facts)} facts, and a driver reads "
            f"{MOST_FACTS} at most."
        )
    return {
        "turn": int(row["turn"]),
        "place": str(row["place"]),
        "where": places.get(str(row["place"]), ""),
        "what": KINDS.get(str(row["kind"]), str(row["kind"])),
        "kind": str(row["kind"]),
        "x": float(row["x"]),
        "y": float(row["y"]),
        "arrival": str(row["arrival"]),
        "departure": str(row["departure"]),
        "load": f"{number(float(row['volume']), 1)} m³, {number(float(row['mass']))} kg",
        "facts": facts,
        "new": bool(row.get("new")),
        "serves": str(row["kind"]) not in ("disposal", "depot", *WITHOUT_PLACE),
    }


def _page(
    about: Mapping[str, Any],
    day: date,
    truck: str,
    stops: Sequence[dict[str, Any]],
    named: bool,
    changed: str,
    background: pd.DataFrame | None,
) -> str:
    there = pd.DataFrame([stop for stop in stops if stop["kind"] not in WITHOUT_PLACE])
    serving = [stop for stop in stops if stop["serves"]]
    alt = f"Kaart van de route van wagen {truck}: {len(serving)} stops in volgorde, noord is boven."
    if outlines.seen(background, outlines.around(there["x"], there["y"])):
        alt += " Lichte lijnen en vlakken zijn grenzen, water en hoofdwegen."
    unique = f"route-{re.sub(r'[^a-zA-Z0-9]', '-', truck)}"
    html = pages.environment().get_template("crew.html.j2").render(
        about=about,
        day=in_words(day),
        truck=truck,
        stops=stops,
        serving=len(serving),
        first=stops[0]["arrival"],
        home=stops[-1]["arrival"],
        named=named,
        changed=changed,
        map=svg(partial(_route, background), there, 4.2, unique, alt),
    )  # fmt: skip
    return pages.tidy(html)


def _route(background: pd.DataFrame | None, axes: Axes, stops: pd.DataFrame) -> None:
    """Draw the stops in their order; north is up, and a metre is as long in both directions."""
    axes.plot(stops["x"], stops["y"], color="#777777", linewidth=1, zorder=1)
    axes.scatter(stops["x"], stops["y"], s=150, color="white", edgecolor="#1b2733", zorder=2)
    for stop in stops.itertuples():
        mark = str(stop.turn) if stop.serves else {"disposal": "L", "depot": "W"}[str(stop.kind)]
        axes.annotate(
            mark, (stop.x, stop.y), ha="center", va="center", fontsize=8, zorder=3
        )  # fmt: skip
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_axis_off()
    axes.apply_aspect()  # the map is larger than the route where that is long and narrow
    (west, east), (south, north) = axes.get_xlim(), axes.get_ylim()
    view = (west, south, east, north)
    if outlines.seen(background, view):
        axes.set(xlim=(west, east), ylim=(south, north))
        axes.set_aspect("equal", adjustable="box")
        outlines.draw(axes, background, view, stops["x"], stops["y"], IN_DUTCH, 8)


def _gpx(day: date, truck: str, stops: Sequence[dict[str, Any]], crs: str) -> str:
    """Return the round as a route of GPX 1.1, in WGS 84."""
    import pyproj

    pyproj.network.set_network_enabled(False)
    to = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    route = gpxpy.gpx.GPXRoute(name=f"Wagen {truck}, {in_words(day)}")
    for stop in stops:
        if stop["kind"] in WITHOUT_PLACE:
            continue
        longitude, latitude = to.transform(stop["x"], stop["y"])
        route.points.append(
            gpxpy.gpx.GPXRoutePoint(
                round(latitude, 6),
                round(longitude, 6),
                name=f"{stop['turn']} {stop['place']}",
                description=f"{stop['arrival']} {stop['what']}",
            )
        )
    file = gpxpy.gpx.GPX()
    file.creator = "datamall"
    file.routes.append(route)
    return str(file.to_xml()) + "\n"
