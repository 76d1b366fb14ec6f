"""Who would be on a list of people: whom the audited selection flagged and nobody looked at."""

from collections.abc import Mapping

import pandas as pd

INVESTIGATIONS = "welfare.investigations"


def numbers(data: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return the numbers of the people flagged in the last year and not chosen, each once.

    Parameters
    ----------
    data
        The extract of the purpose fraud-worklist; empty where the authority does not deliver it.
    """
    if INVESTIGATIONS not in data:
        return []
    rows = data[INVESTIGATIONS]
    open_ = (
        rows["year"].eq(rows["year"].max()) & rows["flagged"].eq("yes") & rows["chosen"].eq("no")
    )
    return sorted(set(rows.loc[open_, "client"].astype(str)))
