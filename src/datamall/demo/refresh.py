"""The raw files of an invented city in their place, beside what a person put there."""

import json
import shutil
from pathlib import Path

from datamall.demo import fair, make
from datamall.errors import DatamallError
from datamall.project import file_digest, put, raw_folder

MADE = "made.json"


def refresh(root: Path, seed: int, authority: str = "demo") -> None:
    """Make the raw files of an invented city anew, and nothing else: others in the folder stay.

    ``made.json`` in the folder lists what was made, name → SHA-256; a file of an earlier seed that
    is no longer made goes, if it is as it was.

    Raises
    ------
    DatamallError
        When a file that would be replaced is not as it was made; nothing was changed.
    """
    folder = raw_folder(root, authority)
    aside = folder.with_name(f"{authority}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        (fair.make if authority == fair.NAME else make)(aside, seed)
        made = {path.name: file_digest(path) for path in sorted(aside.iterdir())}
        listed = folder / MADE
        before = json.loads(listed.read_text("utf-8")) if listed.is_file() else {}
        there = {path.name: file_digest(path) for path in folder.glob("*") if path.is_file()}
        for name, digest in made.items():
            if there.get(name, digest) not in (digest, before.get(name)):
                raise DatamallError(
                    f"data/raw/{authority}/{name} is not as the demo made it: take it elsewhere or "
                    "delete it, and run this again; nothing was changed."
                )
        folder.mkdir(parents=True, exist_ok=True)
        for name in made:
            (aside / name).replace(folder / name)
        for name in before.keys() - made.keys():
            if there.get(name) == before[name]:
                (folder / name).unlink()
        put(listed, json.dumps(made, indent=1) + "\n")
    finally:
        shutil.rmtree(aside, ignore_errors=True)
