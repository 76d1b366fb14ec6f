"""From tables to pages: what a notebook shows, and how it becomes a report.

A notebook needs three names: ``from datamall.reporting import answer, show, figures``. The
command line needs `datamall.reporting.notebooks` and `datamall.reporting.pages`.
"""

from datamall.reporting import figures
from datamall.reporting.tables import answer, show

__all__ = ["answer", "figures", "show"]
