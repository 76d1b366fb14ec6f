"""What a crew reads of a stop: at most three facts, in Dutch."""

import numpy as np
import pandas as pd

from datamall.enforcement.crews import KINDS
from datamall.enforcement.fills import CREW, by_level
from datamall.enforcement.morning import REGULAR
from datamall.enforcement.routing.refusals import clock
from datamall.requirements import Absent

SEPARATOR = "; "
# What a look found, as `state.today` names it.
DUTCH = {
    "bulky waste": "grofvuil",
    "full container": "volle container",
    "broken container": "kapotte container",
    "bags": "zakken",
    "cardboard": "karton",
    "nothing": "niets",
    "waste": "afval",
}


def facts(
    now: pd.DataFrame | Absent,
    stops: pd.DataFrame,
    levels: pd.DataFrame | Absent | None = None,
) -> pd.DataFrame:
    """Return the stops with the facts that a crew reads at each, in Dutch, at most three."""
    own = pd.Series(dtype=object)
    if not isinstance(now, Absent):
        about = now.set_index("cluster")
        own = pd.Series(
            [
                _facts(*row)
                for row in zip(*(about[c] for c in ("days", "last", "open", "oldest")), strict=True)
            ],
            index=about.index,
            dtype=object,
        )
    texts = own.reindex(stops["place"]).fillna("").to_numpy()
    regular = (stops["reason"] == REGULAR).to_numpy()
    served = stops["kind"].isin(list(KINDS)).to_numpy()
    texts = np.where(regular, "vaste ronde", np.where(served, texts, ""))
    full = by_level(levels, stops)
    if isinstance(levels, pd.DataFrame) and full.any():
        about = levels.set_index("cluster").loc[stops["place"][full]]
        read = [_read(*row) for row in about[["level", "read", "source"]].itertuples(index=False)]
        texts[full] = [
            SEPARATOR.join(filter(None, pair)) for pair in zip(read, texts[full], strict=True)
        ]
    times = {name: stops[name].map(clock) for name in ("arrival", "departure")}
    return stops.assign(facts=texts, **times)


def _read(level: float, read: pd.Timestamp, source: str) -> str:
    by = "ploeg" if source == CREW else "sensor"
    return f"{level:.0f} % vol ({by}, {read:%d-%m %H:%M})"


def _facts(days: float, last: str, reports: int, oldest: float) -> str:
    parts = []
    if reports:
        since = _ago(oldest)
        first = "1 open melding van" if reports == 1 else f"{reports} open meldingen, de oudste van"
        parts.append(f"{first} {since}")
    if np.isfinite(days):
        found = " en ".join(DUTCH[word] for word in last.split(" and "))
        parts.append(f"{_ago(days)} gezien: {found}")
    return SEPARATOR.join(parts)


def _ago(days: float) -> str:
    return {0: "vandaag", 1: "gisteren"}.get(int(days), f"{int(days)} dagen geleden")
