"""Tables that fit where they are read: what needs more room than there is becomes a list.

`tables.html_table` or a template writes a table; a page adds to it how wide it is and what each
cell is called. With these the style sheet shows a row as a paragraph where the table would not fit,
so that no column is out of sight on a telephone or on paper.
"""

import math
import re
from html import unescape

# In rem, as in style.css: the least that a class of text gets, the space between columns, a letter
# of the widest usual font and of its bold one, a telephone, and more than fits on any screen.
LEAST = {"long": 9.0, "prose": 14.0}
GAP, LETTER, BOLD, NARROW, WIDEST, STEP = 1.2, 0.6, 0.66, 16.0, 68, 4
HEADING = re.compile(r"<th scope=\"col\"[^>]*>(.*?)</th>")
ROW = re.compile(r"<tr>(<th scope=\"row\".*?)</tr>", re.DOTALL)
CELL = re.compile(r"<(t[dh](?: scope=\"row\")?(?: class=\"(\w+)\")?)>(.*?)</t", re.DOTALL)
TAG = re.compile(r"<[^>]+>")


def fitted(table: str) -> str:
    """Return the HTML of a table with its width and with the name of each cell.

    Parameters
    ----------
    table
        As from `tables.html_table`, or written alike. One that is narrower than a telephone is
        returned as it is.

    Returns
    -------
    str
        The table has the class ``w20``, ``w24``, … up to ``w68``: the rem that it needs at least.
        Its cells have their heading as ``data-h``.
    """
    headings = HEADING.findall(table)
    rows = [CELL.findall(row) for row in ROW.findall(table)]
    columns = list(zip(*rows, strict=True)) or [()] * len(headings)
    named = zip(headings, columns, strict=True)
    need = sum(GAP + _least(heading, cells) for heading, cells in named) - GAP
    if need <= NARROW:
        return table
    width = min(STEP * math.ceil(need / STEP), WIDEST)
    table = table.replace("<table>", f'<table class="w{width}">', 1)
    return ROW.sub(lambda row: f"<tr>{_named(row[1], headings)}</tr>", table)


def _least(heading: str, cells: tuple[tuple[str, str, str], ...]) -> float:
    """Return the rem below which a column cannot be: numbers are never broken, texts at spaces."""
    texts = [(kind, TAG.sub("", text)) for _, kind, text in cells]
    parts = [part for kind, text in texts for part in ([text] if kind == "n" else text.split())]
    sizes = ((LETTER, parts), (BOLD, heading.split()))
    longest = max(size * max(map(len, map(unescape, own)), default=0) for size, own in sizes)
    return max(longest, *(LEAST.get(kind, 0.0) for kind, _ in texts), 0.0)


def _named(row: str, headings: list[str]) -> str:
    names = iter(heading.replace('"', "&quot;") for heading in headings)
    return CELL.sub(lambda cell: f'<{cell[1]} data-h="{next(names)}">{cell[3]}</t', row)
