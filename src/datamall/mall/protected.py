"""The report of quality of a store of people, as it may be read by anybody.

Where a row stands for a person or a household, each number of the report counts people or their
records, so the rule for small numbers holds (`datamall.small_numbers`). A column that must have a
value lacks none by its contract, which tells of nobody.
"""

import re
from typing import Any

from datamall.mall.contracts import Contract
from datamall.small_numbers import count, counts, in_words, parts

TOTALS = ("read", "parsed", "accepted", "quarantined", "left_out", "merged", "replaced")
OF_DELIVERY = ("records", "put_aside", "replaced")
# Numbers in the sentence on why a delivery waits; not those in dates and names.
_NUMBERS = re.compile(r"(?<![\w.-])\d[\d,]*(?:\.\d+)?%?(?![\w-])")


def protected(report: dict[str, Any], contract: Contract) -> dict[str, Any]:
    """Return a report of quality as it is written: of people, with protected numbers.

    Parameters
    ----------
    report
        As from `datamall.mall.intake.intake`, with exact numbers.
    contract
        Of the store.

    Returns
    -------
    dict
        The same where the store counts things. Otherwise counts as from `small_numbers.count`,
        null below 10, and reasons and deliveries as from `small_numbers.parts` of all records; the
        share put aside of these; no numbers in sentences, and days as years.
    """
    if not contract.personal:
        return report
    shown = counts(report, *TOTALS)
    needed = {column.name for column in contract.columns if column.required}
    aside, read = shown["quarantined"], shown["parsed"]
    shown["quarantined_share"] = float(f"{aside / read:.6g}") if aside and read else None
    shown["reasons"] = parts(report["reasons"])
    shown["missing"] = {
        name: 0 if name in needed else count(number) for name, number in report["missing"].items()
    }
    told = [_delivery(one, contract) for one in report["deliveries"]]
    for name in OF_DELIVERY:
        own = parts({f"{n:09}": one[name] for n, one in enumerate(report["deliveries"])})
        told = [one | {name: number} for one, number in zip(told, own.values(), strict=True)]
    shown["deliveries"] = told
    return shown


def said(number: int | None, contract: Contract) -> str:
    """Return a number of records of a store in words that everybody may read."""
    return in_words(number) if contract.personal else f"{number:,}"


def sentence(text: str, contract: Contract) -> str:
    """Return a sentence on a delivery: of people, without its numbers."""
    return _NUMBERS.sub("…", text) if contract.personal else text


def years(first: str | None, last: str | None) -> tuple[str | None, str | None]:
    """Return the first day of the first year and the last of the last: a day may be one person's.

    Both as ISO 8601, None where there is none.
    """
    return first and f"{first[:4]}-01-01", last and f"{last[:4]}-12-31"


def _delivery(one: dict[str, Any], contract: Contract) -> dict[str, Any]:
    first, last = years(one["first_day"], one["last_day"])
    shown = {"first_day": first, "last_day": last}
    if one["why"] and one["state"] != "withdrawn":
        shown["why"] = sentence(one["why"], contract)
    return one | shown
