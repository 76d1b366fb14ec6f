"""Rounds of collection trucks: which places a truck serves today, in which order, and why not.

Pure functions from tables to tables. PyVRP searches; every time, load and reason in a table is
reckoned again here from its routes.
"""

from datamall.enforcement.routing.apart import redirect_by_kinds
from datamall.enforcement.routing.plan import Plan, plan
from datamall.enforcement.routing.redirect import Redirect, redirect
from datamall.enforcement.routing.settings import Settings

__all__ = ["Plan", "Redirect", "Settings", "plan", "redirect", "redirect_by_kinds"]
