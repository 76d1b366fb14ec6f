"""The raw file of fill levels: UTC, Dutch words, and counted mistakes."""

import numpy as np
import pandas as pd

from datamall.demo.draws import stream
from datamall.demo.enforcement import City
from datamall.demo.fills import fills
from datamall.demo.mistakes import Fault, one_more, spoil
from datamall.demo.raw import Delivery, delivery

LEVEL = "Vulgraad (%)"
SOURCE = {"sensor": "sensor", "crew": "ploeg"}
STATE = {"ok": "ok", "stuck": "vast", "dead": "storing", "": ""}
AHEAD = pd.Timedelta(hours=1)  # of local time before UTC: all readings are of winter
FILL_FAULTS = (
    Fault("above 100", 90, ((LEVEL, "104"), (LEVEL, "255"))),
    Fault("below 0", 20, ((LEVEL, "-1"),)),
    Fault("no level", 60, ((LEVEL, ""),)),
    Fault("unknown cluster", 60, (("Clusternummer", "GR99901"),)),
    Fault("unknown state", 20, (("Status", "low batt"),)),
    Fault("time in another form", 20, (("Tijdstip (UTC)", "31-12-2025 13:05"),)),
)


def fill_file(city: City) -> Delivery:
    """Return the readings of the last weeks, as the platform of the sensors exports them."""
    rng = stream(city.seed, "faults of fill levels")
    table = fills(city.seed, city.world, city.places).readings
    text = pd.DataFrame(
        {
            "Clusternummer": table["cluster"],
            "Tijdstip (UTC)": (table["time"] - AHEAD).dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "Bron": table["source"].map(SOURCE),
            LEVEL: table["level"].astype(str),
            "Status": table["state"].map(STATE),
            "fault": "",
        },
        dtype=object,
    )
    if city.world.mess:
        text = spoil(rng, city.world.mess, text, FILL_FAULTS, {LEVEL: _another})
    # A batch that is sent twice comes after the first, and so does a second answer.
    return delivery("vulgraden.csv", text.sort_index(kind="stable"))


def _another(table: pd.DataFrame) -> pd.Series:
    """Return other levels than these lines have, none of them above 100."""
    more = one_more(LEVEL)(table)
    return pd.Series(np.where(table[LEVEL] == "100", "99", more), table.index)
