"""Sheets of workbooks, read with the standard library."""

import posixpath
import re
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
LINK = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


def sheet(path: Path, name: str) -> list[dict[int, Any]]:
    """Return the rows of one sheet of a workbook as {column: value}; empty cells are absent."""
    with zipfile.ZipFile(path) as archive:

        def parse(part: str) -> ElementTree.Element:
            return ElementTree.fromstring(archive.read(part))

        def text(node: ElementTree.Element) -> str:
            return "".join(t.text or "" for t in node.iter(MAIN + "t"))

        shared = "xl/sharedStrings.xml"
        strings = [text(n) for n in parse(shared)] if shared in archive.namelist() else []
        links = {s.get("name"): s.get(LINK) for s in parse("xl/workbook.xml").iter(MAIN + "sheet")}
        parts = {r.get("Id"): r.get("Target") for r in parse("xl/_rels/workbook.xml.rels")}
        part = posixpath.join("/xl", str(parts[links[name]])).lstrip("/")
        rows = []
        for row in parse(part).iter(MAIN + "row"):
            cells: dict[int, Any] = {}
            for cell in row:
                letters = re.match("[A-Z]+", str(cell.get("r")))[0]  # type: ignore[index]
                column = sum((ord(c) - 64) * 26**i for i, c in enumerate(letters[::-1])) - 1
                kind, value = cell.get("t"), cell.findtext(MAIN + "v")
                if kind == "inlineStr":
                    cells[column] = text(cell)
                elif value is not None:
                    cells[column] = strings[int(value)] if kind == "s" else float(value)
            rows.append(cells)
        return rows
