"""The pages of the junctions of a large city: how many, how long they take, how large they are.

The city is the demo's, so many times over (`bench.traffic`): what the page of traffic found is
copied, each copy with its own junctions, and the pages are made of it as ever, kernel and all.

    python -m bench.junctions [--copies 5]
"""

import argparse
import json
import resource
import shutil
import time
from pathlib import Path

from bench.processes import ROOT

MOST_SECONDS, MOST_BYTES = 60, 150_000  # for a hundred pages, and of one


def copied(source: Path, target: Path, copies: int) -> None:
    """Write the results of the page of traffic so many times over."""
    target.mkdir(parents=True)
    for path in sorted(source.glob("*.json")):
        rows = json.loads(path.read_text("utf-8"))
        if isinstance(rows, list) and rows and "site" in rows[0]:
            rows = [
                row | {"site": f"{turn:02d}{row['site']}"} for turn in range(copies) for row in rows
            ]
        (target / path.name).write_text(json.dumps(rows), "utf-8")


def processor() -> float:
    """Return the seconds of processor that this program and its kernels used so far."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> None:
    """Make the pages and print their number, seconds and megabytes."""
    from datamall.mall.kernel import behind_the_door
    from datamall.reporting import places

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copies", type=int, default=5, help="of the demo's junctions")
    copies = parser.parse_args().copies
    found = ROOT / "reports" / "results" / "traffic"
    if not (found / "junctions.json").is_file():
        raise SystemExit("The demo's page of traffic is not there: run `make` first.")
    work = ROOT / "bench" / ".work" / "junctions"
    shutil.rmtree(work, ignore_errors=True)
    handed = work / "reports" / "results" / "traffic"
    copied(found, handed, copies)
    wall, used = time.monotonic(), processor()
    number = places.run(
        ROOT,
        "demo",
        ROOT / "notebooks" / "junctions.ipynb",
        each="site",
        of="traffic",
        config=behind_the_door(ROOT, "demo", purposes=[], occasion="bench", handed=handed),
        provenance={},
        out_folder=work / "reports",
    )
    wall, used = time.monotonic() - wall, processor() - used
    sizes = [path.stat().st_size for path in (work / "reports" / "junctions").iterdir()]
    print(f"{number} pages in {wall:.1f} s ({used:.1f} s of processor)")
    print(f"a hundred: {100 * wall / number:.1f} s; the budget is {MOST_SECONDS} s")
    print(f"{sum(sizes) / 1e6:.1f} MB; the largest has {max(sizes):,} bytes of {MOST_BYTES:,}")
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
