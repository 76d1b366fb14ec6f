"""Strip notebooks before a commit: ``python -m datamall.reporting.strip [--check] FILE…``."""

import sys
from pathlib import Path

from datamall.reporting.notebooks import canonical, keeps_outputs, read


def main(arguments: list[str]) -> int:
    """Rewrite notebooks as git holds them; return 1 if one was different.

    With ``--check`` they are left as they are.
    """
    check = "--check" in arguments
    different = False
    for name in arguments:
        path = Path(name)
        if name == "--check" or keeps_outputs(path.as_posix()):
            continue
        clean = canonical(read(path))
        if clean != path.read_text("utf-8"):
            different = True
            if check:
                print(f"{name} holds outputs or editors' metadata: save it in make lab.")
            else:
                path.write_text(clean, encoding="utf-8", newline="\n")
                print(f"{name}: outputs and editors' metadata removed; add it again.")
    return int(different)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
