"""Tables for people and for machines: one rounding, one CSV, one accessible HTML table.

The kernel that runs a notebook may not write to the project. So what a notebook shows travels as
a cell output: HTML for the reader, and the whole table as CSV under a media type of its own,
from which the runner (`datamall.reporting.notebooks`) writes ``results/``.
"""

from __future__ import annotations

import base64
import math
import re
import zlib
from collections.abc import Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from datamall.errors import DatamallError
from datamall.reporting.rounding import round_number, rounded
from datamall.requirements import Absent, unfilled

if TYPE_CHECKING:
    import pandas as pd

CSV = "application/vnd.datamall.csv"
PACKED = "application/vnd.datamall.csv+zlib"  # of long tables, base64: notebooks stay small
ANSWER = "application/vnd.datamall.answer+json"
NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
# Files that the runner itself writes into results/.
RESERVED = ("answer", "metrics", "absent", "parameters", "provenance")
VERDICTS = ("PASS", "FAIL", "NOT ENOUGH EVIDENCE")
MISSING = "–"
LONG = 24  # letters; shorter texts stay on one line
PACKED_ROWS, CHUNK_ROWS = 20_000, 10_000
LARGEST = 1 << 30  # bytes of an unpacked table

Bundle = tuple[dict[str, Any], dict[str, Any]]  # data and metadata of one cell output


def csv_text(frame: pd.DataFrame) -> str:
    """Return a table as CSV: rounded, commas, line feeds, missing values empty, no index."""
    return rounded(frame).to_csv(index=False, lineterminator="\n")


def csv_output(frame: pd.DataFrame) -> dict[str, str]:
    """Return a table as output: its CSV by media type, packed where it is long."""
    if len(frame) <= PACKED_ROWS:
        return {CSV: csv_text(frame)}
    pack = zlib.compressobj(1)  # five times as fast as usual, for a seventh more
    parts = []
    for start in range(0, len(frame), CHUNK_ROWS):
        text = csv_text(frame.iloc[start : start + CHUNK_ROWS])
        parts.append(pack.compress((text if not start else text.partition("\n")[2]).encode()))
    return {PACKED: base64.b64encode(b"".join([*parts, pack.flush()])).decode("ascii")}


def csv_of(data: Mapping[str, str]) -> bytes | None:
    """Return the CSV that an output carries, packed or not, or None.

    Raises
    ------
    ValueError, zlib.error
        When it is not packed as `csv_output` does it, or is larger than `LARGEST`.
    """
    if PACKED in data:
        unpack = zlib.decompressobj()
        text = unpack.decompress(base64.b64decode(data[PACKED]), LARGEST)
        if not unpack.eof:
            raise ValueError("It is cut off, or unpacks to more than a table may hold.")
        return text
    return data[CSV].encode() if CSV in data else None


def kinds(frame: pd.DataFrame) -> dict[str, str]:
    """Return the kind of each column: integer, number, boolean or text.

    CSV has no types; with these the runner can turn it into JSON without guessing whether
    ``0012`` is a number.
    """
    from pandas.api import types

    tests = {
        "boolean": types.is_bool_dtype,
        "integer": types.is_integer_dtype,
        "number": types.is_float_dtype,
    }
    return {
        str(name): next((kind for kind, test in tests.items() if test(values.dtype)), "text")
        for name, values in frame.items()
    }


def html_table(
    frame: pd.DataFrame,
    caption: str,
    *,
    rows: int = 15,
    headings: Mapping[str, str] | None = None,
) -> str:
    """Return an accessible HTML table of the first rows.

    It has a caption, a scope for every heading (the first column heads its row), numbers aligned
    right with as many decimals as the largest of the column needs, and a scroll region that the
    keyboard can reach. All text is escaped.

    Parameters
    ----------
    frame
        Table to show; its index is left out.
    caption
        What the table holds, with units where they are not in the headings.
    rows
        How many rows to show at most; a note says how many there are.
    headings
        Column → heading. Without one, the name of the column with spaces for underscores.
    """
    shown = rounded(frame.head(rows))
    kind = kinds(shown)
    titles = {str(c): (headings or {}).get(str(c)) or heading(str(c)) for c in shown.columns}
    columns = {str(name): _readable(str(name), v, kind[str(name)]) for name, v in shown.items()}
    style = {name: _style(kind[name], cells) for name, cells in columns.items()}
    head = "".join(f'<th scope="col"{style[n]}>{escape(t)}</th>' for n, t in titles.items())
    body = []
    for cells in zip(*columns.values(), strict=True):
        row = [
            f"<td{style[name]}>{escape(cell)}</td>"
            if position
            else f'<th scope="row"{style[name]}>{escape(cell)}</th>'
            for position, (name, cell) in enumerate(zip(titles, cells, strict=True))
        ]
        body.append(f"<tr>{''.join(row)}</tr>\n")
    total = len(frame)
    note = f"The first {rows:,} of {total:,} rows." if total > rows else ""
    note = "No rows." if total == 0 else note
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="Table: {escape(caption)}">\n'
        f"<table>\n<caption><span>{escape(caption)}</span></caption>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{''.join(body)}</tbody>\n</table>\n</div>\n"
        + (f'<p class="note">{note}</p>\n' if note else "")
    )


def _style(kind: str, cells: list[str]) -> str:
    """Return the class of a column: numbers aligned right, long texts given room."""
    if kind in ("integer", "number"):
        return ' class="n"'
    longest = max(map(len, cells), default=0)
    return "" if longest <= LONG else ' class="prose"' if longest > 3 * LONG else ' class="long"'


def heading(name: str) -> str:
    """Return the name of a column as words."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def _readable(name: str, values: pd.Series, kind: str) -> list[str]:
    """Return the cells of a column as text for people."""
    known = values.notna()
    if kind == "boolean":
        texts = ["yes" if v else "no" for v in values.where(known, False)]
    elif kind == "integer":
        grouping = "" if name == "year" or name.endswith("_year") else ","
        texts = [f"{v:{grouping}}" for v in values.where(known, 0)]
    elif kind == "number":
        decimals = _decimals(values[known])
        texts = [_readable_number(v, decimals) for v in values]
    else:
        texts = [str(v) for v in values]
        if values.dtype.kind == "M" and (values.dropna() == values.dropna().dt.normalize()).all():
            texts = [text[:10] for text in texts]
    return [text if is_known else MISSING for text, is_known in zip(texts, known, strict=True)]


def _decimals(values: pd.Series) -> int:
    """Return decimals for a column: three significant digits of its largest value."""
    finite = [abs(v) for v in values if math.isfinite(v)]
    if not finite or all(v == int(v) for v in finite):
        return 0
    largest = max(finite)
    return min(max(0, 2 - math.floor(math.log10(largest))), 9)


def _readable_number(value: float, decimals: int) -> str:
    text = f"{value:,.{decimals}f}"
    if value and not text.strip("-0.,"):  # too small for these decimals, but not nothing
        text = f"<{10**-decimals:.{decimals}f}" if value > 0 else f">-{10**-decimals:.{decimals}f}"
    return text.replace("-", "−").replace("inf", "∞")


def check_name(name: str) -> str:
    """Return the name of a table or figure if it can be the name of a result file.

    Raises
    ------
    DatamallError
        When it is not lower-case letters, digits and underscores, or is taken by the runner.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name) or name in RESERVED:
        raise DatamallError(
            f"{name!r} cannot name a table or figure: use lower-case letters, digits and "
            f"underscores, begin with a letter, and not {', '.join(RESERVED)}."
        )
    return name


def check_text(text: str, what: str, name: str) -> str:
    """Return a text without surrounding space if there is any.

    Raises
    ------
    DatamallError
        When it is empty.
    """
    if not isinstance(text, str) or not text.strip():
        raise DatamallError(f"{name!r} has no {what}: write one for people who read the page.")
    return text.strip()


def table_bundle(
    frame: pd.DataFrame,
    name: str,
    caption: str,
    rows: int = 15,
    headings: Mapping[str, str] | None = None,
) -> Bundle:
    """Return the output that carries a table: HTML, the whole table as CSV, and its name."""
    caption = check_text(caption, "caption", check_name(name))
    if len(set(map(str, frame.columns))) != len(frame.columns):
        raise DatamallError(f"Table {name!r} has two columns of one name: rename one of them.")
    data = {
        "text/html": html_table(frame, caption, rows=rows, headings=headings),
        "text/plain": f"{caption} ({len(frame):,} rows)",
        **csv_output(frame),
    }
    about = {"kind": "table", "name": name, "caption": caption, "columns": kinds(frame)}
    return data, {"datamall": about}


def absent_bundle(lack: Absent, name: str) -> Bundle:
    """Return the output that stands where a chapter could not run."""
    sentence = f"{lack.chapter}. {lack.reason}"
    data = {
        "text/html": f'<p class="absent"><strong>{escape(lack.chapter)}.</strong> '
        f"{escape(lack.reason)}</p>\n",
        "text/plain": sentence,
    }
    about = {
        "kind": "absent",
        "name": check_name(name),
        "chapter": lack.chapter,
        "reason": lack.reason,
    }
    return data, {"datamall": about}


def answer_bundle(
    sentence: str,
    evidence: Iterable[str] = (),
    data: Any = None,
    metrics: Mapping[str, float] | None = None,
    verdict: str | None = None,
    facts: Mapping[str, str] | None = None,
) -> Bundle:
    """Return the output that carries the answer of a notebook; see `answer`."""
    sentence = check_text(sentence, "sentence", "The answer")
    if verdict is not None and verdict not in VERDICTS:
        raise DatamallError(f"{verdict!r} is no verdict: say {', '.join(VERDICTS)}.")
    about = {
        key: getattr(data, key, None)
        for key in ("purpose", "authority", "synthetic", "personal", "period", "not_delivered")
    }
    never = unfilled(data) if isinstance(data, Mapping) else ()
    about |= {"never_filled": list(never)} if never else {}
    payload: dict[str, Any] = {
        "sentence": sentence,
        "evidence": [check_text(text, "text", "A piece of evidence") for text in evidence],
        "metrics": {name: _metric(name, value) for name, value in (metrics or {}).items()},
        "verdict": verdict,
        "data": about,
    }
    if facts:
        payload["facts"] = {
            check_text(what, "text", "A fact"): check_text(text, "text", what)
            for what, text in facts.items()
        }
    html = f'<p class="sentence"><strong>{escape(sentence)}</strong></p>\n'
    html += "".join(
        f"<p><strong>{escape(what)}.</strong> {escape(text)}</p>\n"
        for what, text in (facts or {}).items()
    )
    if about["synthetic"]:
        html += "<p>Synthetic city: nothing here is about a real place.</p>\n"
    bundle = {"text/html": html, "text/plain": sentence, ANSWER: payload}
    return bundle, {"datamall": {"kind": "answer"}}


def _metric(name: str, value: Any) -> float | None:
    number = value.item() if hasattr(value, "item") else value
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise DatamallError(f"Metric {name!r} is {number!r}: metrics are single numbers.")
    return round_number(number) if math.isfinite(number) else None


def publish(data: dict[str, Any], metadata: dict[str, Any]) -> None:
    """Hand one output to the notebook."""
    from IPython.display import display

    display(data, metadata=metadata, raw=True)


def show(
    result: pd.DataFrame | Absent,
    name: str,
    caption: str,
    rows: int = 15,
    headings: Mapping[str, str] | None = None,
) -> None:
    """Show a table in the notebook and on the page, and keep it as a result.

    Parameters
    ----------
    result
        Table, or the `Absent` of a chapter that could not run: then its sentence is shown.
    name
        Name of the files ``results/<notebook>/<name>.csv`` and ``.json``.
    caption
        What the table holds.
    rows
        Rows on the page; the files hold all.
    headings
        Column → heading for people.

    Raises
    ------
    DatamallError
        When the name cannot be a file name or the caption is empty.
    """
    if isinstance(result, Absent):
        publish(*absent_bundle(result, name))
    else:
        publish(*table_bundle(result, name, caption, rows, headings))


def answer(
    sentence: str,
    evidence: Iterable[str] = (),
    data: Any = None,
    metrics: Mapping[str, float] | None = None,
    verdict: str | None = None,
    facts: Mapping[str, str] | None = None,
) -> None:
    """Give the answer of the notebook; the page puts it at the top.

    Parameters
    ----------
    sentence
        The answer with its interval.
    evidence
        Names of tables and figures that bear it (the page links to them), or sentences.
    data
        The extract; gives the date of the data, whether they are synthetic, what was not delivered
        and what was never filled.
    metrics
        Name → number, kept as ``results/<notebook>/metrics.json``.
    verdict
        Of an audit: ``PASS``, ``FAIL`` or ``NOT ENOUGH EVIDENCE``. The gate reads it.
    facts
        Of a page that is about one place: what is asked first → what is known, in the order in
        which the page says it below the sentence.

    Raises
    ------
    DatamallError
        When the sentence is empty, a metric is not a number or the verdict is none of the three.
    """
    publish(*answer_bundle(sentence, evidence, data, metrics, verdict, facts))
