"""Headers and fields of raw files: when two are the same, and what a type can hold."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datamall.tabular.form import plain

TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)


def known_as(header: str) -> str:
    """Return the form in which headers are compared."""
    return plain(header).strip().casefold()


def shown(header: str, position: int) -> str:
    """Return the text of a header in the file: blank where it is called by its position."""
    return "" if header == f"column{position:02d}" else header


def equal(texts: list[Any], titles: list[str]) -> np.ndarray | None:
    """Return which records are their header again; None where none is, as good as always."""
    same = None
    for text, title in zip(texts, titles, strict=True):
        own = pc.equal(text, title)
        same = own if same is None else pc.and_(same, own)
        if not pc.any(same).as_py():
            return None
    return None if same is None else same.to_numpy(zero_copy_only=False)


def fits(found: pa.DataType, wanted: str) -> bool:
    """Whether a Parquet type holds values of a contract's type and nothing else."""
    if pa.types.is_dictionary(found):
        found = found.value_type
    if pa.types.is_null(found):  # as a column is written that has no value in a whole file
        return True
    integer = pa.types.is_integer(found)
    return {
        # 3.0 is a whole number; another is set aside by itself.
        "integer": integer or pa.types.is_floating(found) or pa.types.is_decimal(found),
        "number": integer or pa.types.is_floating(found) or pa.types.is_decimal(found),
        "date": pa.types.is_date(found),
        "string": integer or any(is_text(found) for is_text in TEXTS),
    }[wanted]
