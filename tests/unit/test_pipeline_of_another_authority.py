from pathlib import Path

import pytest
import yaml

from datamall.errors import DatamallError
from datamall.mall.authorities import load_authority
from datamall.pipeline import authorities, derive, numbered, run, stages
from datamall.yamlfile import load_mapping


@pytest.fixture
def derived(root: Path) -> dict:
    demo = yaml.safe_load((root / "dvc.yaml").read_text("utf-8"))
    return derive(demo, "elsewhere", {"enforcement.containers", "enforcement.inspections"}, root)


def paths(stage: dict, kind: str) -> list[str]:
    return [p if isinstance(p, str) else next(iter(p)) for p in stage.get(kind, [])]


def test_no_demo_and_no_variable_is_left(derived: dict) -> None:
    text = yaml.safe_dump(derived)
    assert "${" not in text
    # Only the code that makes the demo city is named, as all code is that inputs are read from.
    assert "demo" not in text.replace("src/datamall/demo/", "")
    assert "report-enforcement" in derived["stages"]


def test_outputs_are_this_authoritys_alone_and_not_cached(derived: dict) -> None:
    for stage in derived["stages"].values():
        for kind in ("outs", "metrics"):
            for out in stage.get(kind, []):
                ((path, options),) = out.items()
                assert options == {"cache": False, "persist": True}
                assert "elsewhere" in path.split("/")


def test_code_is_listed_file_by_file_and_exists(derived: dict, root: Path) -> None:
    folder = root / "data" / "authorities" / "elsewhere"
    for kind in ("stores", "handing-over", "reports"):
        stage = derived["stages"][f"inputs-of-{kind}"]
        code = [path for path in paths(stage, "deps") if "/src/" in path]
        assert any(path.endswith("src/datamall/gate.py") for path in code)
        for path in code:
            assert (folder / path).resolve().is_file()
            assert "__pycache__" not in path


def test_unknown_authority_is_refused_in_one_sentence(root: Path) -> None:
    assert {"demo", "open-data"} <= set(authorities(root))
    with pytest.raises(DatamallError, match=r"No authority called 'nowhere'.*demo"):
        run(root, "nowhere")


def test_stores_that_are_not_delivered_are_neither_taken_in_nor_waited_for(derived: dict) -> None:
    assert "intake-enforcement.containers" in derived["stages"]
    assert "intake-shared.neighbourhoods" not in derived["stages"]
    assert "shared.neighbourhoods" not in yaml.safe_dump(derived)
    assert "stores/elsewhere/enforcement.containers" in yaml.safe_dump(derived)


@pytest.mark.parametrize(
    "stores",
    [
        {"traffic.counts"},
        {"traffic.counts", "traffic.congested_hours"},
        {"enforcement.inspections"},
        None,
    ],
)
def test_every_stage_waits_for_what_another_one_makes(root: Path, stores: set[str] | None) -> None:
    demo = yaml.safe_load((root / "dvc.yaml").read_text("utf-8"))
    if stores is None:
        stores = set(load_authority(root, "open-data").stores)
    stages = derive(demo, "elsewhere", stores, root)["stages"]
    made = {out for kind in ("outs", "metrics") for s in stages.values() for out in paths(s, kind)}
    there = ("../../../src/", "../../../data/contracts", "../../../data/purposes.yaml")
    there += ("../../../notebooks", "../../../data/authorities/", "../../../data/raw/")
    there += ("../../../data/audits/", "../../../data/deliveries/", "../../../data/usage/")
    there += ("../../../params.yaml", "../../../data/decisions/")
    for name, stage in stages.items():
        for dep in paths(stage, "deps"):
            # A folder is there once something in it has been made.
            makes = any(
                f"{out}/".startswith(f"{dep}/") or dep.startswith(f"{out}/") for out in made
            )
            assert makes or dep.startswith(there), (name, dep)
    taken = {name.removeprefix("intake-") for name in stages if name.startswith("intake-")}
    assert taken == stores
    reports = yaml.safe_load((root / "params.yaml").read_text("utf-8"))["reports"]
    way = {
        name: "report-by-place" if about.get("of") else "report" for name, about in reports.items()
    }
    assert {f"{stage}-{name}" for name, stage in way.items()} < set(stages)
    assert {"gate", "index"} < set(stages)


def test_on_a_terminal_each_stage_has_its_number_and_the_time_so_far() -> None:
    lines = [
        "Stage 'demo' didn't change, skipping\n",
        "Running stage 'intake@shared.calendar':\n",
        "> datamall intake shared.calendar --authority demo\n",
        "Running stage 'gate':\n",
    ]
    ticks = iter([100.0, 100.4, 101.0, 165.9])
    assert list(numbered(lines, 3, lambda: next(ticks))) == [
        "[1 of 3, 0:00] Stage 'demo' didn't change, skipping\n",
        "[2 of 3, 0:01] Running stage 'intake@shared.calendar':\n",
        "> datamall intake shared.calendar --authority demo\n",
        "[3 of 3, 1:05] Running stage 'gate':\n",
    ]


def test_a_stage_that_stands_for_several_is_counted_as_these(root: Path) -> None:
    every = load_mapping(root / "dvc.yaml", "dvc.yaml")["stages"]
    apart = [name for name, stage in every.items() if "foreach" not in stage]
    assert stages(root) == len(apart) + sum(
        len(every[name]["foreach"]) for name in ("intake", "report", "report-by-place")
    )


def test_what_a_page_hands_over_is_taken_in_after_it_and_before_the_other_reports(
    root: Path,
) -> None:
    """One way: counts, the page of traffic, its congested hours, the page of the morning."""
    demo = yaml.safe_load((root / "dvc.yaml").read_text("utf-8"))
    stores = {"traffic.counts", "traffic.congested_hours", "enforcement.containers"}
    stages = derive(demo, "elsewhere", stores, root)["stages"]
    before: dict[str, set[str]] = {}
    for name, stage in stages.items():
        made = {out for kind in ("outs", "metrics") for out in paths(stage, kind)}
        for other, waits in stages.items():
            if any(
                f"{out}/".startswith(f"{dep}/") or dep.startswith(f"{out}/")
                for dep in paths(waits, "deps")
                for out in made
            ):
                before.setdefault(other, set()).add(name)

    def all_before(name: str, above: tuple[str, ...] = ()) -> set[str]:
        assert name not in above, f"a circle: {above}"
        own = before.get(name, set())
        return own.union(*(all_before(one, (*above, name)) for one in own))

    taken = all_before("intake-traffic.congested_hours")
    assert {"intake-traffic.counts", "report-traffic", "inputs-of-stores"} <= taken
    assert "report-morning" not in taken and "inputs-of-reports" not in taken
    assert "intake-traffic.congested_hours" in all_before("report-morning")
    assert "intake-traffic.congested_hours" not in all_before("report-traffic")
    assert "report-traffic" not in all_before("intake-enforcement.containers")
    assert "report-traffic" in all_before("report-by-place-junctions")
    assert "report-by-place-junctions" in all_before("index")


def test_the_pipeline_says_which_reports_hand_over_as_the_parameters_do(root: Path) -> None:
    demo = yaml.safe_load((root / "dvc.yaml").read_text("utf-8"))
    reports = yaml.safe_load((root / "params.yaml").read_text("utf-8"))["reports"]
    first = {name for name, about in reports.items() if about.get("hands_over")}
    written = demo["stages"]["report"]["foreach"]
    assert {name for name, where in written.items() if where == "handing-over"} == first
    purposes = load_mapping(root / "data" / "purposes.yaml", "data/purposes.yaml")
    used = {store for n in first for p in reports[n]["purposes"] for store in purposes[p]["stores"]}
    deps = demo["stages"]["inputs-of-handing-over"]["deps"]
    place = "data/stores/${authority}/"
    assert {dep.removeprefix(place) for dep in deps if dep.startswith(place)} == used
    stores = load_authority(root, "demo").stores.values()
    assert {s.file.result_of for one in stores for s in one.sources} - {None} == first
