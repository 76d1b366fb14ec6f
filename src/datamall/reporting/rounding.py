"""One rounding for every table and figure: six significant digits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

DIGITS = 6


def rounded(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table with every float rounded to 6 significant digits.

    Results of linear algebra differ between processors in their last bits; six digits of them
    agree. Every table and every figure goes through this one function.

    Parameters
    ----------
    frame
        Any table. Columns of whole numbers, text, dates and booleans stay as they are.

    Returns
    -------
    DataFrame
        A copy; floats are float64, missing values NaN, negative zero zero.
    """
    import numpy as np
    from pandas.api.types import is_float_dtype

    result = frame.copy()
    for position, (name, values) in enumerate(frame.items()):
        if is_float_dtype(values.dtype):
            numbers = values.to_numpy(dtype="float64", na_value=math.nan) + 0.0
            # Most columns of a long table are counts: whole numbers of few digits are themselves.
            rest = ~((np.rint(numbers) == numbers) & (np.abs(numbers) < 10**DIGITS))
            numbers[rest] = _rounded(numbers[rest])
            result.isetitem(position, type(values)(numbers, values.index, "float64", name))
    return result


def _rounded(numbers: np.ndarray) -> np.ndarray:
    """Return what `round_number` does, of many at once."""
    import numpy as np

    with np.errstate(divide="ignore", invalid="ignore"):
        places = DIGITS - 1 - np.floor(np.log10(np.abs(numbers)))
        # A quotient of whole numbers that floats hold exactly is the float nearest to it.
        plain = np.isfinite(numbers) & (places >= 0) & (places <= 22)
        scale = 10.0 ** np.where(plain, places, 0)
        moved = np.where(plain, np.abs(numbers), 0) * scale
        whole = np.rint(moved)
        result = np.copysign(whole / scale, numbers)
    # One by one where the digit after the last is a five, or the power of ten is not sure.
    plain &= (np.abs(np.abs(moved - whole) - 0.5) > 1e-6) & (whole >= 10 ** (DIGITS - 1))
    plain &= whole < 10**DIGITS
    result[~plain] = [round_number(number) for number in numbers[~plain].tolist()]
    return result


def round_number(value: float) -> float:
    """Return a number rounded to 6 significant digits; whole numbers stay whole."""
    return value if isinstance(value, int) else float(f"{value:.{DIGITS}g}") + 0.0
