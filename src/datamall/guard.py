"""Keep large files and private keys out of git: ``python -m datamall.guard FILE…``."""

import re
import sys
from pathlib import Path

LARGEST = 1_000_000
KEY = re.compile(rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----")


def complaints(paths: list[Path]) -> list[str]:
    """Return one sentence for each file that must not be committed."""
    found = []
    for path in paths:
        if not path.is_file():
            continue
        content = path.read_bytes()
        if len(content) > LARGEST:
            found.append(f"{path} holds {len(content):,} bytes: keep files over 1 MB out of git.")
        if KEY.search(content):
            found.append(f"{path} holds a private key: remove it, and replace that key.")
    return found


if __name__ == "__main__":
    sentences = complaints([Path(name) for name in sys.argv[1:]])
    print("\n".join(sentences), end="\n" if sentences else "")
    sys.exit(bool(sentences))
