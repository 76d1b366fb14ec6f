"""One page for each place: names of files, one kernel for all, and whole or not at all."""

import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from accessible_page import check
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from tiny_mall import make_project

from datamall.errors import DatamallError
from datamall.mall.kernel import behind_the_door
from datamall.mall.seal import seals
from datamall.project import load_parameters
from datamall.reporting import notebooks, places

CELLS = (
    'site: str = ""  # the place',
    "import json\n\nfrom pathlib import Path\nfrom types import SimpleNamespace\n\n"
    "import pandas as pd\n\nfrom datamall.reporting import answer, show\n\nturn = []",
    'turn.append(site)\nrows = pd.DataFrame({"site": [site], "turn": [len(turn)]})\n'
    'show(rows, "rows", "Which turn")',
    'period = {"first_day": "2025-01-01", "last_day": "2025-12-31"}\n'
    'about = SimpleNamespace(purpose="p", synthetic=True, period=period)\n'
    'answer(f"Turn {len(turn)} of {site}.", data=about, facts={"Where": f"At <{site}>."})',
)


def test_names_of_files_are_safe_and_the_same_in_any_order() -> None:
    keys = ["K01", "k01", "K 1", "K-1", "../etc/passwd", "..", "Ruïne", "", "x" * 99, "a_b"]
    names = places.file_names(keys)
    assert names == places.file_names(keys[::-1])
    assert names["K-1"] == "K-1.html" and names["a_b"] == "a_b.html"
    assert names["K01"].startswith("K01-") and names["k01"].startswith("k01-")
    assert names["K 1"].startswith("K-1-") and names[".."].startswith("place-")
    assert len({name.casefold() for name in names.values()}) == len(keys)
    for name in names.values():
        assert places.PLAIN.sub("", name.removesuffix(".html")) == name.removesuffix(".html")
        assert not name.startswith("-") and len(name) < 80


def test_two_places_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    key = "a!"
    taken = places.file_names([key])[key].removesuffix(".html")
    with pytest.raises(DatamallError, match=r"'a!' and .*give one of them another name"):
        places.file_names([key, taken])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "authorities"
    folder.mkdir(parents=True)
    (folder / "demo.yaml").write_text("{title: Demo, synthetic: true, description: Made.}")
    first = new_markdown_cell("# Place\n\n**Question.** Which?\n\n**Do not conclude** much.")
    code = [new_code_cell(source) for source in CELLS]
    code[0].metadata["tags"] = ["parameters"]
    (tmp_path / "notebooks").mkdir()
    cells = [first, *code[:2], new_markdown_cell("## Data"), *code[2:]]
    nbformat.write(new_notebook(cells=cells), tmp_path / "notebooks" / "corners.ipynb")
    results = tmp_path / "reports" / "results" / "city"
    results.mkdir(parents=True)
    rows = [{"site": "K2", "name": "Ring & <b>"}, {"site": "K 1", "name": None}]
    (results / "corners.json").write_text(json.dumps(rows))
    (results / "answer.json").write_text(json.dumps({"title": "The city"}))
    (results / "absent.json").write_text("[]")
    return tmp_path


def run(project: Path, **options: Any) -> int:
    settings: dict[str, Any] = {"each": "site", "of": "city", "provenance": {"code": "0" * 64}}
    return places.run(
        project, "demo", project / "notebooks" / "corners.ipynb",
        out_folder=project / "reports", **settings | options,
    )  # fmt: skip


def test_each_place_has_its_page_and_none_is_left_of_places_that_are_gone(project: Path) -> None:
    assert run(project) == 2
    out = project / "reports"
    [first, second] = json.loads((out / "results" / "corners" / "answers.json").read_text())
    assert (first["site"], second["site"]) == ("K 1", "K2")  # by key
    assert first["sentence"] == "Turn 1 of K 1." and second["sentence"] == "Turn 2 of K2."
    assert second["facts"] == {"Where": "At <K2>."}
    html = (out / second["page"]).read_text("utf-8")
    page = check(html)
    assert [text for level, text in page.headings if level == 1] == ["Place K2: Ring & <b>"]
    assert "Turn 2 of K2." in page.text and "Turn 1" not in page.text
    links = [about["href"] for tag, about in page.tags if tag == "a" and "href" in about]
    assert {"../city.html#corners", "../index.html", Path(first["page"]).name} <= set(links)
    assert "All 2: The city" in page.text and "After:" not in page.text
    assert "site = " not in html  # what names the place is no cell of the reader
    before = {path.name: path.read_bytes() for path in sorted((out / "corners").iterdir())}
    assert run(project) == 2
    assert before == {path.name: path.read_bytes() for path in sorted((out / "corners").iterdir())}
    rows = [{"site": "K2", "name": "Ring"}]
    (out / "results" / "city" / "corners.json").write_text(json.dumps(rows))
    assert run(project) == 1
    assert [path.name for path in (out / "corners").iterdir()] == ["K2.html"]
    assert not list(out.glob("*.partial")) and not list(out.glob("*.failed.ipynb"))


def test_a_failure_leaves_the_last_pages(project: Path) -> None:
    assert run(project) == 2
    path = project / "notebooks" / "corners.ipynb"
    book = nbformat.read(path, as_version=4)
    book.cells[-1].source = "1 / (site != 'K2')"
    nbformat.write(book, path)
    with pytest.raises(DatamallError, match=r"corners stopped in cell 8 .*division by zero"):
        run(project)
    assert len(list((project / "reports" / "corners").iterdir())) == 2


def test_of_no_place_there_is_no_page_and_the_reason_is_kept(project: Path) -> None:
    results = project / "reports" / "results"
    (results / "city" / "corners.json").unlink()
    with pytest.raises(DatamallError, match="datamall report city --authority demo"):
        run(project)
    gap = {"name": "corners", "chapter": "Corners", "reason": "Not possible here: none."}
    (results / "city" / "absent.json").write_text(json.dumps([gap]))
    assert run(project) == 0
    assert list((project / "reports" / "corners").iterdir()) == []
    assert json.loads((results / "corners" / "absent.json").read_text()) == [gap]
    assert json.loads((results / "corners" / "answers.json").read_text()) == []


def test_a_page_that_shows_what_no_page_may_is_refused(project: Path) -> None:
    path = project / "notebooks" / "corners.ipynb"
    book = nbformat.read(path, as_version=4)
    book.cells[-2].source += "\nprint(object())"
    nbformat.write(book, path)
    with pytest.raises(DatamallError, match=r"corners, site K 1, cell .*memory address"):
        run(project)


def test_rows_of_places_lead_to_their_pages(project: Path) -> None:
    reports = {"city": {}, "corners": {"of": "city", "each": "site"}}
    found = places.links(reports, "city", project / "reports" / "results" / "city")
    assert found["site"]["K2"] == "corners/K2.html" and len(found["site"]) == 2
    assert places.links(reports, "corners", project / "reports" / "results" / "city") == {}


CITY = """import pandas as pd

from datamall.reporting import figures, show

rows = pd.DataFrame({"site": ["K2", "K 1", "<K3>"], "needs": ["a", "b", "a"]})
rows = rows.assign(x=[0.0, 100.0, 50.0], y=[0.0, 100.0, 50.0])
show(rows, "corners", "Corners")
show(rows[["needs", "site"]], "others", "Begins with another column")
figures.dot_map(
    rows, name="map", title="Map", alt="Three corners on a map.", value="needs",
    value_label="n", lead=True,
)
"""


def test_the_city_leads_to_its_places_from_rows_and_from_dots(project: Path) -> None:
    cells = [new_markdown_cell("# City"), new_markdown_cell("## Data"), new_code_cell(CITY)]
    path = project / "notebooks" / "city.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    reports = {"city": {}, "corners": {"of": "city", "each": "site"}}
    notebooks.run(
        project, "demo", path, parameters={}, provenance={}, out_folder=project / "reports",
        linked=lambda results: places.links(reports, "city", results),
    )  # fmt: skip
    files = places.file_names(["K2", "K 1", "<K3>"])
    page = check((project / "reports" / "city.html").read_text("utf-8"))
    links = [about for tag, about in page.tags if tag == "a" and "corners/" in about["href"]]
    dots = [about for about in links if "style" in about]
    # The table, the numbers of the map, and the dots; not a table that begins with another column.
    assert len(links) == 9 and len(dots) == 3
    at = {about["title"]: about for about in dots}
    assert {key: about["href"] for key, about in at.items()} == {
        key: f"corners/{file}" for key, file in files.items()
    }
    place = {key: re.findall(r"[\d.]+", about["style"]) for key, about in at.items()}
    left, top = ({key: float(v[n]) for key, v in place.items()} for n in (0, 1))
    assert left["K2"] < left["<K3>"] < left["K 1"]  # west to east
    assert top["K2"] > top["<K3>"] > top["K 1"]  # north is up
    # Who uses a keyboard or hears the page has the rows, not every dot once more.
    assert all(about["tabindex"] == "-1" for about in dots)
    assert (project / "reports" / "results" / "city" / "parameters.json").is_file()


def test_seals_cover_the_pages_of_places(root: Path) -> None:
    assert root / "reports" / "junctions" in seals.covered(root, "demo")["results"]


@pytest.mark.parametrize(
    "about",
    [
        {"of": "traffic"},
        {"each": "site"},
        {"of": "nowhere", "each": "site"},
        {"of": "corners", "each": "site"},
    ],
)
def test_pages_of_places_need_a_report_and_a_parameter(
    tmp_path: Path, about: dict[str, str]
) -> None:
    own = {"purposes": ["traffic"], "package": "traffic"}
    document = {"reports": {"traffic": own, "corners": own | about}, "traffic": {}, "corners": {}}
    (tmp_path / "params.yaml").write_text(json.dumps(document))
    with pytest.raises(DatamallError, match=r"reports\.corners: a page for each place needs"):
        load_parameters(tmp_path)


def test_their_kernel_gets_the_results_and_no_store(project: Path, tmp_path_factory: Any) -> None:
    """What is shown anew was found already: nothing more leaves a store for it."""
    mall = make_project(tmp_path_factory.mktemp("mall"))
    path = project / "notebooks" / "corners.ipynb"
    book = nbformat.read(path, as_version=4)
    book.cells[-1].source = (
        'held = sorted(path.name for path in Path("results").iterdir())\n'
        "from datamall.mall.door import extract\n"
        "try:\n    extract('enforcement')\nexcept Exception as error:\n    said = str(error)\n"
        "answer(f'{held} {said}')"
    )
    nbformat.write(book, path)
    handed = project / "reports" / "results" / "city"
    (handed / "corners.csv").write_text("site\n")
    run(project, config=behind_the_door(mall, "demo", purposes=[], handed=handed))
    answers = project / "reports" / "results" / "corners" / "answers.json"
    [first, _] = json.loads(answers.read_text("utf-8"))
    assert first["sentence"].startswith("['absent.json', 'answer.json', 'corners.json'] ")
    assert "enforcement" in first["sentence"] and "purpose" in first["sentence"]
