"""Executed notebooks become self-contained, accessible pages. Alone knows nbconvert.

A page needs no network and no script, and forbids itself both by a content security policy. Its
answer comes first, whatever the place of the answer in the notebook. The notebook's first cell is
``# Title`` and paragraphs; one that begins ``**Question.**`` is printed above the answer, those
that begin ``**Do not conclude`` in a box beside it.
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape, unescape
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from datamall.errors import DatamallError
from datamall.reporting.cards import fitted
from datamall.reporting.tables import ANSWER, csv_of
from datamall.yamlfile import load_mapping

TEMPLATES = Path(__file__).parent / "templates"
ROW_HEAD = re.compile(r'(<th scope="row"[^>]*>)(.*?)(</th>)', re.DOTALL)
HEADING = re.compile(r"<h([1-6])>(.*?)</h\1>", re.DOTALL)
# Paragraphs of the first cell that have a place of their own on the page.
QUESTION = re.compile(r"\*\*Question\.?\*\*\s*")
CAUTION = re.compile(r"\*\*Do not conclude")
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)


def render(
    root: Path,
    authority: str,
    name: str,
    notebook: Any,
    choices: Mapping[str, tuple[Any, str, str]],
    provenance: Mapping[str, str],
    open_ways: Sequence[str],
    decisions: Sequence[Mapping[str, Any]] = (),
    linked: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
    place: Mapping[str, Any] | None = None,
) -> str:
    """Return the page of an executed notebook.

    Parameters
    ----------
    root, authority
        Project folder and authority, whose title and kind head the page.
    name
        Name of the notebook, as in ``results/<name>/``.
    notebook
        Executed and normalised notebook.
    choices
        Parameter → (value, what is allowed, help).
    provenance
        Name → SHA-256.
    open_ways
        What the kernel could do where it ran and should not, in words after "could have".
    decisions
        What was decided on what the page recommends (its table ``decisions``): ``about``,
        ``number``, ``recommended``, ``decided``, ``roles``, ``lacking``, ``why_different``,
        ``conditions``, ``dissent``, ``permits``, ``until``, ``current``, ``replaced`` and ``came``.
    linked
        Column → value → address of the page about it: where it heads the rows of a table, the
        value leads there.
    place
        Of a page about one place of many: ``key`` and ``name``, the places ``before`` and ``after``
        (`datamall.reporting.places.Place` or None), the page that it is part ``of`` with
        ``of_title``, the ``list`` there, and the ``number`` of places.

    Raises
    ------
    DatamallError
        When the notebook does not begin with a title, has two, or gives two answers.
    """
    about = about_authority(root, authority)
    title, opening = _title(notebook, name)
    _, caution, lede = _opening(opening)
    record = answered(root, authority, name, notebook)
    payload = _answer_payload(notebook, name)
    data = payload["data"] if payload else {}
    parts = _parts(notebook, linked)
    if place:
        title = f"{title} {place['key']}" + (f": {place['name']}" if place["name"] else "")
    chapters = [
        (unescape(found.group("id")), re.sub(r"<[^>]+>", "", found.group("text")))
        for part in parts
        for found in re.finditer(r'<h2 id="(?P<id>[^"]*)">(?P<text>.*?)</h2>', part.get("html", ""))
    ]
    captions = {part["name"]: part["caption"] for part in _shown(parts)}
    lacking = {part["name"] for part in _shown(parts) if part["kind"] == "absent"}
    html = environment().get_template("page.html.j2").render(
        name=name,
        title=title,
        lede=_markdown(lede),
        about=about,
        answer=record,
        period=period_in_words(record),
        rests_on=[
            (item, captions.get(item))
            for item in (record or {}).get("evidence", ())
            if item not in lacking
        ],
        caution=_markdown(caution),
        chapters=chapters,
        parts=parts,
        choices=choices,
        provenance=provenance,
        open_ways=open_ways if data.get("personal") is not False else (),
        decisions=decisions if "decisions" in captions and not place else None,
        place=place,
    )  # fmt: skip
    return tidy(html)


def answered(root: Path, authority: str, name: str, notebook: Any) -> dict[str, Any] | None:
    """Return ``answer.json`` as a dict; None when the notebook gives no answer.

    Raises
    ------
    DatamallError
        As for `render`.
    """
    about = about_authority(root, authority)
    title, opening = _title(notebook, name)
    question, caution, _ = _opening(opening)
    payload = _answer_payload(notebook, name)
    if payload is None:
        return None
    data = payload["data"]
    period = data.get("period") or {}
    record = {
        "title": title,
        "question": question,
        "sentence": payload["sentence"],
        "verdict": payload["verdict"],
        "caution": caution,
        "evidence": payload["evidence"],
        "authority": about["title"],
        "synthetic": about["synthetic"],
        "first_day": period.get("first_day"),
        "last_day": period.get("last_day"),
        "not_delivered": _flat(data.get("not_delivered")),
    }
    if payload.get("facts"):
        record["facts"] = payload["facts"]
    if "never_filled" in data:
        record["never_filled"] = _flat(data["never_filled"])
    return record


@cache
def environment() -> Environment:
    """Return the templates, with the style and the filter ``markdown``."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["markdown"] = lambda source: Markup(_markdown(source))
    made.filters["in_words"] = in_words
    made.filters["fitted"] = lambda table: Markup(fitted(str(table)))
    made.filters["counted"] = lambda number: "–" if number is None else f"{number:,}"
    made.globals["style"] = (TEMPLATES / "style.css").read_text("utf-8")
    return made


def in_words(value: Any) -> str:
    """Return the value of a parameter for readers: of nested ones the names."""
    if isinstance(value, Mapping):
        return ", ".join(map(str, value))
    if isinstance(value, list | tuple):
        return ", ".join(str(v["name"] if isinstance(v, Mapping) else v) for v in value)
    return str(value)


def tidy(html: str) -> str:
    """Drop trailing spaces; git shows them as mistakes."""
    return re.sub(r"[ \t]+\n", "\n", html).strip() + "\n"


def about_authority(root: Path, authority: str) -> dict[str, Any]:
    """Return the mapping of an authority: its title and kind head each page."""
    path = root / "data" / "authorities" / f"{authority}.yaml"
    if not path.is_file():
        raise DatamallError(f"No authority called {authority!r}: there is no file {path}.")
    return {"description": "", **load_mapping(path, f"data/authorities/{path.name}")}


def _title(notebook: Any, name: str) -> tuple[str, str]:
    """Return the title of a notebook and the text below it in the same cell."""
    texts = [c.source if c.cell_type == "markdown" else "" for c in notebook.cells] or [""]
    found = re.match(r"#\s+(.+)", texts[0])
    rest = texts[0][found.end() :] if found else ""
    again = any(re.search(r"(?m)^#\s", _without_code(text)) for text in (rest, *texts[1:]))
    if not found or again:
        raise DatamallError(
            f"Notebook {name} must begin with one '# Title' and have no second one: "
            "make its chapters '## Chapter'."
        )
    return found.group(1).strip(), rest.strip()


def _without_code(markdown: str) -> str:
    return re.sub(r"(?ms)^```.*?^```", "", markdown)


def _answer_payload(notebook: Any, name: str) -> dict[str, Any] | None:
    found = [
        output.data[ANSWER]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if ANSWER in output.get("data", {})
    ]
    if len(found) > 1:
        raise DatamallError(f"Notebook {name} gives {len(found)} answers: keep one.")
    return found[0] if found else None


def _opening(text: str) -> tuple[str, str, str]:
    """Return the question, what must not be concluded, and the rest of the first cell."""
    question: list[str] = []
    caution: list[str] = []
    rest: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text):
        found = QUESTION.match(paragraph)
        if found:
            question.append(" ".join(paragraph[found.end() :].split()))
        else:
            (caution if CAUTION.match(paragraph) else rest).append(paragraph)
    return " ".join(question), "\n\n".join(caution), "\n\n".join(rest).strip()


def _parts(notebook: Any, linked: Mapping[str, Mapping[str, str]]) -> list[dict[str, Any]]:
    """Return all cells but the first and the parameters, ready for the template."""
    parts: list[dict[str, Any]] = []
    for cell in notebook.cells[1:]:
        if cell.cell_type == "markdown":
            parts.append({"kind": "text", "html": _markdown(cell.source)})
        elif cell.cell_type == "code" and not _is_parameters(cell):
            source = cell.source
            if parts and parts[-1]["kind"] == "code" and not parts[-1]["outputs"]:
                source = parts.pop()["source"] + "\n\n" + source
            parts.append({"kind": "code", "source": source, "outputs": _outputs(cell, linked)})
    return parts


def _is_parameters(cell: Any) -> bool:
    return bool({"parameters", "injected-parameters"} & set(cell.metadata.get("tags", [])))


def _outputs(cell: Any, linked: Mapping[str, Mapping[str, str]]) -> list[dict[str, Any]]:
    """Return what a cell shows, ready for the template; the answer is left to the top."""
    shown: list[dict[str, Any]] = []
    for output in cell.outputs:
        about = output.get("metadata", {}).get("datamall", {})
        kind = about.get("kind")
        # What could not run goes by the title of its chapter.
        caption = about.get("chapter") if kind == "absent" else about.get("caption")
        named = {"kind": kind, "name": about.get("name"), "caption": caption}
        data = output.get("data", {})
        if kind == "figure":
            wide, high = struct.unpack(">II", base64.b64decode(data["image/png"])[16:24])
            alt = output.metadata["image/png"]["alt"]
            png = data["image/png"].replace("\n", "")
            picture = {"png": png, "alt": alt, "width": wide, "height": high}
            shown.append({**named, **picture, "spots": _spots(about, linked)})
        elif kind == "numbers":
            shown[-1]["numbers"] = _with_links(data, linked)
        elif kind in ("table", "absent"):
            shown.append({**named, "html": _with_links(data, linked)})
        elif kind != "answer":
            text = output.get("text") or data.get("text/plain", "")
            shown.append({"kind": "plain", "text": text})
    return shown


def _spots(
    about: Mapping[str, Any], linked: Mapping[str, Mapping[str, str]]
) -> list[dict[str, str]]:
    """Return where on a map the pages of its places are to be found; what a kernel says is data."""
    known = linked.get(str(about.get("column")), {})
    return [
        {"key": key, "address": known[key], "left": f"{left:.1%}", "top": f"{top:.1%}"}
        for key, left, top in about.get("spots", ())
        if key in known and 0 <= float(left) <= 1 and 0 <= float(top) <= 1
    ]


def _with_links(data: Mapping[str, str], linked: Mapping[str, Mapping[str, str]]) -> str:
    """Return the HTML of a table, the heads of its rows leading to the pages about them."""
    table = csv_of(data) if linked else None
    first = table.partition(b"\n")[0].partition(b",")[0].decode("utf-8") if table else ""
    known = linked.get(first, {})

    def lead(found: re.Match[str]) -> str:
        head, text, tail = found.groups()
        address = known.get(unescape(text))
        return f'{head}<a href="{escape(address)}">{text}</a>{tail}' if address else found[0]

    html = fitted(data["text/html"])
    return ROW_HEAD.sub(lead, html) if known else html


def _shown(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [o for part in parts for o in part.get("outputs", []) if o.get("caption")]


def _markdown(source: str) -> str:
    """Return Markdown as HTML, with ids for headings; raw HTML is shown as text."""
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    renderer = IPythonRenderer(
        escape=True, exclude_anchor_links=True, allow_harmful_protocols=False
    )
    html = str(MarkdownWithMath(renderer=renderer).render(source)) if source else ""
    html = html.replace("<th>", '<th scope="col">').replace("<th ", '<th scope="col" ')

    def identify(found: re.Match[str]) -> str:
        level, text = found.groups()
        plain = unescape(re.sub(r"<[^>]+>", "", text)).lower()
        return f'<h{level} id="{re.sub(r"[^a-z0-9]+", "-", plain).strip("-")}">{text}</h{level}>'

    return HEADING.sub(identify, html)


def period_in_words(record: Mapping[str, Any] | None) -> str:
    """Return the days that the data are about in words, e.g. 2 January to 29 October 2025."""
    if not record or not record["first_day"] or not record["last_day"]:
        return "no date recorded"
    first, last = (_day(record[key]) for key in ("first_day", "last_day"))
    if first == last:
        return first
    year = first.split()[-1]
    return f"{first.removesuffix(f' {year}') if last.endswith(year) else first} to {last}"


def _day(iso: Any) -> str:
    year, month, day = (int(part) for part in str(iso)[:10].split("-"))
    return f"{day} {MONTHS[month - 1]} {year}"


def _flat(value: Any) -> list[str]:
    """Return names that were not delivered as one list, whether they come by store or not."""
    if isinstance(value, Mapping):
        return sorted(f"{store}.{name}" for store, names in value.items() for name in names or [])
    return sorted(str(name) for name in value or [])
