"""Mappings: read as they are, and refused in one sentence where they are wrong."""

import re
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from tiny_intake import STORE, fields, write_project

from datamall.errors import DatamallError
from datamall.mall.authorities import AUTHORITY_KEYS, SOURCE_KEYS, load_authority
from datamall.mall.contracts import load_contracts
from datamall.mall.expressions import columns_of, literal, type_of
from datamall.mall.fillings import COLUMN_KEYS
from datamall.mall.rawfiles import FILE_KEYS
from datamall.tabular.form import Notation


def test_a_mapping_is_read_in_full(tmp_path: Path) -> None:
    authority = load_authority(write_project(tmp_path), "tiny")
    assert (authority.authority, authority.title, authority.synthetic) == ("tiny", "Tiny", False)
    file = authority.files["list"]
    assert (file.path, file.encoding, file.separator, file.quote) == (
        "things*.csv",
        "windows-1252",
        ";",
        '"',
    )
    assert file.notation == Notation(",", ".", "%d-%m-%Y")
    mapping = authority.stores[STORE]
    assert mapping.sources[0].file is file
    assert list(mapping.columns) == ["id", "day", "amount", "weight", "colour"]
    assert mapping.sources[0].columns["colour"].map == {"rood": "red", "blauw": "blue"}


def test_what_is_delivered_and_what_is_constant(root: Path) -> None:
    inspections = load_authority(root, "open-data").stores["enforcement.inspections"]
    assert inspections.has("bulky")
    assert not inspections.has("cardboard")
    assert inspections.constant("observer_role")
    assert not inspections.constant("bulky")
    assert not inspections.constant("cardboard")


def test_every_mapping_of_the_project_is_sound(root: Path) -> None:
    for path in (root / "data" / "authorities").glob("*.yaml"):
        assert load_authority(root, path.stem).stores


def test_the_digest_of_a_mapping_is_about_how_a_file_is_read(tmp_path: Path) -> None:
    def digest(edit: Callable[[dict[str, Any]], object]) -> str:
        write_project(tmp_path, authority=edit)
        return load_authority(tmp_path, "tiny").stores[STORE].digest

    before = digest(lambda document: None)
    assert digest(lambda d: d.update(title="Other")) == before
    assert digest(lambda d: d["files"]["list"].update(source="elsewhere")) == before
    assert digest(lambda d: d["files"]["list"].update(decimal=".", thousands="")) != before
    assert digest(lambda d: fields(d)["colour"]["map"].update(bleu="blue")) != before


def file(**change: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["files"]["list"].update(change)


def fill(column: str, **filling: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: fields(document).update(
        {column: {name.rstrip("_"): value for name, value in filling.items()}}
    )


def expression(text: str) -> Callable[[dict[str, Any]], None]:
    return fill("id", expression=text)


def sheet(**change: Any) -> Callable[[dict[str, Any]], None]:
    def edit(document: dict[str, Any]) -> None:
        document["files"]["list"] = {"path": "x.xlsx", "format": "xlsx"}
        document["stores"][STORE].update(change)

    return edit


def daily(**change: Any) -> Callable[[dict[str, Any]], None]:
    return file(**{"path": "%Y-%m-%d.csv", "days": "2025-01-01/2025-12-31", **change})


def store(**change: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["stores"][STORE].update(change)


def unpivot(**change: Any) -> Callable[[dict[str, Any]], None]:
    return store(unpivot={"headers": "[0-9]+", "name": "Dag", "value": "Aantal", **change})


def events(headers: Any, **change: Any) -> Callable[[dict[str, Any]], None]:
    return store(events=headers, **change)


def sources(*own: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    def edit(document: dict[str, Any]) -> None:
        first = document["stores"][STORE]
        document["stores"][STORE] = {"sources": [{**first, **change} for change in own]}

    return edit


SHAPES = [
    (file(format="parquet", header_row=2), "has no meaning for parquet"),
    (file(header_row=2, columns=["Nr"]), "columns names what has no header.*keep one"),
    (file(missing="-"), r"missing must be a list of texts, such as"),
    (store(totals=["Totaal"]), r"totals says which words mark a total under which header"),
    (store(totals={"Nr": "Totaal"}), r"totals says which words mark a total under which header"),
    (lambda d: d["files"]["list"].update(format="xlsx"), "encoding has no meaning for xlsx"),
    (
        lambda d: d["files"].update(x={"path": "x.xlsx", "format": "xlsx", "header_row": 0}),
        "file x: header_row must be the number of a row, from 1",
    ),
    (file(may_be_empty="yes"), "may_be_empty must be true or false"),
    (file(trailing_separator=1), "trailing_separator must be true or false"),
    (daily(days="2025"), "days must be the first and the last day.*not '2025'"),
    (daily(days="2025-12-31/2025-01-01"), "days must be the first and the last day"),
    (daily(days="2025-02-30/2025-03-01"), "days must be the first and the last day"),
    (daily(days="1800-01-01/2025-01-01"), "days are more than a hundred years"),
    (daily(path="%Y-%m.csv"), "path gives the same name on two days"),
    (daily(found_under="x.csv"), "found_under gives the same name on two days"),
    (daily(path="%Y-%m-%d_*.csv"), r"with days, path has dates in it and no \*"),
    (sheet(), "name the sheet of the workbook"),
    (sheet(sheet=1), "sheet must be text"),
    (store(sheet="x"), "sheet has no meaning for csv"),
    (store(where=True), "where must be text"),
    (store(where="true"), "where reads no field: `true` is the same for all records"),
    (store(where="Nr || 'x'"), r"where: `Nr \|\| 'x'` gives VARCHAR: write what is true"),
    (store(where="Nr ="), "where: `Nr =` is no SQL expression"),
    (store(where="random() > 0.5"), r"uses random\(\)"),
    (unpivot(headers="["), r"unpivot: headers '\[' is no regular expression"),
    (unpivot(headers=""), "unpivot: headers is '': it must be text"),
    (unpivot(value="Dag"), "name and value are the same"),
    (unpivot(name="Uur"), "no column is filled from 'Uur', which is the name: use it"),
    (unpivot(name="#1"), "name must not begin with #"),
    (unpivot(step=1), "unpivot: unknown key 'step'"),
    (store(unpivot={"headers": "x"}), "unpivot: name is missing"),
    (events("Nr"), "events lists the headers that identify an event"),
    (events([""]), "events lists the headers that identify an event"),
    (events(["Nr"]), "a row of shop.things is a statement, not a tally of events"),
    (sources({}), "sources must be a list of two or more"),
    (sources({}, {"file": "x"}), "store shop.things, source 2: no file is called 'x'"),
    (sources({}, {"sort": "x"}), "source 2: unknown key 'sort'"),
    (
        lambda d: d["stores"][STORE].update(sources=[]),
        "store shop.things: unknown key 'file': there are sources",
    ),
]
MISTAKES = [
    *SHAPES,
    (lambda d: d.update(authority="other"), "authority is 'other', not 'tiny'"),
    (lambda d: d.update(colour=1), "unknown key 'colour': there are authority, title"),
    (lambda d: d.pop("title"), "the key 'title' is missing"),
    (lambda d: d.update(synthetic="no"), "say `synthetic: true`"),
    (lambda d: d.update(files={}), "files must hold one or more names"),
    (file(paths="x"), "file list: unknown key 'paths'"),
    (lambda d: d["files"]["list"].pop("path"), "file list: the key 'path' is missing"),
    (file(separator=1), "separator must be text"),
    (file(path="../x.csv"), "path must lie below data/raw"),
    (file(path="**x.csv"), r"path '\*\*x\.csv' has \*\* beside other characters"),
    (file(path="/etc/passwd"), "path must lie below data/raw"),
    (file(format="ods"), "format must be csv, fixed, json, .* parquet or xlsx, not 'ods'"),
    (file(format="parquet"), "encoding has no meaning for parquet"),
    (file(sha256="0" * 64), r"a file with a sha256 has a full path"),
    (file(path="x.csv", sha256="ABC"), "sha256 must be 64 lower-case hexadecimal digits"),
    (file(url="http://example.org/x.csv"), "url must start with https:"),
    (file(encoding="dutch"), "no encoding is called 'dutch'"),
    (file(encoding="base64"), "no encoding is called 'base64'"),
    (file(separator=";;"), "separator must be one character, not ';;'"),
    (file(separator='"'), "one character has two meanings"),
    (file(decimal="."), "one character has two meanings"),
    (file(date_format="%Q"), "date_format '%Q' is no date format"),
    (file(date_format="%m-%Y"), "date_format '%m-%Y' is no date format"),
    (file(date_format="%d-%M-%Y"), "'%d-%M-%Y' is no date format.*%M are minutes"),
    (file(date_format="%d-%%m-%Y"), "'%d-%%m-%Y' is no date format"),
    (file(date_format="%d-%Y"), "date_format '%d-%Y' is no date format"),
    (file(date_format="day"), "date_format 'day' is no date format"),
    (lambda d: d["stores"].update({"shop.x": {}}), "no contract for store 'shop.x': there are"),
    (lambda d: d["stores"][STORE].update(sort=1), "store shop.things: unknown key 'sort'"),
    (lambda d: d["stores"][STORE].update(file="x"), "no file is called 'x': there are list"),
    (lambda d: d["stores"][STORE].update(distinct="yes"), "distinct must be true or false"),
    (fill("size", value="1"), "the contract has no column 'size': there are id, day, amount"),
    (lambda d: fields(d).pop("amount"), "the contract requires column amount"),
    (fill("id", from_="Nr", value="1"), "column id: fill it in one way.*not from and value"),
    (fill("id", value="1", expression="Nr"), "fill it in one way"),
    (fill("id", expression="Nr", map={"a": "b"}), "fill it in one way.*expression and map"),
    (fill("id"), "fill it in one way.*not none"),
    (fill("amount", value=7), "column amount: value must be text: write it between quotes"),
    (fill("id", from_=" "), "from must be text"),
    (fill("colour", from_="Kleur", map={}), "map must hold one or more names"),
    (fill("colour", from_="Kleur", map={"rood": 1}), "map must lead to text or null"),
    (
        fill("colour", from_="Kleur", map={"rood": "green"}),
        "column colour: 'green' is not a value of the contract, which has red, blue",
    ),
    (fill("colour", value="green"), "'green' is not a value of the contract"),
    (expression("Week vanaf"), "`Week vanaf` .*(no SQL expression|more than one)"),
    (expression("Nr +"), r"`Nr \+` is no SQL expression: syntax error"),
    (expression("nosuch(Nr)"), "cannot be worked out.*nosuch"),
    (expression("max(Nr)"), "cannot be worked out"),
    (expression("Nr || random()"), r"uses random\(\), which does not always give the same"),
    (expression("now()"), r"uses now\(\)"),
    (expression("(SELECT 1)"), "holds a subquery"),
    (expression("row_number() OVER ()"), "holds a window"),
    (expression("list.Nr"), "reads list.Nr: write a name with a point"),
    (expression("Nr) FROM read_text('x') WHERE (true"), "is more than one expression"),
    (expression("Nr, Dag"), r"`Nr, Dag` gives STRUCT\(.*\): write one that gives text, a number"),
    (expression("[Nr]"), r"gives VARCHAR\[\]: write one"),
    (expression("map([Nr], [Dag])"), r"gives MAP\(VARCHAR, VARCHAR\): write one"),
    (expression("union_value(a := Nr)"), r"gives UNION\(.*: write one"),
    (lambda d: d.update(language="nl"), "unknown key 'language'"),
    (expression("Nr), (Dag"), "is more than one expression"),
    (expression("Nr) ORDER BY (Dag"), "is more than one expression"),
    (
        lambda d: (
            fields(d).update({name: {"value": "1"} for name in fields(d) if name != "colour"})
            or fields(d).pop("colour")
        ),
        "no column is read from the file",
    ),
]


@pytest.mark.parametrize(("edit", "sentence"), MISTAKES)
def test_a_mistake_is_one_sentence(
    tmp_path: Path, edit: Callable[[dict[str, Any]], object], sentence: str
) -> None:
    write_project(tmp_path, authority=edit)
    with pytest.raises(DatamallError) as caught:
        load_authority(tmp_path, "tiny")
    said = str(caught.value)
    assert re.search(sentence, said), said
    assert said.startswith("data/authorities/tiny.yaml")
    assert said.endswith(".")
    assert "\n" not in said


@pytest.mark.parametrize("written", ["%-d/%-m/%Y", "%B %d, %Y", "%d %b %y", "%Y%j"])
def test_forms_of_dates(tmp_path: Path, written: str) -> None:
    root = write_project(tmp_path, authority=file(date_format=written))
    assert load_authority(root, "tiny").files["list"].notation.date_format == written


@pytest.mark.parametrize(
    "name", ["results", "quality", "Tiny", "1a", "-a", "a_b", "../tiny", "", "tiny\n", "a" * 41]
)
def test_names_of_authorities_are_plain(tmp_path: Path, name: str) -> None:
    write_project(tmp_path)
    with pytest.raises(DatamallError, match=r"^An authority cannot be called .*quality\.$"):
        load_authority(tmp_path, name)


def test_an_authority_is_not_called_like_a_report(tmp_path: Path) -> None:
    write_project(tmp_path, authority=lambda d: d.update(authority="corners"))
    folder = tmp_path / "data" / "authorities"
    (folder / "tiny.yaml").rename(folder / "corners.yaml")
    (tmp_path / "notebooks").mkdir()
    load_authority(tmp_path, "corners")
    (tmp_path / "notebooks" / "corners.ipynb").touch()
    with pytest.raises(DatamallError, match="not that of a notebook"):
        load_authority(tmp_path, "corners")


def test_names_of_authorities_may_be_long(tmp_path: Path) -> None:
    name = "a" * 38 + "-1"
    write_project(tmp_path, authority=lambda d: d.update(authority=name))
    folder = tmp_path / "data" / "authorities"
    (folder / "tiny.yaml").rename(folder / f"{name}.yaml")
    assert load_authority(tmp_path, name).authority == name


def test_an_unknown_authority(tmp_path: Path) -> None:
    with pytest.raises(DatamallError, match="No authority called 'other': there are tiny; to add"):
        load_authority(write_project(tmp_path), "other")


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("'A' || column00", ["column00"]),
        ('upper("Week vanaf") -- a note', ["Week vanaf"]),
        ("CASE WHEN a IN ('x', 'y') AND NOT b IS NULL THEN c[1] ELSE d::date END", list("abcd")),
        ("a BETWEEN b AND a", ["a", "b"]),
        ("1 + 1", []),
    ],
)
def test_columns_of_an_expression(text: str, columns: list[str]) -> None:
    assert columns_of(text) == columns


def test_type_of_an_expression() -> None:
    assert type_of("a || 'x'", {"a": "VARCHAR"}) == "VARCHAR"
    assert type_of("make_date(2025, 1, a)", {"a": "BIGINT"}) == "DATE"


def test_literals_cannot_end_early() -> None:
    assert literal("it's") == "'it''s'"
    assert literal(None) == "NULL"


def test_lines_that_are_taken_over(tmp_path: Path) -> None:
    root = write_project(tmp_path)
    path = root / "data" / "authorities" / "tiny.yaml"
    path.write_text(
        """
        authority: tiny
        title: Tiny
        synthetic: false
        files: {list: {path: a.csv, format: csv}, other: {path: b.csv, format: csv}}
        stores:
          shop.things:
            sources:
              - file: list
                columns: &same
                  id: {from: Nr}
                  day: {from: Dag}
                  amount: {from: Aantal}
              - file: other
                columns: {<<: *same, amount: {value: "1"}}
        """,
        encoding="utf-8",
    )
    first, second = load_authority(root, "tiny").stores[STORE].sources
    assert first.columns["id"] == second.columns["id"]
    assert (first.columns["amount"].header, second.columns["amount"].value) == ("Aantal", "1")
    path.write_text(path.read_text("utf-8").replace('"1"}}', '"1"}, amount: {value: "2"}}'))
    with pytest.raises(DatamallError, match="the key 'amount' is given twice"):
        load_authority(root, "tiny")


def test_the_how_to_is_complete_and_true(root: Path, tmp_path: Path) -> None:
    text = (root / "docs" / "add-an-authority.md").read_text("utf-8")
    words = text + (root / "docs" / "raw-files.md").read_text("utf-8")
    for key in (*AUTHORITY_KEYS, *FILE_KEYS, *SOURCE_KEYS, *COLUMN_KEYS):
        assert re.search(rf"`[^`]*\b{key}\b|^ *{key}:", words, re.MULTILINE), key
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    mapping = "authority: new\ntitle: New\nsynthetic: false\n" + "".join(map(dedent, blocks))
    (tmp_path / "data" / "authorities").mkdir(parents=True)
    (tmp_path / "data" / "authorities" / "new.yaml").write_text(mapping, encoding="utf-8")
    authority = load_authority(tmp_path, "new", load_contracts(root))
    assert list(authority.stores) == ["enforcement.inspections"]
