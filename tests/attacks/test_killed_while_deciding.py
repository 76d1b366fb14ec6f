"""Killed at each write of a decision or a list: nothing in part, and nothing without its entry."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from decided_mall import AUDIT, Mall, make_mall

from datamall import decisions, worklist
from datamall.mall.log import logbook
from datamall.mall.seal import keys

# Dies, as if killed, at a write: before it is done or, at every second one, after it.
COMMAND = """
import os, sys
from pathlib import Path
from datamall import gate
from datamall.cli import main

root, left = sys.argv.pop(1), [int(sys.argv.pop(1))]
os.chdir(root)
gate.decide = lambda *_: {"reasons": []}

def deadly(work):
    def done(*arguments, **named):
        left[0] -= 1
        if left[0] == 0:
            os._exit(9)
        made = work(*arguments, **named)
        left[0] -= 1
        if left[0] == 0:
            os._exit(9)
        return made
    return done

Path.replace, os.write = deadly(Path.replace), deadly(os.write)
Path.write_text, Path.write_bytes = deadly(Path.write_text), deadly(Path.write_bytes)
main()
"""
KILLED = 9
FIRST = ("decide", AUDIT, "--by", "steward", "--about", "1", "--until", "2099-12-31")


def run(mall: Mall, moment: int, *arguments: str) -> int:
    program = [sys.executable, "-c", COMMAND, str(mall.root), str(moment), *arguments]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode in (0, KILLED), done.stderr
    return done.returncode


@pytest.fixture
def mall(tmp_path: Path) -> Mall:
    """Return a project whose log is written by the clock, as commands do."""
    with pytest.MonkeyPatch.context() as patch:
        return make_mall(tmp_path, patch, synthetic=True)


def whole(mall: Mall) -> None:
    decisions.kept(mall.root, mall.mapping, AUDIT)
    logbook.whole(mall.root)


@pytest.mark.slow
def test_whoever_is_killed_while_signing_signs_again(mall: Mall) -> None:
    moments = {}
    for role, command in (
        ("steward", (*FIRST, "--permits", "worklist")),
        ("committee", ("decide", AUDIT, "--by", "committee", "--sign", "1")),
    ):
        before = mall.root.with_name(f"before-{role}")
        shutil.copytree(mall.root, before)
        moment = 1
        while run(mall, moment, *command) == KILLED:
            whole(mall)
            again = ("decide", AUDIT, "--by", role, "--sign", "1")
            there = mall.file().exists()
            logged = any(said["role"] == role for said in mall.said("decision"))
            # An entry never speaks of a signature that is not there.
            assert there or not logged
            if not logged:
                assert run(mall, -1, *(again if there else command)) == 0
            known = keys.public(mall.root, mall.mapping)
            assert decisions.verify(mall.root, mall.mapping, known) == 1
            shutil.rmtree(mall.root)
            shutil.copytree(before, mall.root)
            moment += 1
        moments[role] = moment
    assert min(moments.values()) > 6
    assert sorted(mall.permitted().signed.roles) == ["committee", "steward"]


@pytest.mark.slow
def test_no_list_without_its_entry_and_none_in_part(
    mall: Mall,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Doors that were killed are swept by the next one: of this test alone.
    monkeypatch.setenv("TMPDIR", str(tmp_path_factory.mktemp("t")))
    assert run(mall, -1, *FIRST, "--permits", "worklist") == 0
    assert run(mall, -1, "decide", AUDIT, "--by", "committee", "--sign", "1") == 0
    moment, lists = 0, 0
    killed = KILLED
    while killed:
        moment += 1
        folder = tmp_path / f"list-{moment}"
        killed = run(mall, moment, "worklist", AUDIT, str(folder), "--by", "desk")
        whole(mall)
        granted = [said for said in mall.said("worklist") if said.get("outcome") == "granted"]
        if (folder / worklist.FILE).exists():
            assert (folder / worklist.FILE).stat().st_size == len("pseudonym\n") + 2 * 17
            assert len(granted) > lists
        lists = len(granted)
    assert moment > 10 and lists
    # What the last one left of extracts is all that there is: nothing.
    assert not [
        path
        for path in Path(os.environ["TMPDIR"]).glob("datamall-*")
        if any(path.rglob("*.parquet"))
    ]
