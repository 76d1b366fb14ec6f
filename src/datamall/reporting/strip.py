"""Strip notebooks before a commit: ``python -m datamall.reporting.strip FILE…``."""

import sys
from pathlib import Path

from datamall.reporting.notebooks import canonical, keeps_outputs, read


def main(names: list[str]) -> int:
    """Rewrite notebooks as git holds them; return 1 if that changed one."""
    changed = False
    for name in names:
        path = Path(name)
        text = path.read_text("utf-8")
        clean = text if keeps_outputs(path.as_posix()) else canonical(read(path))
        if clean != text:
            path.write_text(clean, encoding="utf-8", newline="\n")
            print(f"{name}: outputs and editors' metadata removed; add it again.")
            changed = True
    return int(changed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
