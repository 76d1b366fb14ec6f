"""What an executed notebook may show. Its kernel is not trusted: what it says is data.

Tables and pictures come from `show`, `answer` and `figures`: the form of each is checked, and that
a table on the page is the one in its file. On pages about persons no row is one person; on all
pages nothing identifies one. Outputs that would are withheld before the notebook is on the disk.
"""

from __future__ import annotations

import base64
import csv
import io
import re
import tempfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from html.parser import HTMLParser
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datamall import identifiers
from datamall.errors import DatamallError
from datamall.imports import without_grammar
from datamall.reporting.tables import ANSWER, CSV, MISSING, PACKED, check_name, csv_of

with without_grammar():
    from nbformat import NotebookNode

if TYPE_CHECKING:
    import pyarrow as pa

TABLE = frozenset({"text/html", "text/plain", CSV, PACKED})
KINDS = {
    "table": TABLE,
    "numbers": TABLE,
    "figure": frozenset({"image/png", "text/plain"}),
    "absent": frozenset({"text/html", "text/plain"}),
    "answer": frozenset({"text/html", "text/plain", ANSWER}),
}
# Tag → the attributes that the functions of `tables` give it.
TAGS = {
    **dict.fromkeys(("table", "caption", "span", "thead", "tbody", "tr", "strong", "summary"), ()),
    "div": ("class", "role", "tabindex", "aria-label"),
    **dict.fromkeys(("p", "details", "td"), ("class",)),
    "th": ("class", "scope"),
}
PNG, CHUNKS = b"\x89PNG\r\n\x1a\n", (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"pHYs", b"IEND")
MOST_ROWS = 1_000  # of a table about persons; those of the demo have 56
APART = "\n" * 6
CODE = re.compile(r"(?=.*\d)[0-9A-Za-z_=-]{8,}")
WITHHELD = "withheld"
# Errors whose messages speak of code and not of data.
OF_CODE = (
    *("DatamallError", "Refused", "NameError", "SyntaxError", "ImportError", "ModuleNotFoundError"),
    *("AttributeError", "TypeError", "PermissionError"),
)


def outputs(notebook: NotebookNode) -> Iterator[tuple[int, NotebookNode]]:
    """Yield (number of the cell, output) for every output."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            yield cell.execution_count or 0, output


def join_streams(cell: NotebookNode) -> None:
    """Join what a cell printed, the chunks of which depend on timing; in place."""
    joined: list[NotebookNode] = []
    for output in cell.get("outputs", []):
        streams = joined and output.output_type == joined[-1].output_type == "stream"
        if streams and joined[-1].name == output.name:
            joined[-1].text += output.text
        else:
            joined.append(output)
    if "outputs" in cell:
        cell.outputs = joined


def withhold(notebook: NotebookNode, people: Collection[str] | None) -> None:
    """Take out of a notebook what identifies persons, and say so in its place.

    Parameters
    ----------
    notebook
        Executed, finished or not; changed in place.
    people
        Of a page about persons, the columns that hold their numbers; None: a page about things.
    """
    clean: set[str] = set()
    for cell in notebook.cells:
        join_streams(cell)
    for _, output in outputs(notebook):
        if output.output_type == "error":
            why = _identifies([output.evalue, *output.traceback], people)
            if why or (people is not None and output.ename not in OF_CODE):
                holds = f"holds {why}" if why else "may hold data"
                output.evalue = (
                    f"its message is withheld, since it {holds}; run the cell in JupyterLab to "
                    "read it"
                )
                output.traceback = []
        elif why := _leak(output, people, clean):
            output.clear()
            output.update(
                output_type="display_data",
                data={"text/plain": f"Withheld: it {why}."},
                metadata=NotebookNode(datamall=NotebookNode(kind=WITHHELD, why=why)),
            )


def _leak(output: NotebookNode, people: Collection[str] | None, clean: set[str]) -> str | None:
    """Return what an output shows of persons, in words that follow on "it"; None if nothing.

    `clean` are values of columns that identify nobody. It grows: in the tables of a large city the
    same hundred thousands of places come again and again.
    """
    try:
        return _shown(output, people, clean)
    except (ValueError, TypeError, AttributeError, LookupError, csv.Error, zlib.error):
        return "shows what cannot be read as a table, a figure or a text"


def _shown(output: NotebookNode, people: Collection[str] | None, clean: set[str]) -> str | None:
    data = output.get("data", {})
    about = output.get("metadata", {}).get("datamall", {})
    about.get("kind"), about.get("columns", {}).get("")  # are what they should be
    if "image/png" in data:
        base64.b64decode("".join(data["image/png"].split()), validate=True)
    table = csv_of(data)
    texts = [output.get("text", ""), *_strings(output.get("metadata", {}))]
    texts += [v for kind, part in data.items() if kind[:6] != "image/" for v in _strings(part)]
    if table is not None:
        if why := _rows(table, about.get("columns", {}), people, clean):
            return why
        texts = [text for text in texts if text not in (data.get(CSV), data.get(PACKED))]
    why = _identifies((re.sub(r"<[^>]+>", "\n", text) for text in texts), people)
    return f"shows {why}" if why else None


def _identifies(texts: Iterable[str], people: Collection[str] | None) -> str | None:
    found = (identifiers.found(text, strict=people is not None) for text in texts)
    return next(filter(None, found), None)


def _strings(part: Any) -> Iterator[str]:
    """Yield all texts of a part of an output, and its numbers as text."""
    if isinstance(part, Mapping):
        for name, value in part.items():
            yield str(name)
            yield from _strings(value)
    elif isinstance(part, list | tuple):
        for value in part:
            yield from _strings(value)
    elif part is not None:
        yield str(part)


def _rows(
    table: bytes, kinds: Mapping[str, str], people: Collection[str] | None, clean: set[str]
) -> str | None:
    """Return what a table shows of persons; None if nothing."""
    [names] = islice(_read(table), 1)
    rows = _columns(table, names)
    if people is not None:
        if rows.num_rows > MOST_ROWS:
            most = f"{MOST_ROWS:,} is most"
            return f"shows {rows.num_rows:,} rows on a page about persons, where {most}"
        if held := {name.casefold() for name in people} & {name.casefold() for name in names}:
            return f"shows rows of persons, by the column {min(held)!r}"
    for name, column in zip(names, rows.columns, strict=True):
        if kinds.get(name) in ("number", "boolean"):
            continue
        values = [value for value in column.unique().to_pylist() if value]
        if identifiers.service_numbers(values):
            return f"shows citizen service numbers, in the column {name!r}"
        if people is None and kinds.get(name) == "integer":
            continue
        # At once; farther apart than anything that identifies somebody reaches.
        if why := _identifies([APART.join(v for v in values if v not in clean)], people):
            return f"shows {why}, in the column {name!r}"
        clean.update(values)
        if people is not None and len(values) >= identifiers.FEWEST:
            filled = sum(map(bool, column.to_pylist()))
            if filled == len(values) and all(map(CODE.fullmatch, values)):
                return f"shows rows of persons, by the codes in the column {name!r}"
    return None


def _columns(table: bytes, names: list[str]) -> pa.Table:
    """Return a CSV as columns of text, in order; a row of another length is an error."""
    import pyarrow as pa
    import pyarrow.csv

    places = [str(place) for place in range(len(names))]
    return pyarrow.csv.read_csv(
        pa.BufferReader(table),
        read_options=pyarrow.csv.ReadOptions(
            use_threads=False, column_names=places, skip_rows_after_names=1
        ),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(places, pa.string()), strings_can_be_null=False
        ),
    )


def _read(table: bytes) -> Iterator[list[str]]:
    return csv.reader(io.TextIOWrapper(io.BytesIO(table), encoding="utf-8", newline=""))


def check_outputs(notebook: NotebookNode, root: Path, where: str, how: str) -> None:
    """Refuse outputs that a report must not hold, and a notebook that did not run whole.

    Parameters
    ----------
    notebook
        Executed, after `withhold`.
    root
        Project folder.
    where, how
        Its name, and where to look, for the sentence.

    Raises
    ------
    DatamallError
        For a cell that did not run or failed, what was withheld, warnings or other text on stderr,
        tables, pictures and other media that were not handed to `show`, `answer` or `figures`,
        memory addresses, and paths of this machine.
    """
    _check_whole(notebook, where, how)
    places = [re.escape(str(p)) for p in (root.resolve(), tempfile.gettempdir(), Path.home())]
    private = re.compile(rf"\bat 0x[0-9a-fA-F]{{4,}}|(?:{'|'.join(places)}|/tmp)/")
    seen: set[str] = set()
    for number, output in outputs(notebook):
        cell = f"{where}, cell {number}"
        about = output.get("metadata", {}).get("datamall", {})
        data = output.get("data", {})
        if about.get("kind") == WITHHELD:
            raise DatamallError(f"{cell} {about['why']}: show counts instead; {how}.")
        if output.output_type == "stream" and output.name == "stderr":
            line = output.text.strip().splitlines()[-1]
            raise DatamallError(f"{cell} warns: {line!r}; mend the cause, {how}.")
        if wrong := _form(output):
            raise DatamallError(
                f"{cell} shows {wrong} of its own: hand it to show() or to a function "
                f"of figures, so that it has a caption and an alternative text; {how}."
            )
        texts = [output.get("text", ""), *(str(v) for k, v in data.items() if k[:6] != "image/")]
        found = next((m for m in map(private.search, texts) if m), None)
        if found:
            raise DatamallError(
                f"{cell} prints {found.group()!r}, a memory address or a path of this machine, "
                f"which differs from run to run: show a table instead; {how}."
            )
        if about.get("kind") in ("table", "numbers", "absent"):
            name = check_name(about.get("name", ""))
            if name in seen:
                raise DatamallError(f"{cell} uses the name {name!r} again: give it another.")
            seen.add(name)


def _check_whole(notebook: NotebookNode, where: str, how: str) -> None:
    """Refuse a notebook some of whose cells did not run to their end, such as after `exit()`."""
    cells = [c for c in notebook.cells if c.cell_type == "code" and c.source.strip()]
    for place, cell in enumerate(cells, start=1):
        failed = [output for output in cell.outputs if output.output_type == "error"]
        if failed or cell.execution_count != place:
            what = f"stopped with {failed[0].ename}" if failed else "did not run in its turn"
            raise DatamallError(
                f"{where}, cell {place} {what}, so the notebook is not whole: mend it and run all "
                f"of it; {how}."
            )


def _form(output: NotebookNode) -> str | None:
    """Return what an output shows that no function of this package gave it; None if nothing."""
    if output.output_type == "stream":
        return None
    data, metadata = output.get("data", {}), output.get("metadata", {})
    about = metadata.get("datamall", {})
    allowed = KINDS.get(about.get("kind"), frozenset({"text/plain"}))
    others = sorted({*data} - allowed)
    if others or {*metadata} - {"datamall", *(("image/png",) if "image/png" in data else ())}:
        named = any(kind == "text/html" or kind.startswith("image/") for kind in others)
        return "a table or picture" if named or not others else f"{others[0]!r}"
    if "image/png" in data and not _plain_picture(data["image/png"]):
        return "a picture with more than its pixels"
    if "text/html" in data:
        page = _Page(data["text/html"])
        table = csv_of(data) if allowed is TABLE else None
        if not page.plain or bool(page.rows) != (table is not None):
            return "a table or picture"
        if table is not None and not _shows(page.rows, table, about.get("columns", {})):
            return "a table that is not the one in its file, or one"
    return None


def _plain_picture(text: str) -> bool:
    """Return whether a PNG holds its pixels, and no text or anything after them."""
    content = base64.b64decode(text)
    place, kinds = len(PNG), []
    while content.startswith(PNG) and place < len(content):
        kinds.append(content[place + 4 : place + 8])
        place += 12 + int.from_bytes(content[place : place + 4], "big")
        if kinds[-1] == b"IEND":
            break
    return kinds[-1:] == [b"IEND"] and place == len(content) and {*kinds} <= {*CHUNKS}


class _Page(HTMLParser):
    """A piece of HTML: whether it has only what `tables` writes, and the rows of its table."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.plain, self.rows = True, list[list[str]]()
        self._cell = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.plain &= tag in TAGS and all(name in TAGS[tag] for name, _ in attrs)
        if tag == "tr":
            self.rows.append([])
        self._cell = tag in ("td", "th") and bool(self.rows)
        if self._cell:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._cell = False

    def handle_data(self, data: str) -> None:
        if self._cell:
            self.rows[-1][-1] += data

    def _other(self, data: str) -> None:
        self.plain = False

    handle_comment = handle_decl = handle_pi = unknown_decl = _other  # type: ignore[assignment]


def _shows(shown: list[list[str]], table: bytes, kinds: Mapping[str, str]) -> bool:
    """Return whether the rows on the page are the first ones of the table in the file."""
    head, *body = shown
    names, *rows = islice(_read(table), len(shown))
    if len(head) != len(names) or len(body) > len(rows):
        return False
    pairs = list(zip(body, rows, strict=True))
    return all(
        len(cells) == len(names)
        and all(
            _same(cell, value, kinds.get(name, ""))
            for cell, value, name in zip(cells, row, names, strict=True)
        )
        for cells, row in pairs
    )


def _same(cell: str, value: str, kind: str) -> bool:
    """Return whether a cell on the page says what the file says, as `tables` writes it."""
    if cell == MISSING:
        return not value or value == MISSING
    if kind == "integer":
        return cell.replace(",", "") == value
    if kind == "number":
        return bool(re.fullmatch(r"[<>]?−?(?:[\d,]+(?:\.\d+)?|∞)", cell))
    if kind == "boolean":
        return cell == {"True": "yes", "False": "no"}.get(value)
    return value.startswith(cell)
