"""What an executed notebook may show, output by output."""

import base64
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
import yaml
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_output

from datamall.errors import DatamallError
from datamall.reporting import canvas, outputs, places, tables

NUMBERS = ["999990019", "999993653", "999990482"]
PEOPLE = ("client",)


def ran(*shown: NotebookNode, count: int | None = 1) -> NotebookNode:
    cell = new_code_cell("x", execution_count=count, outputs=list(shown))
    return new_notebook(cells=[cell])


def check(notebook: NotebookNode, people: Any = None) -> None:
    outputs.withhold(notebook, people)
    nbformat.validate(notebook)
    outputs.check_outputs(notebook, Path("/nowhere"), "Notebook n", "see it")


def display(data: dict[str, Any], metadata: dict[str, Any]) -> NotebookNode:
    return nbformat.from_dict(new_output("display_data", data=data, metadata=metadata))


def table(columns: dict[str, list], name: str = "t", caption: str = "A table") -> NotebookNode:
    return display(*tables.table_bundle(pd.DataFrame(columns), name, caption))


def printed(text: str) -> NotebookNode:
    return new_output("stream", name="stdout", text=text)


GOOD = {
    "place": ["c1", "c2", None],
    "visits": [1234, -5, 0],
    "rate": [0.25, 1e-9, float("nan")],
    "sure": [True, False, True],
    "day": pd.to_datetime(["2026-01-05", "2026-01-06", None]),
    "said": ["<b>a & b</b>", 'say "hi"\nto me', "–"],
}


@pytest.mark.parametrize("people", [None, PEOPLE])
def test_what_the_functions_of_the_package_show_is_taken(people: Any) -> None:
    from datamall.requirements import Absent

    lack = display(*tables.absent_bundle(Absent("Causes", "Not possible: <none>."), "causes"))
    said = display(*tables.answer_bundle("31 (24 to 39).", ["t"], metrics={"avoided": 31}))
    long = table({"n": list(range(900)), "of": [123456789] * 900}, "long")
    empty = table({"n": []}, "empty")
    check(ran(table(GOOD), lack, said, long, empty, printed("done")), people)


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        (printed("mail jan@example.org"), "shows an e-mail address"),
        (table({"a": ["x"]}, caption="Of NL91ABNA0417164300"), "shows a bank account"),
        (table({"a": ["06-12345678", "none"]}), "shows a telephone number, in the column 'a'"),
        (table({"bsn": NUMBERS}), "shows citizen service numbers, in the column 'bsn'"),
        (table({"n": [int(one) for one in NUMBERS]}), "shows citizen service numbers"),
        (new_output("execute_result", data={"text/plain": "'BSN 999990019'"}), "service number"),
    ],
)
@pytest.mark.parametrize("people", [None, PEOPLE])
def test_identifiers_are_withheld_and_refused_with_the_cell(
    shown: NotebookNode, why: str, people: Any
) -> None:
    notebook = nbformat.from_dict(ran(shown))
    with pytest.raises(DatamallError, match=f"Notebook n, cell 1 .*{why}.*show counts instead"):
        check(notebook, people)
    text = nbformat.writes(notebook)
    for secret in ("example.org", "ABNA", "12345678", *NUMBERS):
        assert secret not in text


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        (printed("found 999990019"), "shows a citizen service number"),
        (table({"n": [999990019]}), "shows a citizen service number, in the column 'n'"),
        (table({"a": ["Grote Markt 1, 9711 LV"]}), "shows a postcode with the number of a house"),
        (table({"Client": ["a", "b"]}), "shows rows of persons, by the column 'client'"),
        (table({"x": ["a1b2c3d4", "b1b2c3d4", "c1b2c3d4"]}), "by the codes in the column 'x'"),
        (table({"age": [40] * 1001}), "shows 1,001 rows on a page about persons"),
        (display(*tables.answer_bundle("He is 999990019.")), "shows a citizen service number"),
        (display(*tables.answer_bundle("A.", metrics={"m": 999990019})), "service number"),
    ],
)  # fmt: skip
def test_on_a_page_about_persons_alone(shown: NotebookNode, why: str) -> None:
    with pytest.raises(DatamallError, match=why):
        check(ran(nbformat.from_dict(shown)), PEOPLE)


def test_counts_of_things_may_pass_the_11_test() -> None:
    check(ran(table({"vehicles": [999990019, 5]}), printed("999990019 vehicles")))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({"application/javascript": "1"}, "'application/javascript'"),
        ({"text/markdown": "# x"}, "'text/markdown'"),
        ({"application/json": {"a": 1}}, "'application/json'"),
        ({"text/html": "<p>x</p>"}, "a table or picture"),
        ({"image/svg+xml": "<svg/>"}, "a table or picture"),
    ],
)
@pytest.mark.parametrize("kind", [None, "figure", "table", "answer"])
def test_other_media_are_refused(data: dict[str, Any], why: str, kind: str | None) -> None:
    about = {"datamall": {"kind": kind, "name": "t", "columns": {}}} if kind else {}
    if kind in ("table", "answer") and "text/html" in data:
        data = {"text/html": "<script>x</script>"}
    with pytest.raises(DatamallError, match=rf"cell 1 shows {why} of its own"):
        check(ran(display(data, about)))


def forged(change: Any) -> NotebookNode:
    shown = table({"place": ["c1", "c2"], "visits": [1234, 5], "rate": [0.5, 0.25]})
    shown.data["text/html"] = change(shown.data["text/html"])
    return shown


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<tbody>", "<tbody onclick='x'>"),
        ("<caption>", "<!-- hidden --><caption>"),
        ("<caption>", "<img src=x><caption>"),
        (">c1<", ">Jan Jansen<"),
        (">1,234<", ">9,999<"),
        (">0.500<", ">Jan<"),
        ("</tbody>", "<tr><th>c3</th><td>1</td><td>0</td></tr></tbody>"),
        ("</tbody>", "<tr><th>c3</th></tr></tbody>"),
        ("<thead>", "<thead><tr><th>a</th></tr>"),
    ],
)  # fmt: skip
def test_a_table_on_the_page_is_the_one_in_its_file(old: str, new: str) -> None:
    check(ran(forged(lambda text: text)))
    assert old in forged(lambda text: text).data["text/html"]
    with pytest.raises(DatamallError, match="of its own"):
        check(ran(forged(lambda text: text.replace(old, new, 1))))


def test_a_picture_holds_nothing_but_its_pixels() -> None:
    def draw(axes: Any, numbers: pd.DataFrame) -> None:
        axes.plot(numbers["a"])

    def figure(content: bytes, **more: Any) -> NotebookNode:
        about = {"datamall": {"kind": "figure", "name": "f"}, "image/png": {"alt": "x"}} | more
        return display({"image/png": base64.b64encode(content).decode()}, about)

    plain = canvas.png(draw, pd.DataFrame({"a": [1, 2]}), 2)
    check(ran(figure(plain)))
    text = b"\0\0\0\x04tEXta\0bc" + b"\0\0\0\0"
    for content in (plain + b"Jan", plain[:33] + text + plain[33:], plain[:-12], b"GIF89a", b""):
        with pytest.raises(DatamallError, match="a picture with more than its pixels"):
            check(ran(figure(content)))
    with pytest.raises(DatamallError, match="of its own"):
        check(ran(figure(plain, hidden="x")))


@pytest.mark.parametrize(
    ("notebook", "why"),
    [
        (ran(count=None), "cell 1 did not run in its turn"),
        (ran(count=2), "cell 1 did not run in its turn"),
        (ran(new_output("error", ename="ValueError", evalue="x", traceback=[])), "ValueError"),
    ],
)
def test_a_notebook_that_did_not_run_whole_is_refused(notebook: NotebookNode, why: str) -> None:
    with pytest.raises(DatamallError, match=rf"{why}.*the notebook is not whole"):
        check(notebook)


@pytest.mark.parametrize(
    ("ename", "evalue", "people", "stays"),
    [
        ("ValueError", "no such place: c9", None, True),
        ("ValueError", "no such client: Jan", PEOPLE, False),
        ("NameError", "name 'x' is not defined", PEOPLE, True),
        ("NameError", "999990019", PEOPLE, False),
        ("ValueError", "jan@example.org", None, False),
    ],
)
def test_messages_of_errors_are_withheld(ename: str, evalue: str, people: Any, stays: bool) -> None:
    notebook = ran(new_output("error", ename=ename, evalue=evalue, traceback=[f"in x: {evalue}"]))
    outputs.withhold(notebook, people)
    (error,) = notebook.cells[0].outputs
    assert (evalue in str(error)) is stays
    assert stays or "its message is withheld" in error.evalue


def test_numbers_cut_in_two_by_the_stream_are_found() -> None:
    with pytest.raises(DatamallError, match="telephone"):
        check(ran(printed("call 0612"), printed("345678")))


def test_the_pages_of_the_demo_are_none_of_this(root: Path) -> None:
    """The notebooks behind the pages in git, where the pipeline has left them."""
    reports = yaml.safe_load((root / "params.yaml").read_text("utf-8"))["reports"]
    for path in sorted(root.glob("reports/[a-z]*[a-z].ipynb")):
        if path.stem not in reports:
            continue
        book = nbformat.read(path, as_version=4)
        parts = [book]
        if "each" in reports[path.stem]:
            source = nbformat.read(root / "notebooks" / path.name, as_version=4)
            opening, again = places._divided(source, path.stem)
            parts = list(places._parts(book, len(opening), len(again)))
            assert len(parts) > 1
        for part in parts:
            check(part, PEOPLE if path.stem.startswith("fraud") else None)


@pytest.mark.parametrize(
    ("data", "about"),
    [
        ({"text/plain": "x"}, "no mapping"),
        ({"text/plain": "x"}, {"columns": ["a"]}),
        ({tables.CSV: ""}, {"kind": "table", "name": "t"}),
        ({tables.CSV: "a,b\n1\n"}, {"kind": "table", "name": "t", "columns": {}}),
        ({tables.PACKED: "no base64"}, {"kind": "table", "name": "t"}),
        ({tables.PACKED: "AAAA"}, {"kind": "table", "name": "t"}),
        ({"image/png": "€"}, {"kind": "figure"}),
        ({"image/png": "iVBORw0KGgo"}, {"kind": "figure"}),
    ],
)
@pytest.mark.parametrize("people", [None, PEOPLE])
def test_what_cannot_be_read_is_one_sentence(data: dict, about: Any, people: Any) -> None:
    with pytest.raises(DatamallError, match="Notebook n, cell 1 shows what cannot be read"):
        check(ran(display(data, {"datamall": about})), people)


def test_a_small_output_does_not_unpack_to_a_large_one(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = tables.csv_output(pd.DataFrame({"a": [1] * 30_000}))
    assert set(packed) == {tables.PACKED}
    assert tables.csv_of(packed) == b"a\n" + b"1\n" * 30_000
    monkeypatch.setattr(tables, "LARGEST", 60_001)
    with pytest.raises(DatamallError, match="shows what cannot be read"):
        check(ran(display(packed, {"datamall": {"kind": "table", "name": "t"}})))


def test_two_cells_are_never_read_as_one() -> None:
    """What is named in one cell and stands in the next is told of things, and of nobody."""
    kinds = {"said": "text"}
    apart = b"said\nbsn\n111222333\nhouse 12\n"
    assert outputs._rows(apart, kinds, None, set()) is None
    together = b"said\nbsn 111222333\nhouse 12\n"
    assert "citizen service number" in str(outputs._rows(together, kinds, None, set()))


def test_what_was_found_clean_hides_nothing_that_comes_later() -> None:
    kinds, clean = {"said": "text"}, set[str]()
    assert outputs._rows(b"said\nhouse 12\n", kinds, None, clean) is None
    assert clean == {"house 12"}
    later = b"said\nhouse 12\nbsn 111222333\n"
    assert "citizen service number" in str(outputs._rows(later, kinds, None, clean))
    assert clean == {"house 12"}
