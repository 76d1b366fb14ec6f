"""Totals among exact counts: recognised, checked against their parts, and taken out."""

import re
from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from datamall.errors import DatamallError
from datamall.fairness.sheet_reading import Sheet

WORDS = (
    *("total", "totals", "grand total", "overall", "sum", "subtotal", "all", "everybody"),
    *("everyone", "totaal", "totalen", "eindtotaal", "som", "subtotaal", "alle", "alles", "allen"),
    *("iedereen", "gesamt", "insgesamt", "summe", "ensemble", "tous"),
)
COUNT = "count of people"
SIDES = ("no", "yes")


def refuse_undeclared(
    sheet: Sheet, keys: Sequence[str], count: pd.Series, known: Collection[str], rounding: int
) -> None:
    """Refuse a sheet that seems to have totals which the specification does not declare.

    Parameters
    ----------
    sheet
        The sheet.
    keys
        Its columns in which a total could stand.
    count
        Counts of its rows; hidden ones are no numbers.
    known
        Words, in small letters, of which the specification says what they mean.
    rounding
        What counts are rounded to: a total is at most that far from its parts.

    Raises
    ------
    DatamallError
        If a value is called a total, or partly so and is the sum of the others.
    """
    numbers = pd.to_numeric(count, errors="coerce")
    for key in keys:
        for text in sheet.frame[key].cat.categories:
            name = text.casefold().strip(" .:")
            if text.casefold() in known:
                continue
            partly = set(re.findall(r"\w+", name)) & set(WORDS)
            if name in WORDS or (partly and _is_sum(sheet, keys, numbers, key, text, rounding)):
                raise DatamallError(
                    f"{sheet.first(key, [text])}: if that is a total, say total: {text}; if not, "
                    "give the group another name."
                )


def _is_sum(
    sheet: Sheet, keys: Sequence[str], count: pd.Series, key: str, text: str, rounding: int
) -> bool:
    own = (sheet.frame[key] == text).to_numpy()
    rest = sheet.frame[[name for name in keys if name != key]].assign(all=0, count=count)
    by = [*rest.columns[:-1]]
    sums = [rest[part].groupby(by, observed=True)["count"].sum() for part in (own, ~own)]
    both = pd.concat(sums, axis=1, join="inner").to_numpy()
    room = rounding // 2 * sheet.frame[key].nunique()
    return bool(len(both)) and bool((np.abs(both[:, 0] - both[:, 1]) <= room).all())


def marks(column: pd.Series, total: str) -> np.ndarray:
    """Return whether each value of a categorical of text marks a total."""
    own = np.array([text.casefold() == total.casefold() for text in column.cat.categories], bool)
    return np.asarray(own[column.cat.codes])


def taken_out(
    name: str, frame: pd.DataFrame, keys: Sequence[str], truths: Sequence[str], total: str
) -> pd.DataFrame:
    """Return exact counts without their totals, which add up.

    A total of a decision or an outcome beside one of its sides gives the other side.

    Parameters
    ----------
    name
        Name of the sheet, for errors.
    frame
        Keys, `COUNT`, and `truths`, which are `SIDES`, blank or `total`; the index holds rows.
    keys, truths
        Columns in which a total can stand.
    total
        The word that marks totals.

    Raises
    ------
    DatamallError
        If a total is not the sum of its parts, or has none; with its row.
    """
    axes = [*keys, *truths]
    marked = pd.DataFrame({v: marks(frame[v], total) for v in axes})
    some = marked.any(axis=1).to_numpy()
    if not some.any():
        return frame
    whole, rows, marked = frame[~some], frame[some], marked[some]
    for side in truths:
        alone = rows[(marked[side] & ~marked.drop(columns=side).any(axis=1)).to_numpy()]
        whole = pd.concat([whole, _other_side(name, whole, alone, axes, side)])
    for pattern, part in rows.groupby([marked[v].to_numpy() for v in axes], sort=False):
        by = [v for v, mark in zip(axes, np.atleast_1d(pattern), strict=True) if not mark]
        sums = _sums(whole, part, by)
        odd = (sums != part[COUNT]).to_numpy()
        if odd.any():
            row, first = int(part.index[odd.argmax()]), part.iloc[odd.argmax()]
            raise DatamallError(
                f"Row {row} of {name} is a total of {first[COUNT]:,}, and its parts add up to "
                f"{sums.iloc[odd.argmax()]:,}: correct one of them."
            )
    return whole


def _other_side(
    name: str, whole: pd.DataFrame, alone: pd.DataFrame, axes: Sequence[str], side: str
) -> pd.DataFrame:
    """Return the rows of the side that is not there, where its total and the other side are."""
    by = [v for v in axes if v != side]
    both = [_sums(whole[whole[side] == own], alone, by, np.nan) for own in SIDES]
    there = np.stack([own.notna().to_numpy() for own in both], axis=1)
    given = _sums(whole, alone, by).to_numpy()
    parts = []
    for column, own in enumerate(SIDES):
        open_ = there[:, 1 - column] & ~there[:, column]
        rest = alone[open_].copy()
        rest[COUNT] -= given[open_]
        rest[side] = pd.Categorical([own] * len(rest), dtype=whole[side].dtype)
        if (rest[COUNT] < 0).any():
            row = int(rest.index[(rest[COUNT] < 0).to_numpy().argmax()])
            raise DatamallError(
                f"Row {row} of {name} is a total of {alone.loc[row, COUNT]:,}, less than its part: "
                "correct one of them."
            )
        parts.append(rest)
    return pd.concat(parts)


def _sums(whole: pd.DataFrame, rows: pd.DataFrame, by: list[str], empty: float = 0) -> pd.Series:
    """Return for each row the sum of the counts with the same keys."""
    if not by:
        return pd.Series(whole[COUNT].sum(), rows.index)
    sums = whole.groupby(by, as_index=False, observed=True)[COUNT].sum()
    found = rows[by].merge(sums, on=by, how="left")[COUNT]
    found = found if np.isnan(empty) else found.fillna(empty).astype(np.int64)
    return pd.Series(found.to_numpy(), rows.index)
