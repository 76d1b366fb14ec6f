"""Reports of residents beside what inspectors found, and how readily residents report.

Reports say what somebody took the trouble to report. How readily that is done is seen in the
duplicates of a report while it is open: there something lies for certain.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.special import chdtri, gammaincinv, ndtri

from datamall.enforcement.information import COUNTED, DISTRICTS, Tables, places
from datamall.enforcement.knowledge import check_level
from datamall.requirements import needs, passes_absent

REPORTS, _PLACES, _AREAS = (
    "enforcement.reports",
    "enforcement.containers",
    "shared.neighbourhoods",
)
OPEN = (f"{REPORTS}.opened", f"{REPORTS}.closed")
_FIRST = (f"{REPORTS}.report", f"{REPORTS}.duplicate_of")


def with_spells(data: Tables) -> pd.DataFrame:
    """Return the reports with until (closed, or the last day known of all) and days (open).

    Without these two where no closing is known.
    """
    days = [name for name in ("opened", "closed") if name in data[REPORTS]]
    table = data[REPORTS].astype(dict.fromkeys(days, "datetime64[s]"))
    if "closed" not in table:
        return table
    last = table[["opened", "closed"]].max().max()
    table["until"] = table["closed"].fillna(last)
    return table.assign(days=(table["until"] - table["opened"]).dt.days)


def _first(table: pd.DataFrame) -> pd.DataFrame:
    """Return the first reports, with the duplicates that came in while each was open.

    A further duplicate, of a report that is no first report here or after it was closed, is left
    out: nothing says that something still lay there.
    """
    first = table[table["duplicate_of"].isna()]
    again = table[["duplicate_of", "opened"]].dropna(subset="duplicate_of")
    again = again.merge(
        first[["report", "opened", "until"]],
        left_on="duplicate_of",
        right_on="report",
        suffixes=("_again", ""),
    )
    inside = again["opened_again"].between(again["opened"], again["until"])
    number = again.loc[inside, "report"].value_counts()
    return first.assign(duplicates=first["report"].map(number).fillna(0).astype(int))


@needs("What residents reported", *OPEN[:1])
def reported(data: Tables, confidence: float) -> pd.DataFrame:
    """Return reports, duplicates and time to closing, by category and by channel.

    Returns
    -------
    pandas.DataFrame
        by ("all", "category" or "channel"), group, reports; then duplicates and share (of
        duplicates in the reports) where duplicates were recorded; without_place (reports) where
        places were; still_open (first reports on the last day) and days (median from first report
        to closing, in whole days) with low and high, NaN where that is not reached, where days of
        closing were recorded and reports came in on more days than one.

    Notes
    -----
    Median of Kaplan and Meier (1958), as reports that are still open at the end are not yet as
    old as they will be; interval of Brookmeyer and Crowley (1982) on the scale log(-log). Where
    duplicates were not recorded every report counts as a first one.
    """
    check_level("confidence", confidence)
    table = with_spells(data)
    timed = "closed" in table and table["opened"].min() < table["opened"].max()
    table = table[[name for name in table if name not in ("report", "until")]]
    rows = []
    for by, group, own in _groups(table):
        row: dict[str, object] = {"by": by, "group": group, "reports": len(own)}
        first = own
        if "duplicate_of" in own:
            first = own[own["duplicate_of"].isna()]
            row["duplicates"] = len(own) - len(first)
            row["share"] = (len(own) - len(first)) / len(own)
        if "cluster" in own:
            row["without_place"] = int(own["cluster"].isna().sum())
        if timed:
            row["still_open"] = int(first["closed"].isna().sum())
            median = _median(first["days"], first["closed"].notna(), confidence)
            row |= dict(zip(("days", "low", "high"), median, strict=True))
        rows.append(row)
    return pd.DataFrame(rows)


def _groups(table: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield all reports, and those of each category and channel, as far as these are known."""
    yield "all", "all reports", table
    for by in ("category", "channel"):
        if by in table:
            for group, own in table.groupby(by):
                yield by, str(group), own


@needs("Reports through the year", varying=OPEN[:1])
def trend(data: Tables) -> pd.DataFrame:
    """Return the reports of each month.

    Returns
    -------
    pandas.DataFrame
        month (YYYY-MM), days (of the month, from the first to the last day on which a report came
        in), reports, reports_per_day.
    """
    by_day = with_spells(data)["opened"].value_counts()
    months = by_day.groupby(by_day.index.strftime("%Y-%m")).sum()
    days = pd.date_range(by_day.index.min(), by_day.index.max()).strftime("%Y-%m").value_counts()
    days = days.sort_index()
    table = pd.DataFrame({"month": days.index, "days": days.to_numpy()})
    table["reports"] = months.reindex(days.index, fill_value=0).to_numpy()
    return table.assign(reports_per_day=table["reports"] / table["days"])


@needs("Repeats at one place", f"{REPORTS}.cluster", *OPEN[:1])
def repeats(data: Tables) -> pd.DataFrame:
    """Return the places with reports, the most first; ties go by cluster.

    Returns
    -------
    pandas.DataFrame
        cluster, reports, first_reports (where duplicates were recorded), months (in which a report
        came in), first_day and last_day (of reports).
    """
    return repeated(data[REPORTS].dropna(subset="cluster"), ["cluster"])


def repeated(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return the columns of `repeats` for each place; `keys` name it, which orders ties."""
    opened = table["opened"].astype("datetime64[s]")
    table = table[keys].assign(
        opened=opened,
        month=opened.to_numpy().astype("M8[M]").astype("int64"),
        **({"first": table["duplicate_of"].isna()} if "duplicate_of" in table else {}),
    )
    about = {"reports": ("opened", "size")}
    if "first" in table:
        about["first_reports"] = ("first", "sum")
    about |= {"months": ("month", "nunique")}
    about |= {"first_day": ("opened", "min"), "last_day": ("opened", "max")}
    result = table.groupby(keys, as_index=False).agg(**about)
    result = result.astype({key: str for key in keys if result[key].dtype == "category"})
    order = result.assign(order=-result["reports"]).sort_values(["order", *keys])
    return order.drop(columns="order").reset_index(drop=True)


def _median(days: pd.Series, closed: pd.Series, confidence: float) -> list[float]:
    """Return the median number of days to closing and the ends of its interval."""
    ended, left = np.bincount(days[closed]), np.bincount(days)[::-1].cumsum()[::-1]
    left = left[: len(ended)]
    with np.errstate(divide="ignore", invalid="ignore"):
        still = np.cumprod(1 - ended / left)
        error = np.sqrt(np.cumsum(ended / (left * (left - ended)))) / np.abs(np.log(still))
        factor = np.exp(ndtri((1 + confidence) / 2) * error)
        low, high = still**factor, still ** (1 / factor)
    # Once all are closed that scale ends: then the exact bound for none out of those left.
    low[still == 0], high[still == 0] = 0, 1 - ((1 - confidence) / 2) ** (1 / left[still == 0])
    half = [np.flatnonzero(curve <= 0.5) for curve in (still, low, high)]
    return [float(day[0]) if len(day) else np.nan for day in half]


def _spells(data: Tables) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the reports at known places and the first reports among them, with their district."""
    places = data[_PLACES][["cluster", "neighbourhood"]].merge(data[_AREAS], on="neighbourhood")
    table = with_spells(data)
    code, clusters = pd.factorize(table["cluster"])
    place = pd.Index(places["cluster"]).get_indexer(np.asarray(clusters, dtype=str))
    place = np.append(place, -1)[code]  # the last one is that of reports without a place
    known = ("report", "opened", "until", "days", "duplicate_of")
    table = table.loc[place >= 0, [name for name in known if name in table]]
    for name in ("neighbourhood", "district"):
        table[name] = pd.Categorical(places[name])[place[place >= 0]]
    return table, _first(table)


@needs(
    "How readily residents report",
    *_FIRST,
    f"{REPORTS}.cluster",
    f"{REPORTS}.closed",
    *DISTRICTS,
    varying=OPEN[:1],
)
def reporting_rates(data: Tables, confidence: float) -> pd.DataFrame:
    """Return how readily residents report what lies there, by district in alphabetical order.

    Returns
    -------
    pandas.DataFrame
        district (the last row: all districts), first_reports, duplicates (while these were open),
        open_days, rate (duplicates per open day), low, high, reports, places (registered) and
        reports_per_place; reports without a place take no part.

    Notes
    -----
    Rate of a Poisson process that is watched from first report to closing, or to the last day known
    (Liu, Bhandaram and Garg 2023, Nature Computational Science 3, "Quantifying spatial
    under-reporting disparities in resident crowdsourcing"): duplicates / open days, with the exact
    interval of Garwood (1936). Before a first report nobody knows that something lay there, so that
    silence there teaches nothing. Where first reports of one neighbourhood differ beyond chance in
    their duplicates (`differences`), these count for less.
    """
    check_level("confidence", confidence)
    table, first = _spells(data)
    whole = "all districts"
    result = first.groupby("district").agg(
        first_reports=("report", "size"),
        duplicates=("duplicates", "sum"),
        open_days=("days", "sum"),
    )
    result.index = result.index.astype(str)
    result.loc[whole] = result.sum()
    areas = data[_PLACES].merge(data[_AREAS], on="neighbourhood")["district"].value_counts()
    result = result.reindex([*sorted(areas.index), whole], fill_value=0)
    tail, dispersion = (1 - confidence) / 2, _dispersion(first)
    count = result["duplicates"] / dispersion
    days = result["open_days"].where(result["open_days"] > 0) / dispersion
    result["rate"] = count / days
    result["low"] = np.nan_to_num(gammaincinv(count, tail)) / days  # without duplicates: 0
    result["high"] = gammaincinv(count + 1, 1 - tail) / days
    reports = table["district"].value_counts()
    reports.index = reports.index.astype(str)
    for name, number in (("reports", reports), ("places", areas)):
        result[name] = number.reindex(result.index, fill_value=0)
        result.loc[whole, name] = number.sum()
    result["reports_per_place"] = result["reports"] / result["places"]
    return result.reset_index(names="district")


def _dispersion(first: pd.DataFrame) -> float:
    """Return how much first reports of one neighbourhood differ in their duplicates; 1 or more.

    Squared distance to the rate of the neighbourhood, as a multiple of what a Poisson process with
    that rate would give.
    """
    sums = first.groupby("neighbourhood")[["duplicates", "days"]].transform("sum")
    sums = sums.where(sums["days"] > 0)
    expected = sums["duplicates"] / sums["days"] * first["days"]
    chance = (expected * (1 - first["days"] / sums["days"])).sum()
    return (
        max(1.0, float(((first["duplicates"] - expected) ** 2).sum() / chance)) if chance else 1.0
    )


@passes_absent
def differences(data: Tables, rates: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Test whether all districts report equally readily.

    Parameters
    ----------
    data, rates, confidence
        The extract; as from `reporting_rates`; 1 - the share of false alarms.

    Returns
    -------
    pandas.DataFrame
        One row: districts (with open days), dispersion (of the duplicates of first reports in one
        neighbourhood; 1 = chance alone), chi_squared (Pearson's, divided by that dispersion),
        by_chance (what it stays below with this confidence where all report equally readily: its
        quantile with districts - 1 degrees of freedom) and differ (whether it does not).
    """
    own = rates.iloc[:-1].dropna(subset="rate")
    dispersion = _dispersion(_spells(data)[1])
    expected = own["open_days"] * rates["rate"].iloc[-1]
    chi = ((own["duplicates"] - expected) ** 2 / expected).sum() / dispersion
    usual = chdtri(len(own) - 1, 1 - confidence)
    row = (len(own), dispersion, chi, usual, chi > usual)
    columns = ["districts", "dispersion", "chi_squared", "by_chance", "differ"]
    return pd.DataFrame([row], columns=columns)


@needs("What raw counts of reports follow", *COUNTED, *DISTRICTS)
@passes_absent
def raw_counts(data: Tables, rates: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Return what the number of reports per place goes together with, over districts.

    Parameters
    ----------
    data, rates, confidence
        The extract; as from `reporting_rates`; level of the intervals.

    Returns
    -------
    pandas.DataFrame
        compared_with (the reporting rate; the share of inspections with waste), districts, spearman
        (rank correlation with reports per place), low, high (NaN with fewer than four districts).

    Notes
    -----
    Interval by Fisher's z with the variance of Fieller, Hartley and Pearson (1957).
    """
    by_district = places(data).groupby("district")[["with_waste", "inspections"]].sum()
    table = rates.iloc[:-1].set_index("district")
    compared = {
        "how readily residents report": table["rate"],
        "share of inspections with waste": by_district["with_waste"] / by_district["inspections"],
    }
    width, rows = ndtri((1 + confidence) / 2), []
    for name, values in compared.items():
        pair = pd.DataFrame({"raw": table["reports_per_place"], "own": values}).dropna().round(10)
        correlation = pair["raw"].rank().corr(pair["own"].rank())
        with np.errstate(divide="ignore"):
            half = width * np.sqrt(1.06 / (len(pair) - 3)) if len(pair) > 3 else np.nan
            ends = np.tanh(np.arctanh(correlation) + np.array([-half, half]))
        rows.append((name, len(pair), correlation, *ends))
    return pd.DataFrame(rows, columns=["compared_with", "districts", "spearman", "low", "high"])
