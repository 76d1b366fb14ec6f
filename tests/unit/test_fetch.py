"""Original public files: the right ones, whole, or none."""

import hashlib
import io
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from tiny_intake import GOOD, write_project

from datamall.errors import DatamallError
from datamall.mall.fetch import fetch

SHA256 = hashlib.sha256(GOOD).hexdigest()


def project(root: Path, **more: str) -> Path:
    def mapping(document: dict) -> None:
        document["files"]["list"].update(
            path="sub/things.csv", sha256=SHA256, found_under="waste/all.csv", **more
        )

    return write_project(root / "project", {}, authority=mapping)


def there(root: Path) -> list[str]:
    return [path.name for path in (root / "data/raw").rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", ["waste/all.csv", "things.csv"])
def test_from_a_folder(tmp_path: Path, name: str) -> None:
    root = project(tmp_path)
    (tmp_path / "source" / name).parent.mkdir(parents=True)
    (tmp_path / "source" / name).write_bytes(GOOD)
    assert fetch(root, "tiny", tmp_path / "source") == ["sub/things.csv"]
    assert (root / "data/raw/tiny/sub/things.csv").read_bytes() == GOOD
    assert there(root) == ["things.csv"]
    # A file that is there and right needs no source.
    assert fetch(root, "tiny", tmp_path / "elsewhere") == ["sub/things.csv"]


def test_a_folder_without_the_file(tmp_path: Path) -> None:
    root = project(tmp_path)
    with pytest.raises(DatamallError, match=r"holds no waste/all\.csv: get the shop\.$"):
        fetch(root, "tiny", tmp_path)
    assert there(root) == []


@pytest.mark.parametrize("content", [GOOD[:-1], GOOD + b"\n", b""])
def test_another_file_than_expected(tmp_path: Path, content: bytes) -> None:
    root = project(tmp_path)
    (tmp_path / "things.csv").write_bytes(content)
    target = root / "data/raw/tiny/sub/things.csv"
    target.parent.mkdir(parents=True)
    target.write_bytes(b"older")
    with pytest.raises(DatamallError, match=r"sub/things\.csv is another file than the mapping"):
        fetch(root, "tiny", tmp_path)
    assert target.read_bytes() == b"older"
    assert there(root) == ["things.csv"]


def test_by_its_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answer(url: str, timeout: float) -> io.BytesIO:
        asked.append((url, timeout > 0))
        return io.BytesIO(GOOD)

    monkeypatch.setattr(urllib.request, "urlopen", answer)
    root = project(tmp_path, url="https://example.org/all.csv")
    assert fetch(root, "tiny") == ["sub/things.csv"]
    assert (root / "data/raw/tiny/sub/things.csv").read_bytes() == GOOD
    assert asked == [("https://example.org/all.csv", True)]


def test_an_address_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(url: str, timeout: float) -> io.BytesIO:
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(urllib.request, "urlopen", fail)
    root = project(tmp_path, url="https://example.org/all.csv")
    with pytest.raises(DatamallError, match=r"no route.*try again, or get the shop and name"):
        fetch(root, "tiny")
    assert there(root) == []


def test_no_address(tmp_path: Path) -> None:
    with pytest.raises(DatamallError, match=r"no address for sub/things\.csv: get the shop"):
        fetch(project(tmp_path), "tiny")


def test_nothing_to_fetch(root: Path) -> None:
    with pytest.raises(DatamallError, match=r"nothing to fetch .*made with `datamall demo`"):
        fetch(root, "demo")


DAYS = {"a_2025_12_31.csv": b"x", "a_2026_01_01.csv": b"y", "a_2026_01_02.csv": b"z"}
# What `sha256sum *.csv | sha256sum` prints in the folder of the files.
TOGETHER = "68770524803dc10ee59425a93856107e82d3a3a75cd1ada47724107dba03b258"


def daily(root: Path, **more: str) -> Path:
    def mapping(document: dict) -> None:
        document["files"]["list"].update(
            path="in/a_%Y_%m_%d.csv",
            days="2025-12-31/2026-01-02",
            found_under="days/%y/a_%Y_%m_%d.csv",
            sha256=TOGETHER,
            **more,
        )

    return write_project(root / "project", {}, authority=mapping)


def offer(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / "days" / name[4:6] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def test_files_of_days_are_checked_as_one(tmp_path: Path) -> None:
    root = daily(tmp_path)
    names = [f"in/{name}" for name in DAYS]
    assert fetch(root, "tiny", offer(tmp_path / "source", DAYS)) == names
    for name, content in DAYS.items():
        assert (root / "data/raw/tiny/in" / name).read_bytes() == content
    # All of them are there and right: no source is needed.
    assert fetch(root, "tiny", tmp_path / "elsewhere") == names
    (root / "data/raw/tiny" / names[1]).write_bytes(b"Y")
    with pytest.raises(DatamallError, match=r"elsewhere holds no days/25/a_2025_12_31\.csv"):
        fetch(root, "tiny", tmp_path / "elsewhere")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"a_2026_01_01.csv": b"Y"},
            r"in/a_%Y_%m_%d\.csv are other files than",
        ),
        ({"a_2025_12_31.csv": b"y", "a_2026_01_01.csv": b"x"}, "are other files"),
        ({"a_2026_01_02.csv": None}, r"holds no days/26/a_2026_01_02\.csv: get the shop"),
    ],
)
def test_one_wrong_day_and_none_is_kept(
    tmp_path: Path, change: dict[str, bytes | None], sentence: str
) -> None:
    root = daily(tmp_path)
    files = {name: content for name, content in {**DAYS, **change}.items() if content is not None}
    with pytest.raises(DatamallError, match=sentence):
        fetch(root, "tiny", offer(tmp_path / "source", files))
    assert there(root) == []


def test_days_by_their_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answer(url: str, timeout: float) -> io.BytesIO:
        asked.append(url)
        return io.BytesIO(DAYS[url.rsplit("/", 1)[1]])

    monkeypatch.setattr(urllib.request, "urlopen", answer)
    fetch(daily(tmp_path, url="https://example.org/%Y/a_%Y_%m_%d.csv"), "tiny")
    assert asked[1:] == [f"https://example.org/2026/a_2026_01_0{n}.csv" for n in (1, 2)]
