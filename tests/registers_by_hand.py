"""The mall's registers of a town with four stores and three purposes, written by hand."""

import pandas as pd


def _table(header: str, *lines: str) -> pd.DataFrame:
    """Return a table; cells are apart by |, an empty one is missing."""
    names = [name.strip() for name in header.split("|")]
    rows = [[cell.strip() or None for cell in line.split("|")] for line in lines]
    table = pd.DataFrame(rows, columns=names, dtype="str")
    numbers = {"rows", "position", "missing", "read", "merged", "accepted", "put_aside"}
    numbers |= {
        "files",
        "empty_files",
        "records",
        "number",
        "replaced",
        "accepted",
        "least",
        "most",
        "times",
    }
    for name in numbers & set(names):
        table[name] = pd.to_numeric(table[name])
    for name in {"first_day", "last_day"} & set(names):
        table[name] = pd.to_datetime(table[name])
    return table


def registers() -> dict[str, pd.DataFrame]:
    """Return the extract of the purpose mall.

    street.bins is good but for 6 of 106 records; help.people counts persons, has a column that
    lacks values and one that no purpose is granted; help.origin is kept for no purpose and needs
    a legal basis for a link; street.rounds is granted and not delivered.
    """
    return {
        "mall.stores": _table(
            "store|title|department|row|purpose|counted|owner|steward|retention|"
            "link_needs_basis|state|rows|first_day|last_day",
            "help.origin|Origin|Help|One row per client.|Audits|persons|help-head|help-desk|1 y|"
            "yes|taken in|50||",
            "help.people|People|Help|One row per client.|Help|persons|help-head|help-desk|5 y|"
            "no|taken in|50|2025-01-01|2025-01-01",
            "street.bins|Bins|Street|One row per bin.|Bins|things|street-head|street-desk|3 y|"
            "no|taken in|100|2025-01-01|2025-12-31",
            "street.rounds|Rounds|Street|One row per round.|Rounds|things|street-head|round-desk|"
            "3 y|no|not delivered|||",
        ),
        "mall.columns": _table(
            "store|position|column|title|description|unit|profiling|absent|state|missing",
            "help.origin|1|client|Client|File.||||delivered|0",
            "help.origin|2|origin|Origin|Derived.||forbidden: protected||delivered|0",
            "help.people|1|client|Client|File.||||delivered|0",
            "help.people|2|late|Late reports|Counted.||permitted: the duty to report: art. 17||"
            "delivered|5",
            "help.people|3|moves|Moves|Counted.||forbidden: stands for origin||delivered|0",
            "street.bins|1|bin|Bin|Name.||||delivered|0",
            "street.bins|2|day|Day|Counted on.||||delivered|0",
            "street.bins|3|litter|Litter|Counted.|items||none was seen|delivered|40",
            "street.rounds|1|bin|Bin|Name.||||not delivered|",
            "street.rounds|2|truck|Truck|Name.||||not delivered|",
        ),
        "mall.purposes": _table(
            "purpose|title|question|gdpr|statute|owner|personal|profiling|reports",
            "clean|Clean|Where?|6(1)(e)|By-law|Street|no|no|street",
            "profile|Help|Who?|6(1)(e)|Act art. 1|Help|yes|yes|help, audit",
            "trucks|Trucks|When?|6(1)(e)|By-law|Street|no|no|",
        ),
        "mall.grants": _table(
            "purpose|store|column|use|shape|link_basis",
            "clean|street.bins|bin|as delivered|counts|",
            "clean|street.bins|day|by month|counts|",
            "clean|street.bins|litter|added up|counts|",
            "profile|help.people|client|as delivered|rows|",
            "profile|help.people|late|as delivered|rows|",
            "trucks|street.bins|bin|as delivered|rows|",
            "trucks|street.bins|day|first and last day|rows|",
            "trucks|street.rounds|bin|as delivered|rows|",
            "trucks|street.rounds|truck|as delivered|rows|",
        ),
        "mall.quality": _table(
            "store|read|merged|accepted|put_aside|files|empty_files",
            "help.people|50|0|50|0|1|0",
            "street.bins|126|20|100|6|2|1",
        ),
        "mall.deliveries": _table(
            "store|number|file|state|why|records|put_aside|replaced|first_day|last_day",
            "help.people|1|people.csv|taken in||50|0|0||",
            "street.bins|1|jan.csv|taken in||60|2|5|2025-01-01|2025-01-31",
            "street.bins|2|feb.csv|held back|It has 4 records for 28 days.|4|0|0|2025-02-01|"
            "2025-02-28",
            "street.bins|3|mar.csv|taken in|There is nothing between two days.|66|4|0|2025-03-02|"
            "2025-03-31",
            "street.bins|4|none.csv|taken in||0|0|0||",
            "street.bins|5|twice.csv|withdrawn|Sent by mistake.|||||",
        ),
        "mall.conflicts": _table(
            "store|column|title|accepted|least|most",
            "street.bins|litter|Litter|0|1|3",
            "street.bins|looks|Looks|200|204|210",
        ),
        "mall.reasons": _table(
            "store|reason|meaning|records",
            "street.bins|duplicate|The same row again|2",
            "street.bins|range:litter|Litter: outside the range allowed|3",
            "street.bins|type:day|Day: no number or date|1",
        ),
        "mall.uses": _table(
            "month|purpose|store|outcome|times",
            "2026-01|-|-|unknown-purpose|1",
            "2026-01|clean|street.bins|handed out|2",
            "2026-03|clean|street.bins|handed out|3",
            "2026-03|profile|-|store-damaged|4",
        ),
    }
