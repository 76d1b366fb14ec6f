import json
import math
import threading
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from datamall.errors import DatamallError
from datamall.reporting import notebooks, parameters, strip, tables

PARAMETERS = """level: float = 0.9  # [0, 1] of every interval
stops: int = 60
name: str = "plan"
quick: bool = False
shares: list[float] = [0.1, 0.2]  # [-1e-3, 1] of each group
mode: str = "car"  # {car, bike or moped} what is counted
"""
SHOW = """import pandas as pd

from datamall.requirements import Absent
from datamall.reporting import answer, show
"""


def book(*code: str, typed: str = PARAMETERS) -> NotebookNode:
    first = [new_markdown_cell("# A title\n\nWhy.")]
    if typed:
        first.append(new_code_cell(typed, metadata={"tags": ["parameters"]}))
    notebook = new_notebook(cells=[*first, *(new_code_cell(source) for source in code)])
    for position, cell in enumerate(notebook.cells):
        cell.id = f"id-{position}"
    return notebook


@pytest.fixture
def project(tmp_path: Path) -> Path:
    authorities = tmp_path / "data" / "authorities"
    authorities.mkdir(parents=True)
    (authorities / "demo.yaml").write_text("{title: Demo, synthetic: true, description: Made.}")
    (tmp_path / "notebooks").mkdir()
    return tmp_path


def run(project: Path, notebook: NotebookNode, **options: Any) -> Path:
    path = project / "notebooks" / "sample.ipynb"
    nbformat.write(notebook, path)
    out = project / "reports"
    options = {"parameters": {}, "config": None, "provenance": {"code": "0" * 64}} | options
    notebooks.run(project, "demo", path, out_folder=out, **options)
    return out


# Parameters


def test_parameters_keep_their_defaults_and_whole_numbers_do_for_floats() -> None:
    assert parameters.check_parameters(book(), {}, "n") == {}
    given = parameters.check_parameters(
        book(), {"level": 1, "stops": 3, "shares": [1, 0.5], "quick": True, "name": "x"}, "n"
    )
    assert given == {"level": 1.0, "stops": 3, "shares": [1.0, 0.5], "quick": True, "name": "x"}
    assert isinstance(given["level"], float)


@pytest.mark.parametrize(
    "given",
    [
        {"level": "0.9"},
        {"level": True},
        {"stops": 1.0},
        {"stops": True},
        {"stops": [1]},
        {"stops": None},
        {"name": 1},
        {"quick": 1},
        {"shares": 0.1},
        {"shares": ["0.1"]},
        {"shares": [True]},
    ],
)
def test_wrong_types_are_one_sentence(given: dict[str, Any]) -> None:
    with pytest.raises(DatamallError, match=rf"parameter {next(iter(given))} is .*: it must be"):
        parameters.check_parameters(book(), given, "n")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"level": 1.01}, "level is 1.01: choose a value from 0 to 1"),
        ({"level": -1}, "level is -1: choose a value from 0 to 1"),
        ({"level": math.nan}, "level is nan: give a number"),
        ({"shares": [0.5, math.inf]}, "shares is .*: give a number"),
        ({"shares": [0.5, -0.5]}, "shares is .*: choose a value from -0.001 to 1"),
        ({"mode": "tram"}, "mode is 'tram': choose one of car, bike or moped"),
    ],
)
def test_values_that_are_not_allowed_are_one_sentence(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DatamallError, match=f"Notebook n, parameter {sentence}"):
        parameters.check_parameters(book(), given, "n")


def test_both_ends_are_allowed() -> None:
    given = {"level": 0, "shares": [-0.001, 1], "mode": "bike or moped"}
    assert parameters.check_parameters(book(), given, "n")["level"] == 0.0


@pytest.mark.parametrize(
    "line",
    ["a: int = 5  # [1, 3] help", "a: list[int] = [1, 5]  # [1, 3]", "a: str = 'x'  # {y, z} help"],
)
def test_a_default_that_is_not_allowed_is_refused(line: str) -> None:
    with pytest.raises(DatamallError, match=r"Notebook n, default of a is .*: choose"):
        parameters.declared(book(typed=line), "n")


@pytest.mark.parametrize(
    "allowed",
    [
        "[1]",
        "[3, 1]",
        "[low, high]",
        "[1, '3']",
        "[1, True]",
        "[]",
        "[1, 2, 3]",
        "{1, 2}",
        "[1, __]",
    ],
)
def test_a_range_that_cannot_be_read_is_refused(allowed: str) -> None:
    with pytest.raises(DatamallError, match=r"parameter a allows .*: write \[smallest, largest\]"):
        parameters.declared(book(typed=f"a: int = 1  # {allowed} help"), "n")


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("top", -5), ("neighbours", 5000), ("random_share", 0.9), ("seed", -1), ("confidence", 0.999)],
)
def test_values_that_make_no_sense_start_no_kernel(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parameter: str, value: float
) -> None:
    monkeypatch.setattr(notebooks, "execute", lambda *_: pytest.fail("a kernel was started"))
    with pytest.raises(DatamallError, match=f"parameter {parameter} is .*: choose a value from"):
        notebooks.run(
            root, "demo", root / "notebooks" / "enforcement.ipynb", provenance={},
            parameters={parameter: value}, out_folder=tmp_path / "out",
        )  # fmt: skip
    assert not (tmp_path / "out").exists()


def test_every_number_that_a_notebook_takes_has_ends(root: Path) -> None:
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        for key, parameter in parameters.declared(notebooks.read(path), path.stem).items():
            if parameter.element in parameters.NUMBERS:
                assert parameter.ends, f"{path.name}: say which values {key} may have"


PWNED = "__import__('pathlib').Path('PWNED').touch(); level"


@pytest.mark.parametrize("name", ["levle", "", "class", "level ", "a-b", PWNED, 7])
def test_unknown_names_are_refused_before_any_kernel_starts(
    name: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise AssertionError("a kernel was started")

    monkeypatch.setattr(notebooks, "execute", fail)
    monkeypatch.chdir(project)
    with pytest.raises(DatamallError, match="has no parameter"):
        run(project, book(), parameters={name: 0.5})
    assert not (project / "PWNED").exists()
    assert not (project / "reports").exists()


@pytest.mark.parametrize(
    "line",
    ["level = 0.9", "import os", "level: float = f()", "level: float", "a.b: int = 1",
     "level: dict = []", "level: dict[str, int] = {}", "level: dict = dict(a=1)",
     "level: list[dict] = [1]", "level: list[list[int]] = []", "level: int = 0.5"],
)  # fmt: skip
def test_parameters_cell_that_is_not_typed_literals_is_refused(line: str) -> None:
    with pytest.raises(DatamallError, match="Notebook n"):
        parameters.declared(book(typed=line), "n")


def test_help_of_a_parameter_is_its_comment() -> None:
    declared = parameters.declared(book(), "n")
    about = {key: (p.kind, p.default, p.allowed, p.help) for key, p in declared.items()}
    assert about["level"] == ("float", 0.9, "0 to 1", "of every interval")
    assert about["stops"] == ("int", 60, "", "")
    assert about["shares"] == ("list[float]", [0.1, 0.2], "-0.001 to 1", "of each group")
    assert about["mode"] == ("str", "car", "car, bike or moped", "what is counted")
    plan = 'labels: dict = {"a": {"b": None}}  # meanings\nchecks: list[dict] = [{"name": "x"}]'
    nested = parameters.declared(book(typed=plan), "n")
    assert [(p.kind, p.allowed, p.help) for p in nested.values()] == [
        ("dict", "", "meanings"), ("list[dict]", "", "")
    ]  # fmt: skip
    assert nested["labels"].default == {"a": {"b": None}}
    wide = parameters.declared(book(typed="seed: int = 1  # [0, 4294967295] of draws"), "n")
    assert wide["seed"].allowed == "0 to 4294967295"
    assert parameters.declared(book(typed=""), "n") == {}


# Running


GOOD = book(
    SHOW,
    "print(level, stops, name, quick, shares)",
    """show(pd.DataFrame({"code": ["007", None], "rate": [1 / 3, 0.5]}), "rates", "Rates")
show(Absent("Causes", "Not possible here: no causes."), "causes", "Causes")""",
    'answer("31 (24 to 39).", ["rates"], metrics={"avoided": 31})',
)
TRICKY = 'say "hi"\\\n{level} é'


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run one notebook twice over what an earlier run left; return the folder of the pages."""
    folder = tmp_path_factory.mktemp("project {level}")
    (folder / "data" / "authorities").mkdir(parents=True)
    text = "{title: Demo, synthetic: true, description: Made.}"
    (folder / "data" / "authorities" / "demo.yaml").write_text(text)
    (folder / "notebooks").mkdir()
    old = folder / "reports" / "results" / "sample"
    old.mkdir(parents=True)
    (old / "gone.csv").write_text("a\n1\n")
    run(folder, GOOD, parameters={"level": 1, "name": TRICKY})
    return folder / "reports"


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_run_writes_page_notebook_and_results_and_nothing_else(done: Path) -> None:
    # The chapter "causes" is a gap and has no table.
    kept = ("answer", "absent", "metrics", "parameters", "provenance")
    results = [*(f"{name}.json" for name in kept), "rates.csv", "rates.json"]
    expected = {"sample.html", "sample.ipynb", *(f"results/sample/{r}" for r in results)}
    assert set(files(done)) == expected


def test_results_keep_types(done: Path) -> None:
    results = done / "results" / "sample"
    assert (results / "rates.csv").read_text() == "code,rate\n007,0.333333\n,0.5\n"
    assert json.loads((results / "rates.json").read_text()) == [
        {"code": "007", "rate": 0.333333},
        {"code": None, "rate": 0.5},
    ]
    assert json.loads((results / "metrics.json").read_text()) == {"avoided": 31}
    gap = {"name": "causes", "chapter": "Causes", "reason": "Not possible here: no causes."}
    assert json.loads((results / "absent.json").read_text()) == [gap]
    assert json.loads((results / "answer.json").read_text())["sentence"] == "31 (24 to 39)."
    assert json.loads((results / "provenance.json").read_text()) == {"code": "0" * 64}


def test_given_parameters_reach_the_notebook_as_they_are(done: Path) -> None:
    executed = nbformat.read(done / "sample.ipynb", as_version=4)
    printed = next(o.text for _, o in notebooks.outputs(executed) if o.output_type == "stream")
    assert printed == f"1.0 60 {TRICKY} False [0.1, 0.2]\n"


def test_executed_notebook_holds_nothing_of_the_run(done: Path) -> None:
    executed = nbformat.read(done / "sample.ipynb", as_version=4)
    plain = {"kernelspec": notebooks.KERNELSPEC, "language_info": {"name": "python"}}
    assert executed.metadata == plain
    assert [cell.id for cell in executed.cells] == [f"cell-{k:02}" for k in range(7)]
    assert all(set(cell.metadata) <= {"tags"} for cell in executed.cells)
    text = (done / "sample.ipynb").read_text()
    assert "papermill" not in text.replace("injected-parameters", "")
    assert str(done.parent) not in text


@pytest.mark.slow
def test_second_run_gives_the_same_bytes(done: Path) -> None:
    before = files(done)
    run(done.parent, GOOD, parameters={"level": 1, "name": TRICKY})
    assert files(done) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (
            "x = 1\nraise ValueError('first line\\nsecond line')",
            r"cell 2 \('x = 1'\): ValueError: second line",
        ),
        ("import os; os._exit(1)", "kernel died"),
        ("import time; time.sleep(60)", "more than 2 seconds"),
        ("import warnings; warnings.warn('careful')", "warns"),
        ("object()", "a memory address"),
        ("raise SystemExit(0)", "cell 2 stopped with SystemExit, so the notebook is not whole"),
        ("print('BSN', 999990020 - 1)", "cell 2 shows a citizen service number: show counts"),
        ("raise ValueError(f'BSN {999990020 - 1}')", "ValueError: its message is withheld"),
        ("import pandas as pd; pd.DataFrame({'a': [1]})", "a table or picture of its own"),
    ],
)  # fmt: skip
def test_failure_is_one_sentence_and_leaves_the_last_page(
    source: str, sentence: str, project: Path
) -> None:
    out = project / "reports"
    out.mkdir()
    (out / "sample.html").write_text("the page before")
    timeout = 2 if "sleep" in source else 60
    with pytest.raises(DatamallError, match=sentence) as error:
        run(project, book(source), timeout=timeout)
    assert "sample.failed.ipynb" in str(error.value)
    assert "\n" not in str(error.value)
    failed = nbformat.read(out / "sample.failed.ipynb", as_version=4)
    assert "999990019" not in str([shown for _, shown in notebooks.outputs(failed)] + [error.value])
    assert set(files(out)) == {"sample.html", "sample.failed.ipynb"}
    assert (out / "sample.html").read_text() == "the page before"


def executed(*outputs: NotebookNode) -> NotebookNode:
    notebook = book("x")
    notebook.cells[-1].outputs = list(outputs)
    for count, cell in enumerate(notebook.cells[1:], start=1):
        cell.execution_count = count
    return notebook


def named(name: str, kind: str = "table") -> NotebookNode:
    data, about = tables.table_bundle(pd.DataFrame({"a": [1]}), "a", "A table")
    about["datamall"] |= {"kind": kind, "name": name}
    return new_output("display_data", data=data, metadata=about)


@pytest.mark.parametrize(
    ("outputs", "sentence"),
    [
        ([named("../../../etc/cron")], "cannot name"),
        ([named("answer")], "cannot name"),
        ([named("a"), named("a", "numbers")], "uses the name 'a' again"),
        ([new_output("stream", name="stdout", text="<X at 0x7f0011223344>")], "memory address"),
        ([new_output("stream", name="stdout", text="in {root}/data")], "path of this machine"),
        ([new_output("stream", name="stdout", text="in {temporary}/x")], "path of this machine"),
        ([new_output("stream", name="stderr", text="\nW: old\n")], "warns: 'W: old'"),
        ([new_output("display_data", data={"image/svg+xml": "<svg/>"})], "picture of its own"),
        ([new_output("execute_result", data={"text/html": "<b>1</b>"})], "picture of its own"),
    ],
)
def test_outputs_from_the_kernel_are_not_trusted(
    outputs: list[NotebookNode], sentence: str, tmp_path: Path
) -> None:
    import tempfile

    for output in outputs:
        if "text" in output:
            output.text = output.text.replace("{root}", str(tmp_path))
            output.text = output.text.replace("{temporary}", tempfile.gettempdir())
    with pytest.raises(DatamallError, match=sentence):
        notebooks.check_outputs(executed(*outputs), tmp_path, "Notebook n", "see it")


def test_streams_are_joined_whatever_their_timing() -> None:
    chunks = [new_output("stream", name="stdout", text=text) for text in ("a\n", "b\n", "c")]
    notebook = executed(*chunks)
    notebooks.normalise(notebook)
    assert [output.text for output in notebook.cells[-1].outputs] == ["a\nb\nc"]


# Keeping notebooks clean


def untidy() -> NotebookNode:
    notebook = executed(new_output("stream", name="stdout", text="1"))
    notebook.metadata = {"kernelspec": {"name": "other"}, "widgets": {"a": 1}}
    notebook.cells[-1].metadata = {"execution": {"iopub.execute_input": "2026"}, "tags": ["hide"]}
    return notebook


def test_canonical_keeps_ids_and_tags_and_drops_the_rest() -> None:
    text = notebooks.canonical(untidy())
    clean = json.loads(text)
    assert clean["metadata"] == {
        "kernelspec": notebooks.KERNELSPEC,
        "language_info": {"name": "python"},
    }
    assert [cell["id"] for cell in clean["cells"]] == ["id-0", "id-1", "id-2"]
    assert clean["cells"][-1]["outputs"] == []
    assert clean["cells"][-1]["execution_count"] is None
    assert clean["cells"][-1]["metadata"] == {"tags": ["hide"]}
    assert text.endswith("}\n") and not text.endswith("\n\n")


def test_canonical_is_idempotent_and_leaves_its_argument() -> None:
    notebook = untidy()
    text = notebooks.canonical(notebook)
    assert notebooks.canonical(nbformat.reads(text, as_version=4)) == text
    assert notebook.cells[-1].outputs


def save(folder: Path, path: str, notebook: NotebookNode, hook: str = "strip_on_save") -> str:
    """Save a notebook as JupyterLab's server does; return the text on disk."""
    from jupyter_server.services.contents.filemanager import FileContentsManager

    manager = FileContentsManager(
        root_dir=str(folder), pre_save_hook=f"{notebooks.__name__}.{hook}"
    )
    manager.save({"type": "notebook", "content": json.loads(nbformat.writes(notebook))}, path)
    return (folder / path).read_text("utf-8")


def test_what_jupyterlab_saves_is_what_git_holds(project: Path) -> None:
    assert save(project, "notebooks/a.ipynb", untidy()) == notebooks.canonical(untidy())


def test_scratch_keeps_its_outputs_where_it_shows_no_persons(project: Path) -> None:
    (project / "notebooks" / "scratch").mkdir()
    assert '"1"' in save(project, "notebooks/scratch/a.ipynb", untidy())
    stripped = save(project, "notebooks/scratch/a.ipynb", untidy(), "strip_all_on_save")
    assert stripped == notebooks.canonical(untidy())


def test_files_that_are_no_notebooks_are_saved_untouched() -> None:
    model = {"type": "file", "content": "text"}
    notebooks.strip_on_save(model, "a.txt", None)
    assert model == {"type": "file", "content": "text"}


def test_hook_before_a_commit_strips_once(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    path = Path("notebooks") / "a.ipynb"
    nbformat.write(untidy(), path)
    before = path.read_bytes()
    assert strip.main(["--check", str(path)]) == 1
    assert "notebooks/a.ipynb holds outputs" in capsys.readouterr().out
    assert path.read_bytes() == before
    assert strip.main([str(path)]) == 1
    assert "notebooks/a.ipynb: outputs" in capsys.readouterr().out
    assert path.read_text("utf-8") == strip.committed(untidy())
    assert [cell.id for cell in notebooks.read(path).cells] == ["cell-00", "cell-01", "cell-02"]
    assert strip.main([str(path)]) == strip.main(["--check", str(path)]) == 0
    assert capsys.readouterr().out == ""


def test_broken_notebook_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DatamallError, match="There is no notebook"):
        notebooks.read(tmp_path / "a.ipynb")
    for text in ("", "{}", "no json", "[]", '{"cells": 1}'):
        (tmp_path / "a.ipynb").write_text(text)
        with pytest.raises(DatamallError, match="is not a notebook"):
            notebooks.read(tmp_path / "a.ipynb")


def test_papermill_is_known_here_alone(root: Path) -> None:
    for path in (root / "src").rglob("*.py"):
        if path.name != "notebooks.py":
            assert "import papermill" not in path.read_text("utf-8"), path


def test_of_two_runs_at_once_the_second_waits_and_says_so(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = project / "notebooks" / "sample.ipynb"
    path.write_text("")
    second = threading.Event()

    def run_too() -> None:
        with notebooks.alone(path):
            second.set()

    with notebooks.alone(path):
        thread = threading.Thread(target=run_too)
        thread.start()
        assert not second.wait(0.3)
    thread.join(10)
    assert second.is_set()
    assert "another program runs sample.ipynb: waiting" in capsys.readouterr().err
