import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
import yaml
from accessible_page import committed
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from datamall.fairness import Audit, Cells, audit
from datamall.fairness.words import record
from datamall.reporting import audits, index, notebooks

pytestmark = pytest.mark.slow

CHROMIUM = "/usr/bin/chromium"
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
]
SENTENCE = "Serving 60 places is expected to avoid 31 dirty inspections (90 % interval 24 to 39)."
DRAW = f"""
from types import SimpleNamespace

import pandas as pd

from datamall.reporting import answer, figures, show

rates = pd.DataFrame({{"a_place_with_a_long_name_" + "x" * 60: ["C1", "C2"], "rate": [0.5, 0.25]}})
rates = rates.assign(**{{f"column_{{k}}": 123456.0 for k in range(12)}}, x=[0, 5000], y=[0, 7000])
show(rates, "rates", "Rates of two places, with a caption that is longer than a phone is wide")
figures.dot_map(
    rates, name="map", title="Map", alt="Map of two places.", value="rate", value_label="Rate"
)
period = {{"first_day": "2025-01-01", "last_day": "2025-12-31"}}
answer({SENTENCE!r}, ["rates"], SimpleNamespace(purpose="p", synthetic=True, period=period))
print("a" * 300)
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    if not shutil.which(CHROMIUM):
        pytest.skip(f"needs a browser at {CHROMIUM}: apt-get install chromium")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run a notebook and make its page and the index; return their folder."""
    root = tmp_path_factory.mktemp("project")
    (root / "data" / "authorities").mkdir(parents=True)
    (root / "data" / "authorities" / "demo.yaml").write_text(
        "{title: Demo city (synthetic Groningen), synthetic: true, description: Made.}"
    )
    opening = "# A title\n\n**Question.** Where is waste found more often, and what to do about it?"
    cells = [
        new_markdown_cell(opening),
        new_markdown_cell("## Data"),
        new_code_cell(DRAW),
    ]
    (root / "notebooks").mkdir()
    nbformat.write(new_notebook(cells=cells), root / "notebooks" / "sample.ipynb")
    notebooks.run(
        root, "demo", root / "notebooks" / "sample.ipynb", parameters={},
        provenance={"a/long/path/" + "x" * 80: "0" * 64}, out_folder=root / "reports",
    )  # fmt: skip
    reports = {"sample": {"purposes": [], "package": "enforcement"}}
    (root / "params.yaml").write_text(yaml.safe_dump({"reports": reports, "sample": {}}))
    index.write(root, "demo", root / "reports")
    audits.write(record(audited()), root / "reports", "counts")
    return root / "reports"


def audited() -> Audit:
    """Return an audit with long names, limits that do not exist, and scores."""
    rows = [
        (f"a group with a very long name, number {g}", band, band >= 4, y, 3 + 40 * (g % 5) + band)
        for g in range(8) for band in range(1, 6) for y in (0, 1)
    ]  # fmt: skip
    rows += [("nobody is found", 2, False, 0, 9)]
    table = pd.DataFrame(rows, columns=["g", "band", "d", "y", "n"])
    cells = Cells.from_frame(table, ["g"], "d", "y", score_band="band", count="n")
    edges = {"kind": "ratio", "low": 0.8, "high": 1.25, "reason": "four fifths"}
    checks = [{"name": m, "metric": m, "tolerance": edges} for m in ("selection_rate", "fpr")]
    return audit(cells, {"groups": ["g"], "smallest": 30, "checks": checks})


@pytest.fixture(params=["sample", "project"])
def folder(request: pytest.FixtureRequest, root: Path) -> Path:
    if request.param == "sample":
        return Path(request.getfixturevalue("sample"))
    return demo_pages(root)


def demo_pages(root: Path) -> Path:
    """Return the folder of the demo's pages, which are in git."""
    committed(root)
    return root / "reports"


WIDER = """[...document.querySelectorAll(".scroll")]
    .filter(it => it.scrollWidth > it.clientWidth)
    .map(it => `${it.getAttribute("aria-label")}: ${it.scrollWidth} of ${it.clientWidth}`)"""


# A telephone, a desktop at twice the size, a tablet, a desktop, and A4 with margins of 1 cm.
@pytest.mark.parametrize(
    ("width", "medium"),
    [(320, "screen"), (640, "screen"), (768, "screen"), (1280, "screen"), (718, "print")],
)
def test_no_column_of_a_table_is_out_of_sight(
    folder: Path, width: int, medium: str, browser: Any
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.emulate_media(media=medium)
    for path in sorted(folder.glob("*.html")):
        page.goto(path.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(it => it.open = true)")
        assert page.evaluate(WIDER) == [], path.name


@pytest.mark.parametrize("width", [320, 1280])
def test_page_is_read_at_any_width_without_script_or_network(
    folder: Path, width: int, browser: Any
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 800}, java_script_enabled=False, offline=True
    )
    page = context.new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    for path in sorted(folder.glob("*.html")) + sorted(folder.glob("junctions/*.html"))[:2]:
        page.goto(path.as_uri())
        # Headless Chromium measures without running the page's own scripts.
        session = context.new_cdp_session(page)
        metrics = session.send("Page.getLayoutMetrics")
        assert metrics["cssContentSize"]["width"] <= width, path.name
        for summary in page.locator("summary").all():
            summary.click()
        opened = session.send("Page.getLayoutMetrics")
        assert opened["cssContentSize"]["width"] <= width, f"{path.name}, all opened"
        start = page.locator("body").inner_text()[:1000]
        record = folder / "results" / path.stem / "answer.json"
        if record.is_file():
            said = json.loads(record.read_text("utf-8"))
            assert said["sentence"] in start
            # Its uncertainty: an interval or a verdict, unless it is no estimate.
            certain = re.search("interval|[Cc]ounted in full", said["sentence"])
            assert certain or said["verdict"], path.name
            assert (said["last_day"] or "no date recorded")[:4] in start
    assert all(url.startswith(("file:", "data:")) for url in requests)
    context.close()


@pytest.mark.parametrize("width", [320, 1280])
def test_words_of_a_drawing_stay_inside_it(sample: Path, width: int, browser: Any) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.goto((sample / "counts.audit.html").as_uri())
    outside, texts = page.evaluate(
        """() => {
            const texts = [...document.querySelectorAll("svg text")];
            const out = texts.filter(text => {
                const own = text.getBoundingClientRect();
                const box = text.ownerSVGElement.getBoundingClientRect();
                return own.left < box.left - 1 || own.right > box.right + 1 ||
                    own.top < box.top - 1 || own.bottom > box.bottom + 1;
            });
            return [out.map(text => text.textContent), texts.length];
        }"""
    )
    assert outside == [] and texts > 100
    page.close()


@pytest.mark.parametrize(("width", "height"), [(320, 640), (1280, 800)])
def test_answer_of_an_audit_and_what_is_uncertain_are_on_the_first_screen(
    sample: Path, width: int, height: int, browser: Any
) -> None:
    page = browser.new_page(viewport={"width": width, "height": height})
    page.goto((sample / "counts.audit.html").as_uri())
    answer = page.locator(".answer")
    assert re.search(r"times as often \([\d.]+ to [\d.]+", answer.inner_text())
    box = answer.locator(".sentence").bounding_box()
    first = answer.locator("li >> nth=0").bounding_box()
    assert box is not None and first is not None
    assert max(part["y"] + part["height"] for part in (box, first)) <= height
    page.close()


def test_keyboard_reaches_content_and_tables(sample: Path, browser: Any) -> None:
    page = browser.new_page(viewport={"width": 320, "height": 640})
    page.goto((sample / "sample.html").as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    box = page.locator(":focus").bounding_box()
    assert box is not None and box["y"] >= 0  # visible once it has the focus
    region = page.locator(".table .scroll").first
    region.focus()
    assert page.evaluate("document.activeElement.getAttribute('role')") == "region"
    # Wider than a telephone, it is a list: a cell says what it is.
    first = region.locator("tbody td").first
    assert first.evaluate("it => getComputedStyle(it).display") == "inline-block"
    assert first.evaluate("it => getComputedStyle(it, '::before').content").startswith('"')
    page.close()


@pytest.mark.parametrize(("width", "height"), [(320, 640), (1280, 800)])
def test_answer_interval_and_date_are_on_the_first_screen(
    root: Path, width: int, height: int, browser: Any
) -> None:
    folder = demo_pages(root)
    page = browser.new_page(viewport={"width": width, "height": height})
    below = []
    for path in sorted(folder.glob("*.html")):
        page.goto(path.as_uri())
        first = path.stem == "index"
        # The first page also shows that more answers follow.
        wanted = (
            (".intro", ".case .sentence >> nth=0", ".case .use >> nth=1")
            if first
            else (".answer .sentence", ".facts dd >> nth=0")
        )
        for selector in wanted:
            box = page.locator(selector).bounding_box()
            assert box is not None, (path.name, selector)
            if box["y"] + box["height"] > height:
                below.append((path.name, selector, box["y"] + box["height"]))
    page.close()
    assert below == []
