"""The facts that a profile may use, in words, and how large a step of each is.

Which columns are permitted, and why, is in the contract of welfare.clients and nowhere else; this
table only says how to speak of them. A column without a row here is not used.
"""

import numpy as np
import pandas as pd

CLIENTS, INVESTIGATIONS = "welfare.clients", "welfare.investigations"
KEYS = ["client", "year"]
_COLUMNS = ["column", "fact", "step", "one_more", "at_least", "reason"]
# `step` is the difference that is put into natural frequencies; from `at_least` on somebody has
# the reason for help that the last column names, None where the fact calls for no help.
FACTS = pd.DataFrame(
    [
        ("cost_sharers", "cost sharers", 1, "one adult more who shares costs", 1, "shares costs"),
        ("months_on_benefit", "time on benefit", 12, "a year longer on benefit", None, None),
        (
            *("months_since_review", "time since review", 12, "a year longer without a review"),
            *(24, "no review for two years"),
        ),
        ("income_months", "months with income", 1, "one month more with income", 1, "has income"),
        (
            *("income_differences", "income differences", 1, "one month more with a difference"),
            *(1, "income differs from the payroll"),
        ),
        ("income_variation", "variation of income", 100, "100 euro more variation", None, None),
        ("late_reports", "late reports", 1, "one late report more", 1, "reported a change late"),
        ("reports", "reports of changes", 1, "one report more", None, None),
        (
            *("documents_missing", "missing documents", 1, "one document more missing"),
            *(1, "a document is missing"),
        ),
        ("repaid_before", "repaid before", 1, "yes instead of no", 1, "repaid before"),
        (
            *("vehicle_mismatch", "vehicle not stated", 1, "yes instead of no"),
            *(1, "a vehicle is not stated"),
        ),
        ("benefit", "monthly benefit", 100, "100 euro more a month", None, None),
    ],
    columns=_COLUMNS,
)


def delivered(clients: pd.DataFrame) -> list[str]:
    """Return the permitted facts that a table of clients has, in the order of `FACTS`."""
    return [column for column in FACTS["column"] if column in clients]


def numbers(clients: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Return facts as numbers: yes is 1, no is 0, what is not recorded NaN."""
    words = {"yes": 1.0, "no": 0.0}
    table = pd.DataFrame(index=clients.index)
    for column in columns:
        values = clients[column]
        spoken = not pd.api.types.is_numeric_dtype(values.dtype)
        table[column] = (values.map(words) if spoken else values).astype("float64")
    return table


def has_reason(clients: pd.DataFrame) -> pd.DataFrame:
    """Return for each delivered fact that calls for help whether each person has it.

    Returns
    -------
    pandas.DataFrame
        One boolean column per fact; what is not recorded is no reason.
    """
    rows = FACTS[FACTS["reason"].notna() & FACTS["column"].isin(clients.columns)]
    values = numbers(clients, list(rows["column"]))
    edges = rows["at_least"].to_numpy(float)
    return values.ge(np.broadcast_to(edges, values.shape))
