"""Bias audits on counts: usable on any city's cells, without the rest of the project."""

from datamall.fairness.bounds import Bounds
from datamall.fairness.cells import Cells

__all__ = ["Bounds", "Cells"]
