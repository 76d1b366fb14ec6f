"""Outlines as well-known text (OGC 06-103r4), in which databases and maps write geometries."""

import json
import re
from typing import Any

# How deep points lie in lists, and how deep those are that belong to one part.
DEPTHS = {
    "POLYGON": (3, 2),
    "MULTIPOLYGON": (4, 2),
    "LINESTRING": (2, 1),
    "MULTILINESTRING": (3, 1),
}
FORM = re.compile(rf"({'|'.join(DEPTHS)})\s*(?:Z|M|ZM)?\s*(\([-+.0-9Ee(),\s]*\))", re.IGNORECASE)

Ring = list[list[float]]  # pairs of x and y


def written(kind: str, coordinates: Any) -> str:
    """Return a geometry as text, given its type and coordinates as in GeoJSON."""
    inside = _inside(coordinates)
    return f"{kind.upper()} {inside if inside.startswith('(') else f'({inside})'}"


def _inside(value: Any) -> str:
    if not isinstance(value, list):
        return f"{value:.12g}" if isinstance(value, float) else str(value)
    if value and not isinstance(value[0], list):
        return " ".join(map(_inside, value))
    return f"({', '.join(map(_inside, value))})"


def read(text: str) -> tuple[str, list[list[Ring]]]:
    """Return the name of a kind of outline, and its parts: rings of areas, the points of lines.

    Of a point all but the first two numbers is left out.

    Raises
    ------
    ValueError
        If the text is no outline.
    """
    found = FORM.fullmatch(text.strip())
    if not found:
        raise ValueError("no outline")
    kind = found[1].upper()
    points = re.sub(r"[^(),]*[^(),\s][^(),]*", _point, found[2])
    value = json.loads(points.replace("(", "[").replace(")", "]"))
    deep, own = DEPTHS[kind]
    if not _is_deep(value, deep):
        raise ValueError("no outline")
    parts = value if kind.startswith("MULTI") else [value]
    return kind, parts if own == 2 else [[line] for line in parts]


def _point(found: re.Match[str]) -> str:
    x, y, *_ = (float(number) for number in found[0].split())
    return json.dumps([x, y], allow_nan=False)


def _is_deep(value: Any, depth: int) -> bool:
    if depth == 0:
        return isinstance(value, float)
    return isinstance(value, list) and bool(value) and all(_is_deep(v, depth - 1) for v in value)
