"""What must hold for every page: one title, ordered headings, alternative texts, no network."""

import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

from datamall.project import load_parameters

VOID = {"meta", "link", "img", "br", "hr", "input"}


def committed(root: Path) -> list[Path]:
    """Return all pages of the demo, which are in git: of each report, and of each of its places."""
    pages, found = root / "reports", [root / "reports" / "index.html"]
    for name, about in load_parameters(root)["reports"].items():
        if about.get("of"):
            answers = pages / "results" / name / "answers.json"
            assert answers.is_file(), f"the pages of {name} belong in git: run make"
            own = [pages / one["page"] for one in json.loads(answers.read_text("utf-8"))]
            assert own and sorted(own) == sorted((pages / name).iterdir())
            found += own
        else:
            found.append(pages / f"{name}.html")
    for path in found:
        assert path.is_file(), f"{path.name} belongs in git: run make"
    return found


class Page(HTMLParser):
    """What the checks need of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.tags: list[tuple[str, dict[str, Any]]] = []
        self.headings: list[tuple[int, str]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == [], "every tag is closed"

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append((int(tag[1]), ""))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "title"} & set(self._open):
            self.text += data
        if self._open and re.fullmatch("h[1-6]", self._open[-1]):
            level, text = self.headings[-1]
            self.headings[-1] = (level, text + data)

    def all(self, tag: str) -> list[dict[str, Any]]:
        return [attributes for name, attributes in self.tags if name == tag]


def check(html: str) -> Page:
    """Assert everything that holds for every page; return it parsed."""
    page = Page(html)
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("title")) == len(page.all("main")) == len(page.all("h1")) == 1
    assert re.search(r"<title>[^<]+ · [^<]+</title>", html)
    levels = [level for level, _ in page.headings]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for link in page.all("a"):
        assert not link["href"].startswith("#") or link["href"][1:] in ids
    for image in page.all("img"):
        assert len(image["alt"].split()) > 2 and "no description" not in image["alt"].lower()
    tables_found = html.count("<table")
    assert html.count("<caption") == tables_found
    assert all(heading["scope"] in ("col", "row") for heading in page.all("th"))
    for _, attributes in page.tags:
        for key in ("src", "srcset", "poster", "data", "action", "background"):
            assert attributes.get(key, "data:").startswith("data:")
        assert not any(key.startswith("on") for key in attributes)
    assert all(link["href"].startswith("data:") for link in page.all("link"))
    assert not {"script", "iframe", "object", "embed", "base", "form"} & {t for t, _ in page.tags}
    assert not re.search(r"@import|url\(|@font-face", html)
    policy = next(m["content"] for m in page.all("meta") if "http-equiv" in m)
    assert policy.startswith("default-src 'none'")
    assert not re.search(r" at 0x[0-9a-f]{4}", html)
    assert not re.search(r"/(tmp|home|root|var/folders)/", html)
    assert len(html.encode()) < 1_000_000
    return page
