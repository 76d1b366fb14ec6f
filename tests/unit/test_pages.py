import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from accessible_page import check, committed
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from datamall.errors import DatamallError
from datamall.reporting import figures, pages, tables
from datamall.requirements import Absent

SENTENCE = "Serving 60 places tomorrow is expected to avoid 31 dirty inspections (90 %: 24 to 39)."
QUESTION = "Where is waste found more often than elsewhere?"
OPENING = f"""**Question.** {QUESTION}

**For** the team lead.

**Do not conclude** that neighbours are bad."""
CAUTION = "**Do not conclude** that neighbours are bad."


def output(bundle: tables.Bundle) -> NotebookNode:
    data, metadata = bundle
    return new_output("display_data", data=data, metadata=metadata)


def cell(*bundles: tables.Bundle, source: str = "show(rates)", **metadata: Any) -> NotebookNode:
    return new_code_cell(source, outputs=[output(b) for b in bundles], metadata=metadata)


def extract(**changes: Any) -> SimpleNamespace:
    about = {
        "purpose": "enforcement", "synthetic": True, "personal": False,
        "period": {"first_day": "2025-01-02", "last_day": "2025-10-29"},
        "not_delivered": ("enforcement.inspections.full",),
    }  # fmt: skip
    return SimpleNamespace(**about | changes)


@pytest.fixture
def picture(monkeypatch: pytest.MonkeyPatch) -> list[tables.Bundle]:
    shown: list[tables.Bundle] = []
    monkeypatch.setattr(tables, "publish", lambda *bundle: shown.append(bundle))
    frame = pd.DataFrame({"cause": ["bulky", "full"], "share": [0.8, 0.1]})
    figures.bars(
        frame, name="causes", title="Causes", alt='Most is "bulky" waste, <80 %>.',
        label="cause", value="share", value_label="Share",
    )  # fmt: skip
    return shown


def sample(*more: NotebookNode, **changes: Any) -> NotebookNode:
    rates = tables.table_bundle(pd.DataFrame({"place": ["A"], "rate": [0.5]}), "rates", "Rates")
    cells = [
        new_markdown_cell(f"# Waste & containers\n\n{OPENING}"),
        new_code_cell("stops: int = 60", metadata={"tags": ["parameters"]}),
        new_code_cell("import pandas as pd  # <set-up>"),
        new_markdown_cell("## Data\n\nClaim."),
        cell(rates),
        new_markdown_cell("## Wisdom: the *plan*\n\n### Tomorrow"),
        *more,
        cell(tables.answer_bundle(SENTENCE, ["rates", "A reason."], extract(**changes))),
    ]
    return new_notebook(cells=cells)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "authorities"
    folder.mkdir(parents=True)
    (folder / "demo.yaml").write_text(
        "{title: Demo city, synthetic: true, description: Made by `datamall demo`.}"
    )
    (folder / "real.yaml").write_text("{title: Real city, synthetic: false, description: Real.}")
    return tmp_path


def render(
    project: Path,
    notebook: NotebookNode,
    authority: str = "demo",
    open_ways: tuple[str, ...] = (),
    decisions: tuple[dict, ...] = (),
) -> tuple[str, Any]:
    record = pages.answered(project, authority, "sample", notebook)
    choices = {"stops": (60, "1 to 99", "places <that> crews serve")}
    digests = {"src/module.py": "a" * 64}
    given = (project, authority, "sample", notebook, choices, digests, open_ways, decisions)
    return pages.render(*given), record


def test_page_of_a_notebook(project: Path, picture: list[tables.Bundle]) -> None:
    gap = tables.absent_bundle(Absent("Roles", "Not possible here: one role only."), "roles")
    printed = new_code_cell("print(1)", outputs=[new_output("stream", text="a <b>\n")])
    html, _ = render(project, sample(cell(*picture), cell(gap), printed))
    page = check(html)
    assert [text for _, text in page.headings][:4] == [
        "Waste & containers", "Answer", "What must not be concluded", "Data",
    ]  # fmt: skip
    assert page.all("img")[0]["alt"] == 'Most is "bulky" waste, <80 %>.'
    assert "src/module.py" in page.text and "a" * 64 in page.text
    for text in (
        "Roles. Not possible here",
        "places <that> crews serve",
        "1 to 99",
        "a <b>",
        "datamall demo",
    ):
        assert text in page.text
    assert "stops: int" not in page.text  # the parameters are a table instead


def test_first_thousand_characters_hold_answer_interval_and_date(project: Path) -> None:
    page = check(render(project, sample())[0])
    start = re.sub(r"\s+", " ", page.text)[:1000]
    for text in (QUESTION, SENTENCE, "2 January to 29 October 2025", "Demo city", "Draft"):
        assert text in start
    assert page.text.count(SENTENCE) == 1  # hoisted, not repeated
    assert "nothing here is about a real place" in start


def test_evidence_links_to_what_was_shown(project: Path) -> None:
    html, _ = render(project, sample())
    assert '<a href="#rates">Rates</a>' in html
    assert "<li>A reason.</li>" in html
    assert 'href="results/sample/rates.csv"' in html


def test_an_answer_does_not_rest_on_what_could_not_run(project: Path) -> None:
    notebook = sample()
    reason = "Not possible here: no counts."
    notebook.cells[3:5] = [cell(tables.absent_bundle(Absent("Rates of places", reason), "rates"))]
    html = render(project, notebook)[0]
    assert "Rates of places" in html
    assert 'href="#rates"' not in html
    assert "<li>A reason.</li>" in html


def test_a_result_may_have_the_name_of_a_part_of_the_page(project: Path) -> None:
    frame = pd.DataFrame({"place": ["A"]})
    named = [tables.table_bundle(frame, name, name) for name in ("main", "choices", "caution")]
    check(render(project, sample(cell(*named)))[0])


def test_chapters_are_listed(project: Path) -> None:
    page = check(render(project, sample())[0])
    links = [link["href"] for link in page.all("a")]
    assert {"#data", "#wisdom-the-plan", "#page-choices", "#page-provenance"} <= set(links)


def test_opening_paragraphs_go_where_they_belong(project: Path) -> None:
    html, _ = render(project, sample())
    page = check(html)
    assert page.text.count(QUESTION) == 1
    caution = re.search(r'<section class="caution".*?</section>', html, re.DOTALL)
    assert caution and "that neighbours are bad" in caution.group()
    assert page.text.count("that neighbours are bad") == 1
    lede = re.search(r'<div class="lede">(.*?)</div>', html, re.DOTALL)
    assert lede and lede.group(1).strip() == "<p><strong>For</strong> the team lead.</p>"


def test_set_up_cells_are_folded_into_the_next(project: Path) -> None:
    html, _ = render(project, sample(new_code_cell("a = 1"), cell(source="b = 2")))
    assert "a = 1\n\nb = 2" in html
    assert "import pandas as pd  # &lt;set-up&gt;" in html


def test_real_city_is_not_called_synthetic(project: Path) -> None:
    page = check(render(project, sample(synthetic=False), "real")[0])
    assert "nothing here is about a real place" not in page.text
    assert "Real city" in page.text


@pytest.mark.parametrize(
    ("personal", "ways", "marked"),
    [(True, 1, True), (True, 0, False), (False, 2, False), (None, 2, True)],
)
def test_what_the_system_could_not_do_is_said_where_stores_count_persons(
    personal: bool | None, ways: int, marked: bool, project: Path
) -> None:
    open_ways = ("read more than its extract", "sent signals to other programs")[:ways]
    html, _ = render(project, sample(personal=personal), open_ways=open_ways)
    sentence = f"Not isolated: this notebook ran where it could have {', '.join(open_ways)}."
    assert (sentence in check(html).text) is marked


def test_record_of_the_answer(project: Path) -> None:
    _, record = render(project, sample())
    assert record == {
        "title": "Waste & containers", "question": QUESTION, "sentence": SENTENCE,
        "verdict": None, "caution": CAUTION,
        "evidence": ["rates", "A reason."], "authority": "Demo city", "synthetic": True,
        "first_day": "2025-01-02", "last_day": "2025-10-29",
        "not_delivered": ["enforcement.inspections.full"],
    }  # fmt: skip


def test_columns_without_any_value_are_named(project: Path) -> None:
    class Given(dict[str, pd.DataFrame]):
        """An extract of one store."""

    given = Given({"a.b": pd.DataFrame({"count": [1], "again": [None]})})
    vars(given).update(vars(extract()))
    notebook = sample()
    notebook.cells[-1] = cell(tables.answer_bundle(SENTENCE, data=given), source="answer()")
    html, record = render(project, notebook)
    assert record is not None
    assert record["never_filled"] == ["a.b.again"]
    assert "Delivered without any value: a.b.again." in check(html).text


def test_page_without_answer_or_period(project: Path) -> None:
    bare = new_notebook(cells=[new_markdown_cell("# A title")])
    html, record = render(project, bare)
    assert record is None
    check(html)
    assert "no date recorded" in check(render(project, sample(period=None))[0]).text


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        ("2025-01-02", "2025-10-29", "2 January to 29 October 2025"),
        ("2024-12-31", "2025-01-01", "31 December 2024 to 1 January 2025"),
        ("2025-05-05", "2025-05-05", "5 May 2025"),
    ],
)
def test_date_in_words(first: str, last: str, words: str) -> None:
    assert pages.period_in_words({"first_day": first, "last_day": last}) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.95, "0.95"), (True, "True"), ("car", "car"), (["high", "1"], "high, 1"), ([], ""),
        ({"random": "random", "profile": None}, "random, profile"),
        ([{"name": "flagged", "step": {"to": "flagged"}}, {"name": "visited"}], "flagged, visited"),
    ],
)  # fmt: skip
def test_a_parameter_in_words_names_what_is_nested_in_it(value: Any, words: str) -> None:
    assert pages.in_words(value) == words


def test_markup_in_markdown_is_shown_as_text(project: Path) -> None:
    evil = new_markdown_cell("<script>alert(1)</script> <img src=x> [a](javascript:alert(1))")
    page = check(render(project, sample(evil))[0])
    assert "<script>alert(1)</script>" in page.text
    assert not any("javascript" in link["href"] for link in page.all("a"))


@pytest.mark.parametrize("first", ["No title", "## Title", "# Title\n\n# Another"])
def test_notebook_has_one_title(first: str, project: Path) -> None:
    with pytest.raises(DatamallError, match="must begin with one '# Title'"):
        render(project, new_notebook(cells=[new_markdown_cell(first)]))
    commented = new_markdown_cell("# Title\n\n```\n# a comment\n```")
    check(render(project, new_notebook(cells=[commented]))[0])


def test_two_answers_and_unknown_authority_are_refused(project: Path) -> None:
    with pytest.raises(DatamallError, match="gives 2 answers"):
        render(project, sample(cell(tables.answer_bundle("Another."))))
    with pytest.raises(DatamallError, match="No authority called 'none'"):
        render(project, sample(), "none")


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_contrast_of_text_is_at_least_4_5() -> None:
    css = (pages.TEMPLATES / "style.css").read_text("utf-8")
    themes = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    assert len(themes) == 2
    for theme in themes:
        colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", theme))
        for ink in ("ink", "quiet", "accent", "warn"):
            for ground in ("paper", "soft", "accent-soft", "warn-soft"):
                light, dark = sorted((luminance(colours[ink]), luminance(colours[ground])))[::-1]
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground)


def test_pages_of_the_project(root: Path) -> None:
    for path in committed(root):
        page = check(path.read_text("utf-8"))
        for tag, about in page.tags:
            address = about.get("href", "data:").partition("#")[0]
            if tag == "a" and address:
                assert (path.parent / address).is_file(), (path.name, address)


def test_nbconvert_is_known_here_alone(root: Path) -> None:
    for path in (root / "src").rglob("*.py"):
        if path.name != "pages.py":
            assert "nbconvert." not in path.read_text("utf-8"), path


DECIDED = {
    **{"number": 1, "about": "The <selection>", "recommended": "May be put to the committee"},
    **{"decided": "Do not deploy", "by": "steward", "why_different": "Help comes first & works."},
    **{"conditions": ["In plain language."], "dissent": ["The desk: too slow."], "permits": []},
    **{"until": "2027-06-30", "roles": ["committee", "steward"], "lacking": []},
    **{"current": True, "replaced": False, "came": ["Two letters were sent."]},
}


def recommending() -> NotebookNode:
    rows = pd.DataFrame({"part": ["The <selection>"], "recommended": ["May be put"]})
    return sample(cell(tables.table_bundle(rows, "decisions", "What is recommended")))


def test_a_page_ends_with_what_was_decided_and_what_came_of_it(project: Path) -> None:
    html, _ = render(project, recommending(), decisions=(DECIDED,))
    check(html)
    assert html.index(SENTENCE) < html.index('<h2 id="page-decided">What was decided</h2>')
    told = html[html.index('<h2 id="page-decided">') : html.index('<h2 id="page-choices">')]
    for text in (
        "Decision 1: The &lt;selection&gt;",
        "<dt>Decided</dt><dd>Do not deploy</dd>",
        "<dd>Help comes first &amp; works.</dd>",
        "<dd>the steward; signed by committee and steward</dd>",
        "<dt>Condition</dt><dd>In plain language.</dd>",
        "<dt>Dissent</dt><dd>The desk: too slow.</dd>",
        "<dt>What came of it</dt><dd>Two letters were sent.</dd>",
        "<dt>Counts until</dt><dd>2027-06-30</dd>",
    ):
        assert text in told
    assert "mark" not in told and "Permits" not in told


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"current": False, "lacking": ["committee"]}, "About earlier results"),
        ({"replaced": True}, "A later decision took its place"),
        ({"lacking": ["committee"]}, "the signature of the committee is missing"),
    ],
)
def test_a_decision_that_does_not_count_says_so(project: Path, changes: dict, said: str) -> None:
    html, _ = render(project, recommending(), decisions=(DECIDED | changes,))
    check(html)
    told = html[html.index('<h2 id="page-decided">') :]
    assert told.count('<p class="mark">') == 1 and said in told


def test_a_page_on_which_nothing_was_decided_says_so_and_one_without_advice_nothing(
    project: Path,
) -> None:
    html, _ = render(project, recommending())
    check(html)
    assert "Nothing has been decided on what this page recommends." in html
    assert "page-decided" not in render(project, sample())[0]
