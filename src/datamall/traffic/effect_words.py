"""Words: what is said of measures that were taken, and the headings of their tables."""

import pandas as pd

from datamall.requirements import Absent, passes_absent
from datamall.traffic import effect

HEADINGS = {
    "about": "Counted",
    "after": "Weeks since",
    "aim": "Should pass",
    "aimed_at": "Aimed at",
    "before": "Weeks before",
    "controls": "Junctions compared",
    "correlation": "A week with the next",
    "findable": "Smallest rise that would be found",
    "first_day": "First day",
    "passages": "Passages a day more",
    "passages_high": "The same, to",
    "passages_low": "The same, from",
    "ratio": "Now ÷ without it",
}
VERDICT = ["measure", "site", "approach", "kind", "mode", "first_day", "verdict", "reason"]
NUMBERS = ["measure", "mode", "about", "before", "after", "controls", "ratio", "low", "high"]
NUMBERS += ["passages", "passages_low", "passages_high", "correlation", "findable"]


@passes_absent
def verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """Return what is said of each measure and mode; `table` as from `effect.effects`."""
    return table.loc[table["about"] == effect.HERE, VERDICT].reset_index(drop=True)


@passes_absent
def estimates(table: pd.DataFrame) -> pd.DataFrame | Absent:
    """Return the numbers, with `where`, a name for each; `table` as from `effect.effects`.

    An Absent where there is none.
    """
    known = table.dropna(subset="ratio")
    if known.empty:
        reason = "No measure can be judged yet: the table of measures says why, one by one."
        return Absent("Effects of measures", reason)
    where = known["measure"] + " " + known["kind"] + ", " + known["mode"] + ", " + known["about"]
    return known[NUMBERS].assign(where=where).reset_index(drop=True)


@passes_absent
def describe(table: pd.DataFrame) -> str:
    """Say what the measures did; `table` as from `estimates`."""
    own = table[table["about"] == effect.HERE]
    parts = [
        f"{row.mode} at {row.measure} {row.ratio:.2f} times what would have passed "
        f"({row.low:.2f} to {row.high:.2f})"
        for row in own.head(6).itertuples()
    ]
    rest = f", and {len(own) - 6} more" if len(own) > 6 else ""
    return f"Effects of measures: {'; '.join(parts)}{rest}."
