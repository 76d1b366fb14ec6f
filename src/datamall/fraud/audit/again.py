"""The verdict of the audit from counts alone, for the gate: as the notebook comes to it."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import pandas as pd

from datamall.fairness import Plan
from datamall.fraud.audit import knowledge, sources, words


def verdict(data: Mapping[str, pd.DataFrame], parameters: Mapping[str, Any]) -> str:
    """Return the verdict of the audit.

    Parameters
    ----------
    data
        The extract of the purpose fraud-audit.
    parameters
        The section ``fraud_audit`` of params.yaml: the plan.
    """
    own = sources.own(data, parameters["groups"], parameters["crossed"], parameters["labels"])
    counts = sources.together(own, sources.official(data))
    names = {field.name for field in fields(Plan)}
    plan = Plan.read({name: given for name, given in parameters.items() if name in names})
    return words.overall(knowledge.judged(counts, plan))
