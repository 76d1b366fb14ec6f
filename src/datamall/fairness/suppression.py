"""Which hidden counts of a published table must be small: primary and secondary suppression.

An office hides small counts (primary suppression), and others so that nobody reckons these
(secondary or complementary suppression; Hundepool et al., Statistical Disclosure Control, 2012,
chapter 4). The sheet does not say which is which, so below the threshold is only what has no other
reason to be hidden.
"""

import numpy as np

from datamall.fairness import linear_bounds

# A linked part of a table with more unknown counts than this is not looked into: its hidden counts
# are not taken as small, which is safe. Its two decompositions take a tenth of a second at most.
LARGEST = 500
_TOLERANCE = 1e-9


def small(listed: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Return which hidden counts are small for certain.

    Parameters
    ----------
    listed
        Which counts the sheet lists, hidden or not. Along each axis the last position is the
        total; an axis of one position has no parts.
    hidden
        Which of these are hidden.

    Returns
    -------
    ndarray
        Of the same shape.

    Notes
    -----
    Hiding c keeps another count h from being reckoned only if some sum in print holds both: were
    c in print, h would follow from it. c is small for certain if there is no such sum. Two
    conditions, both needed:

    1. *Alone in its totals.* Of the listed totals that hold c, take the nearest: those with no
       listed total between. Each is in print and holds no other hidden count, and no hidden count
       is a part of c. (Totals further off hold c through the nearest, which are in print.) Where
       c is the only unknown of a total, it follows from it whatever else is hidden, and to hide
       it alone would be vain; yet an office that protects rows and forgets columns, or trusts in
       rounding, does hide two in a row that each follow from their columns. So two hidden counts
       in one total explain each other, reckonable or not.
    2. *Alone in what totals imply.* Counts that the sheet leaves out are unknown as well and hand
       on what is hidden elsewhere: with u left out, c + u = 30 and u + h = 40 give h from c. In
       terms of linear algebra: over all unknown counts that leave every sum in print as it is, c
       never changes (it follows from the totals), or it can change with no other hidden count
       changing (no sum in print ties it to them). Then c and the others have no circuit in
       common, which is what secondary suppression needs.

    Only totals of the sheet count: one that is in print elsewhere may explain what this sheet
    cannot. Hence all totals should be on the sheet.
    """
    found = np.zeros(hidden.shape, bool)
    at = np.argwhere(hidden)
    inside = linear_bounds.summed(hidden)
    alone = inside[tuple(at.T)] == 1
    nearer: list[tuple[set[int], np.ndarray]] = []
    for axes, valid, total in linear_bounds.totals(at, hidden.shape):
        there = valid & listed[total]
        for own, met in nearer:
            if own < set(axes):
                there &= ~met
        nearer.append((set(axes), valid & listed[total]))
        alone &= ~there | (inside[total] == 1)
    found[tuple(at[alone].T)] = True
    return found & ~_tied(found, listed, hidden)


def _tied(asked: np.ndarray, listed: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Return which of the hidden counts that are asked for are tied to others by left-out ones."""
    found, leaves = np.zeros(hidden.shape, bool), linear_bounds.leaves(hidden.shape)
    unknown = np.argwhere(leaves & (hidden | ~listed))
    holds = linear_bounds.holding(unknown, listed)
    asked_, secret_ = asked.ravel(), hidden.ravel()
    for nodes, columns in linear_bounds.linked(holds):
        mine, secret = np.flatnonzero(asked_[nodes]), secret_[nodes]
        if not len(mine) or secret.sum() == 1:
            continue
        tied = np.ones(len(mine), bool)
        if max(len(columns), len(nodes)) <= LARGEST:
            own = holds[nodes][:, columns].toarray()
            # A count follows from the sums in print if it is a combination of their rows, and is
            # free of the other hidden ones if no combination of rows that vanishes holds it.
            follows = _residual(own[~secret], own[mine]) < _TOLERANCE
            free = np.abs(_vanishing(own)[:, mine]).max(axis=0, initial=0) < _TOLERANCE
            tied = ~(follows | free)
        found[np.unravel_index(nodes[mine[tied]], found.shape)] = True
    return found


def _residual(rows: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return how far each wanted row is from every combination of rows."""
    if not len(rows):
        return np.abs(wanted).max(axis=1)
    fitted = np.linalg.lstsq(rows.T, wanted.T, rcond=None)[0]
    return np.asarray(np.abs(rows.T @ fitted - wanted.T).max(axis=0))


def _vanishing(rows: np.ndarray) -> np.ndarray:
    """Return a basis of the combinations of rows that are nought; one per row."""
    left, size, _ = np.linalg.svd(rows)
    rank = int((size > _TOLERANCE * max(size.max(initial=0), 1)).sum())
    return np.asarray(left[:, rank:].T)
