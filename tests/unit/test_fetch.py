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
