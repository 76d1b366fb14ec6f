"""What `datamall check` lists: the departments that an authority has, and no other."""

from pathlib import Path

import pytest
import yaml

from datamall.coverage import coverage


@pytest.fixture
def told(root: Path, tmp_path: Path) -> str:
    """Return the list of an authority with traffic alone."""
    for name in ("data/contracts", "data/purposes.yaml", "params.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).symlink_to(root / name)
    about = yaml.safe_load((root / "data" / "authorities" / "demo.yaml").read_text("utf-8"))
    stores = {"traffic.counts", "traffic.junctions"}
    about["stores"] = {name: own for name, own in about["stores"].items() if name in stores}
    about["authority"] = "streets"
    place = tmp_path / "data" / "authorities" / "streets.yaml"
    place.parent.mkdir()
    place.write_text(yaml.safe_dump(about, sort_keys=False), "utf-8")
    return coverage(tmp_path, "streets")


def test_other_departments_are_one_line(told: str) -> None:
    lines = told.splitlines()
    assert lines[-1] == "Not listed, since they deliver nothing here: enforcement, welfare"
    assert not [line for line in lines[:-1] if "enforcement" in line or "welfare" in line]
    assert "fraud" not in told and "Stops near junctions" not in told


def test_what_the_department_itself_does_not_deliver_is_said(told: str) -> None:
    assert "traffic.congested_hours: not delivered" in told
    assert "shared.calendar: not delivered" in told
    [heading] = [line for line in told.splitlines() if line.startswith("Chapters of traffic")]
    assert "junctions" in heading
    assert "  Counts                                       runs" in told.splitlines()
    assert "Chapters of mall" in told
