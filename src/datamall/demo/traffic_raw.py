"""The raw files of calendar and traffic: one line per detector and day, with 96 columns.

Every mistake is planted on purpose and counted, as in `datamall.demo.raw`. A faulty line of the
counts is a real line that was spoilt; faulty junctions are cleared ones, whose counts ended
before the year began, so that no count loses its junction.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from datamall.demo.demand import QUARTERS, Traffic
from datamall.demo.detectors import Counted
from datamall.demo.draws import stream
from datamall.demo.mistakes import Fault, count_faults, misprint, spoil
from datamall.demo.raw import Delivery, decimals, remarks
from datamall.demo.world import World

APPROACH = {"north": "N", "east": "O", "south": "Z", "west": "W"}
MOVEMENT = {"L": "LA", "S": "RD", "LR": "LA+RA", "SR": "RD+RA", "LSR": "LA+RD+RA", "-": "-"}
MODE = {"car": "auto", "bike": "fiets", "bus": "bus", "pedestrian": "voetganger"}
TIMES = [f"{quarter // 4:02d}:{quarter % 4 * 15:02d}" for quarter in range(QUARTERS)]
# What the detector desk types beside a line. The second needs its quotes.
REMARKS = ("lus vernieuwd, geïjkt", '"omleiding; zie bericht"', "batterij vervangen")
REMARK_SHARE = 0.004
# Name, lines per 100,000, and what may be typed into which column; CELL is any quarter of the day.
CELL = "a quarter"
FAULTS = (
    Fault("text in a number", 30, ((CELL, "storing"), (CELL, "n.b."), (CELL, "één"))),
    Fault("negative count", 12, ((CELL, "-1"),)),
    Fault("fraction in a count", 6, ((CELL, "12,5"),)),
    Fault("impossible date", 6, (("Datum", "31-02-2025"), ("Datum", "00-00-0000"))),
    Fault("date in another form", 6, (("Datum", "2025/03/31"),)),
    Fault("unknown mode", 8, (("Soort", "onbekend"), ("Soort", "auto?"))),
    Fault("unknown movement", 6, (("Richting", "RD?"), ("Richting", "keren"))),
    Fault("missing required field", 12, (("Kruispunt", ""), ("Detector", ""), ("Datum", ""))),
    # The remark has the separator in it and no quotes around it.
    Fault("too many fields", 6, (("Opmerking", "lus; kabel"),)),
)
TYPED = sorted({column for fault in FAULTS for column, _ in fault.cases} - {"Opmerking"})
ONE_MORE = "+"  # in a quarter: one more than was counted
KIND = {
    "bike phase": "fietsfase",
    "signal plan": "verkeersregeling",
    "ban": "verbod",
    "dosing": "doseren",
    "roadworks": "wegwerkzaamheden",
}
DECIDED = {True: "wethouder", False: "verkeersregelkundige"}  # a ban is the alderman's
WANTED = {"more": "meer", "fewer": "minder"}
# Name, and what stands in which column of a measure that was never taken.
MEASURE_FAULTS = (
    ("unknown kind", {"Soort maatregel": "zie besluit"}),
    ("impossible date", {"Vanaf": "31-06-2025"}),
    ("ends before it begins", {"Tot en met": "01-01-2019"}),
    ("missing required field", {"Kruispunt": ""}),
)
# Name, rows, and what stands in which column of a cleared junction.
BAYS = (60, 20, 5)  # metres of the shortest, step, and how many lengths there are
JUNCTION_FAULTS = (
    ("green longer than the cycle", {"Groentijd (s)": "95,0", "Cyclustijd (s)": "90,0"}),
    ("unlikely saturation flow", {"Afrijcapaciteit (pae/u)": "180"}),
    ("missing required field", {"Rijstrookgroep": ""}),
    ("swapped coordinates", {"X-coördinaat": "581500,00", "Y-coördinaat": "233100,00"}),
)


def calendar_file(days: pd.DataFrame) -> Delivery:
    """Return the calendar as the programme bureau delivers it; without mistakes."""
    answer = {True: "ja", False: "nee"}
    table = pd.DataFrame(
        {
            "Datum": days["day"].dt.strftime("%d-%m-%Y"),
            "Feestdag": days["holiday"],
            "Schoolvakantie (Noord)": days["school_holiday"].map(answer),
            "Studentenverhuizingen": days["student_moves"].map(answer),
            "Evenement": days["event"],
        }
    )
    return Delivery("kalender.csv", table, count_faults([]))


def junction_file(world: World, year: Traffic) -> Delivery:
    """Return the register of junctions and signal plans, with the gaps that were planted."""
    groups = year.junctions.groups.merge(year.junctions.sites, on="site", validate="m:1")
    unknown = (groups["plan"] == "no conflict data").to_numpy()
    first = groups.groupby("site")["approach"].transform("first")
    unmeasured = (
        (groups["plan"] == "no saturation flow") & (groups["approach"] == first)
    ).to_numpy()
    # Bays for turning left have a length; other lanes begin at the junction before.
    bay = (BAYS[0] + BAYS[1] * (groups["site"].str[1:].astype(int) % BAYS[2])).astype(str)
    table = pd.DataFrame(
        {
            "Kruispunt": groups["site"],
            "Naam": groups["name"],
            "Tak": groups["approach"].map(APPROACH),
            "Rijstrookgroep": groups["lane_group"].map(MOVEMENT),
            "Rijstroken": groups["lanes"].astype(str),
            "Opstellengte (m)": bay.where(groups["lane_group"] == "L", ""),
            "Afrijcapaciteit (pae/u)": groups["saturation_flow"].astype(str).mask(unmeasured, ""),
            "Fase": groups["phase"].mask(unknown, ""),
            "Groentijd (s)": decimals(groups["green"], 1),
            "Cyclustijd (s)": decimals(groups["cycle"], 1),
            "Verliestijd (s)": decimals(groups["lost_time"], 1).mask(unknown, ""),
            "Minimum groen (s)": decimals(groups["minimum_green"], 1),
            "Voetgangers (s)": decimals(groups["pedestrian_time"].fillna(0), 1).mask(
                groups["pedestrian_time"].isna(), ""
            ),
            "X-coördinaat": decimals(groups["x"], 2),
            "Y-coördinaat": decimals(groups["y"], 2),
        }
    )
    if not world.mess:
        return Delivery("kruispunten.csv", table, count_faults([]))
    cleared = table[~unknown & ~unmeasured].head(len(JUNCTION_FAULTS)).reset_index(drop=True)
    cleared["Kruispunt"] = [f"K9{index}" for index in range(len(cleared))]
    planted = JUNCTION_FAULTS[: len(cleared)]
    misprint(cleared, [changes for _, changes in planted])
    table = pd.concat([table, table.iloc[[len(table) // 2]], cleared])
    names = ["exact duplicate", *(name for name, _ in planted)]
    return Delivery("kruispunten.csv", table, count_faults(names))


def measure_file(world: World, year: Traffic) -> Delivery:
    """Return the register of measures."""
    own = year.measures
    last = own["last_day"].dt.strftime("%d-%m-%Y")
    table = pd.DataFrame(
        {
            "Maatregel": own["measure"],
            "Kruispunt": own["site"],
            "Tak": own["approach"].map(APPROACH | {"all": "alle"}),
            "Soort maatregel": own["kind"].map(KIND),
            "Doelgroep": own["aimed_at"].map(MODE),
            "Doel": own["aim"].map(WANTED),
            "Vanaf": own["first_day"].dt.strftime("%d-%m-%Y"),
            "Tot en met": last.astype(object).where(last.notna(), ""),
            "Besloten door": own["kind"].eq("ban").map(DECIDED),
            "Toelichting": "",
        },
        dtype=object,
    )
    if not world.mess or table.empty:
        return Delivery("verkeersmaatregelen.csv", table, count_faults([]))
    never = table.iloc[[0] * len(MEASURE_FAULTS)].reset_index(drop=True)
    never["Maatregel"] = [f"VM9{number:02}" for number in range(len(never))]
    misprint(never, [changes for _, changes in MEASURE_FAULTS])
    table = pd.concat([table, table.iloc[[0]], never])
    names = ["exact duplicate", *(name for name, _ in MEASURE_FAULTS)]
    return Delivery("verkeersmaatregelen.csv", table, count_faults(names))


def count_files(seed: int, world: World, year: Traffic, counts: Counted) -> Iterator[Delivery]:
    """Yield the counts of each month, by day and detector."""
    rng = stream(seed, "faults of counts")
    day, row = np.nonzero(counts.sent.T)
    # What is typed instead of what was counted is kept aside: all lines as text would be large.
    lines = pd.DataFrame({"day": day, "row": row, "fault": "", **dict.fromkeys(TYPED)})
    lines["Opmerking"] = remarks(rng, len(lines), REMARKS, REMARK_SHARE)
    if world.mess:
        lines = spoil(rng, world.mess, lines, FAULTS, {CELL: ONE_MORE})
        # Sent again at the end of the same day's lines.
        lines = lines.sort_values("day", kind="stable", ignore_index=True)
    month = year.days["day"].dt.strftime("%Y_%m").to_numpy()[lines["day"]]
    for name in np.unique(month):
        part = lines[month == name]
        table = _text(year, counts, part)
        trailer = f"*** einde export: {len(part)} regels ***" if world.mess else ""
        faults = count_faults([*part["fault"], "line of another form" if trailer else ""])
        yield Delivery(f"tellingen_{name}.csv", table, faults, trailer)


def _text(year: Traffic, counts: Counted, lines: pd.DataFrame) -> pd.DataFrame:
    """Write lines as text."""
    detectors = year.junctions.detectors
    day, row = lines["day"].to_numpy(), lines["row"].to_numpy()
    cells = counts.cells[row, day]
    again = (lines[CELL] == ONE_MORE).to_numpy()
    # At noon something was counted, or at least could be.
    cells[again, QUARTERS // 2] = np.maximum(cells[again, QUARTERS // 2], 0) + 1
    # The last text stands for BLANK, which is -1.
    texts = np.array([*map(str, range(int(cells.max(initial=0)) + 1)), ""], dtype=object)
    keys = pd.DataFrame(
        {
            "Kruispunt": detectors["site"],
            "Detector": detectors["detector"],
            "Tak": detectors["approach"].map(APPROACH),
            "Richting": detectors["movement"].map(MOVEMENT),
            "Soort": detectors["mode"].map(MODE),
        },
        dtype=object,
    ).to_numpy()[row]
    dates = year.days["day"].dt.strftime("%d-%m-%Y").to_numpy(dtype=object)[day]
    body = np.column_stack([keys, dates, texts[cells], lines["Opmerking"].to_numpy(dtype=object)])
    names = ["Kruispunt", "Detector", "Tak", "Richting", "Soort", "Datum", *TIMES, "Opmerking"]
    for column in TYPED:
        for place in np.flatnonzero(lines[column].notna() & (lines[column] != ONE_MORE)):
            # A quarter by day that follows from the line itself, so that no draw is needed.
            quarter = TIMES[28 + (7 * int(day[place]) + int(row[place])) % 48]
            written = quarter if column == CELL else column
            body[place, names.index(written)] = lines[column].iloc[place]
    return pd.DataFrame(body, columns=names, dtype=object)
