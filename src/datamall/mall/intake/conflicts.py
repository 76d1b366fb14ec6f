"""Rows that share a key and differ: what they could change, and whether what is seen often is lost.

None of them is kept, since nobody can tell which is right. So they must be few, and not mostly of
what is seen often: a place that is checked twice a day would lose both checks, and its rate.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from datamall.errors import DatamallError
from datamall.mall.authorities import StoreMapping
from datamall.mall.contracts import Contract
from datamall.mall.protected import said

# Share of records, and number, that may contradict others before a delivery is held back: a few
# can be looked at one by one.
CONFLICTS, FEW = 0.01, 100
# How many times as large the share may be where places are seen often, and how sure that must be.
TIMES, DEVIATIONS = 2, 4

Place = tuple[str | None, ...]


def at_stake(rows: pa.Table, contract: Contract, sums: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the sums of a store would be with rows in conflict, at least and at most.

    Parameters
    ----------
    rows
        The rows in conflict: key and additive columns.
    contract
        Contract of the store.
    sums
        Additive column → sum over the rows that were accepted.

    Returns
    -------
    dict
        Column → ``accepted``, and ``least`` and ``most`` if of each key the smallest or the
        largest value were right. Columns without a value in any row in conflict are left out.
    """
    key = [name for name in contract.key if name in rows.schema.names]
    found = {}
    for name, accepted in sums.items():
        ends = rows.group_by(key).aggregate([(name, "min"), (name, "max")])
        least, most = (
            sum(v for v in ends[f"{name}_{end}"].to_pylist() if v is not None)
            for end in ("min", "max")
        )
        if ends[f"{name}_min"].null_count < len(ends):
            ends_of_sum = {"accepted": accepted, "least": accepted + least, "most": accepted + most}
            found[name] = {end: _plain(value) for end, value in ends_of_sum.items()}
    return found


def _plain(value: Any) -> int | float:
    return value if isinstance(value, int) else float(f"{value:.6g}")


def check(
    rows: pa.Table,
    parsed: int,
    contract: Contract,
    mapping: StoreMapping,
    seen: Counter[Place],
    place: Sequence[str],
) -> None:
    """Refuse what would lose much, or mostly what is seen often, and is not known.

    Parameters
    ----------
    rows, parsed
        Rows in conflict, and number of records that were parsed.
    contract, mapping
        Of the store; what the steward knows of conflicts is in the mapping.
    seen, place
        Place → rows that passed all checks, and the columns that name one.
    """
    known, found = mapping.conflicts, rows.num_rows
    if found <= FEW or (known is not None and found <= parsed * known.at_most):
        return
    often, rarely = _shares(rows, seen, place)
    lost = (
        f"{often:.1%} of the records of what is seen often and {rarely:.1%} of what is seen rarely "
        "are in conflict, so that"
        if often > rarely
        else "set aside,"
    )
    if known is None and found <= parsed * CONFLICTS and not often > rarely:
        return
    key = ", ".join(name for name in contract.key if mapping.has(name))
    way = (
        "say `events` in the mapping if a row is a single event,"
        if contract.tally and not all(source.tally for source in mapping.sources)
        else "leave out all but the row that holds,"
    )
    raise DatamallError(
        f"{said(found, contract)} of {said(parsed, contract)} records for {contract.name} share "
        f"their key ({key}) with others that differ: {lost} what is seen often would be lost and "
        f"what is seen once kept. Nothing was changed; {way} say what a later delivery does "
        "(`later`), or say why it is right so (`conflicts`)."
    )


def _shares(rows: pa.Table, seen: Counter[Place], place: Sequence[str]) -> tuple[float, float]:
    """Return the share in conflict of what is seen most often, about half, and of the rest.

    Places are classed by how often they are seen, each class twice the one below: a row more, such
    as the second of two in conflict, moves few into another. Both shares are 0 unless the first is
    `TIMES` the other, beyond what chance does (a test of two proportions).
    """
    total = seen.total()
    if not place:
        return 0.0, 0.0
    lost = Counter(zip(*(rows[name].to_pylist() for name in place), strict=True))
    counts: Counter[int] = Counter()
    losses: Counter[int] = Counter()
    for one, times in seen.items():
        counts[times.bit_length()] += times
        losses[times.bit_length()] += lost[one]
    if len(counts) < 2:
        return 0.0, 0.0
    # Where the two parts are most alike in size.
    above = {size: sum(counts[one] for one in counts if one >= size) for size in counts}
    least = min(sorted(above)[1:], key=lambda size: abs(2 * above[size] - total))
    counted, bad = above[least], sum(losses[one] for one in losses if one >= least)
    others, worse = total - counted, losses.total() - bad
    often, rarely = bad / counted, worse / others
    pooled = losses.total() / total
    spread = math.sqrt(pooled * (1 - pooled) * (1 / counted + 1 / others))
    if often <= TIMES * rarely or often - rarely <= DEVIATIONS * spread:
        return 0.0, 0.0
    return often, rarely
