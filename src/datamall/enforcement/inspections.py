"""Wisdom: where to look tomorrow, so that the next plan is better than this one."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.special import ndtr

from datamall.enforcement.effects import recorded
from datamall.enforcement.information import Tables, known_of, registered
from datamall.enforcement.knowledge import check_level, leading
from datamall.enforcement.wisdom import Options, chosen_stops, left_out
from datamall.errors import DatamallError
from datamall.requirements import Absent, needs


@needs("Where to look tomorrow", "enforcement.containers.cluster")
def inspection_plan(
    data: Tables,
    choices: Options | Absent,
    rates: pd.DataFrame | Absent,
    crews: Mapping[str, int],
    inspections: int,
    random_share: float,
    seed: int,
) -> pd.DataFrame | Absent:
    """Say where to look tomorrow: where looking is worth most, and partly at random.

    Parameters
    ----------
    data, choices, rates
        The extract; as from `options` and `knowledge.dirty_rates`.
    crews
        The crews whose lists these inspections should improve, as from `crews`.
    inspections
        Number of places that inspectors can visit.
    random_share
        Share of them drawn at random.
    seed
        Of the random draw.

    Returns
    -------
    pandas.DataFrame
        cluster, kind, district, x, y, inspections (so far), drawn ("on purpose" first, then "at
        random"), inclusion_probability (of the random draw, equal for all registered places), gain
        (nuisance that knowing the place would help remove, empty at random), reason.

    Notes
    -----
    The random part is a systematic sample with one random start through all registered places in
    order of kind, district and cluster: every place has the same known probability, and districts
    get their share. Rates estimated from this part alone owe nothing to past choices. For the rest:
    value of perfect information on whether a place belongs on the list of a crew, for the crew to
    which it matters most.
    """
    if isinstance(rates, Absent):
        return rates
    if inspections < 1:
        sentence = f"inspections_per_day is {inspections}: set it to at least 1 in params.yaml."
        raise DatamallError(sentence)
    check_level("random_share", random_share)
    frame = registered(data)
    columns = known_of(frame)
    order = [name for name in ("kind", "district", "cluster") if name in columns]
    frame = frame.sort_values(order, ignore_index=True)
    number = min(inspections, len(frame))
    drawn = max(round(random_share * number), 1)
    start = np.random.Generator(np.random.PCG64(seed)).random()
    index = np.floor((start + np.arange(drawn)) * len(frame) / drawn).astype(int)
    random = frame.iloc[index].assign(
        drawn="at random", reason="Keeps rates estimable without a bias of choice."
    )
    rest = _worth_knowing(rates, choices, crews, number)
    rest = rest[~rest["cluster"].isin(random["cluster"]) & (rest["gain"] > 0)]
    rest = leading(rest, "gain", number - drawn).assign(drawn="on purpose")
    table = pd.concat([rest, random[[*columns, "drawn", "reason"]]], ignore_index=True)
    so_far = rates.set_index("cluster")["inspections"]
    table["inspections"] = table["cluster"].map(so_far).fillna(0).astype(int)
    table["inclusion_probability"] = drawn / len(frame)
    return table[[*columns, "inspections", "drawn", "inclusion_probability", "gain", "reason"]]


def _worth_knowing(
    rates: pd.DataFrame, choices: Options | Absent, crews: Mapping[str, int], number: int
) -> pd.DataFrame:
    """Return what knowing a place exactly would add to tomorrow's plan, for the first `number`."""
    columns = known_of(rates)
    if isinstance(choices, Absent) or isinstance(chosen_stops(choices, crews), Absent):
        return rates[columns].assign(gain=rates["sd"], reason="The rate is uncertain.")
    edges = left_out(choices, crews)
    about = choices.effects
    effects = about[["low", "high"]].mean(axis=1).groupby(about["crew"]).max()
    tables = []
    for crew, edge in edges.items():
        if not crews[crew]:
            continue
        own = choices[crew]
        several = len(recorded(own)) > 1
        value = own["expected"].to_numpy()
        share = own["share"].clip(1e-9, 1)
        spread = np.hypot(own["sd"] / own["rate"], np.sqrt((1 / share - 1) / own["weight"]))
        sd = np.maximum(value * spread, 1e-12)
        away = np.abs(value - edge) / sd
        doubt = sd * (np.exp(-(away**2) / 2) / np.sqrt(2 * np.pi) - away * (1 - ndtr(away)))
        # Were the unknown cause one of this crew, as likely as in the city, and removable like the
        # others, a place now left out could come onto its list. Where one cause alone is recorded,
        # the rest is not unknown but another cause.
        likely = own["share"].mean() * several
        hidden = value + own["rate"] * own["unknown"] * effects[crew] - edge
        unknown = likely * hidden.clip(lower=0) * (value < edge)
        gain = own[columns].assign(gain=np.maximum(doubt, unknown), unknown=unknown > doubt)
        table = leading(gain, "gain", number)
        near = f"Near the edge of the list for {crew.lower()}: one look may decide."
        reason = np.where(table["unknown"], "Much waste, cause unknown: inspect first.", near)
        tables.append(table.drop(columns="unknown").assign(reason=reason))
    table = pd.concat(tables, ignore_index=True)
    return leading(table, "gain", len(table)).drop_duplicates("cluster")
