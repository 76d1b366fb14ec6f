"""Workbooks for tests, as little as can be read, with cells that few writers make."""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from xml.sax.saxutils import escape


@dataclass(frozen=True)
class Fault:
    """A cell that shows an error, such as #N/A."""

    text: str


@dataclass(frozen=True)
class Formula:
    """A cell with a formula and its value; None: it was never calculated."""

    text: str
    value: float | str | None


@dataclass(frozen=True)
class Padded:
    """A value in a format that shows whole numbers with four digits, and no text otherwise."""

    value: int | str


def workbook(*rows: Sequence[Any], name: str = "Cijfers", merged: str = "") -> bytes:
    """Return a workbook with one sheet; `merged` is a range of cells such as A2:A3."""

    def cell(value: Any, at: str) -> str:
        if value is None or value == "":
            return ""
        if isinstance(value, str):
            return f'<c r="{at}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'
        if isinstance(value, Fault):
            return f'<c r="{at}" t="e"><v>{value.text}</v></c>'
        if isinstance(value, Formula):
            kind = ' t="str"' if isinstance(value.value, str) else ""
            own = "<v></v>" if value.value is None else f"<v>{value.value}</v>"
            return f'<c r="{at}"{kind}><f>{value.text}</f>{own}</c>'
        if isinstance(value, bool):
            return f'<c r="{at}" t="b"><v>{int(value)}</v></c>'
        if isinstance(value, Padded):
            kind = ' t="str"' if isinstance(value.value, str) else ""
            return f'<c r="{at}" s="2"{kind}><v>{value.value}</v></c>'
        style = ' s="1"' if isinstance(value, date) else ""
        number = (value - date(1899, 12, 30)).days if isinstance(value, date) else value
        return f'<c r="{at}"{style}><v>{number}</v></c>'

    lines = "".join(
        f'<row r="{n}">{"".join(cell(v, f"{chr(65 + i)}{n}") for i, v in enumerate(row))}</row>'
        for n, row in enumerate(rows, 1)
    )
    over = f'<mergeCells><mergeCell ref="{merged}"/></mergeCells>' if merged else ""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    links = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{links}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{links}"><sheets>'
        f'<sheet name="{name}" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{links}/worksheet" Target="sheet.xml"/>'
        f'<Relationship Id="r2" Type="{links}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{main}"><numFmts><numFmt numFmtId="164" '
        'formatCode="0000"/></numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/>'
        '<xf numFmtId="164"/></cellXfs></styleSheet>',
        "xl/sheet.xml": f'<worksheet xmlns="{main}"><sheetData>{lines}</sheetData>{over}'
        "</worksheet>",
    }
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for part, text in parts.items():
            archive.writestr(part, '<?xml version="1.0" encoding="UTF-8"?>' + text)
    return bytes(target.getvalue())
