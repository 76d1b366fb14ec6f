"""Bias audits on counts: usable on any city's cells, without the rest of the project."""

from datamall.fairness.auditing import Audit, audit
from datamall.fairness.bounds import Bounds
from datamall.fairness.cells import Cells
from datamall.fairness.plan import Plan

__all__ = ["Audit", "Bounds", "Cells", "Plan", "audit"]
