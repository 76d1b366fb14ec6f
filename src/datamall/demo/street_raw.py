"""The raw file of the trucks' rounds, as the planning desk exports it, with counted mistakes."""

import numpy as np
import pandas as pd

from datamall.demo.draws import stream
from datamall.demo.enforcement import City
from datamall.demo.raw import Delivery, Fault, count_faults, spoil
from datamall.demo.rounds import rounds

DAY = {1: "ma", 2: "di", 3: "wo", 4: "do", 5: "vr", 6: "za"}
# What planners note at a stop. The second needs its quotes.
STOP_REMARKS = ("één kant bereikbaar", '"paaltje; sleutel mee"', "niet vóór 7 uur")
STOP_REMARK_SHARE = 0.02
# A plan has few lines: enough per 100,000 for some of each.
ROUND_FAULTS = (
    Fault("unknown cluster", 150, (("Clusternummer", "GR99901"), ("Clusternummer", "GR99902"))),
    Fault("unknown day", 100, (("Dag", "feestdag"), ("Dag", "ma/do"))),
    Fault("impossible time", 75, (("Aanvang", "25:10"), ("Aanvang", "24:00"))),
    Fault("time in words", 50, (("Aanvang", "vroeg"),)),
    Fault("no standing time", 75, (("Stilstand (s)", "0"),)),
    Fault("text in a number", 75, (("Stilstand (s)", "ca. 150"), ("Stilstand (s)", "2 min"))),
    Fault(
        "missing required field",
        125,
        tuple((name, "") for name in ("Clusternummer", "Dag", "Wagen", "Aanvang", "Stilstand (s)")),
    ),
    Fault("too many fields", 50, (("Opmerking", "paaltje; sleutel"),)),
)


def round_file(city: City) -> Delivery:
    """Return the plan of the rounds, by truck, day and turn."""
    rng = stream(city.seed, "faults of rounds")
    plan = rounds(city.seed, city.world, city.places)
    clock = [f"{minute // 60:02d}:{minute % 60:02d}" for minute in plan["start"]]
    table = pd.DataFrame(
        {
            "Wagen": plan["truck"],
            "Dag": plan["weekday"].map(DAY),
            "Volgorde": plan["turn"].astype(str),
            "Clusternummer": plan["cluster"],
            "Aanvang": clock,
            "Stilstand (s)": plan["service_seconds"].astype(str),
            "Opmerking": remarks(rng, len(plan), STOP_REMARKS, STOP_REMARK_SHARE),
            "fault": "",
        },
        dtype=object,
    )
    if city.world.mess:
        table = spoil(rng, city.world.mess, table, ROUND_FAULTS, "Stilstand (s)").sort_index()
    found = count_faults(table["fault"][table["fault"] != ""])
    return Delivery("routes.csv", table.drop(columns="fault"), found)


def remarks(
    rng: np.random.Generator, number: int, texts: tuple[str, ...], share: float
) -> np.ndarray:
    """Draw a remark for a share of the lines; "" for the others."""
    chosen = np.where(rng.random(number) < share, rng.integers(1, len(texts) + 1, number), 0)
    return np.array(("", *texts), dtype=object)[chosen]
