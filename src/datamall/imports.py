"""Imports without a part that takes most of their time and is not used here."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

GRAMMAR = "rfc3987_syntax"


@contextmanager
def without_grammar() -> Iterator[None]:
    """Import jsonschema, or what needs it, without its check of internationalised addresses.

    The grammar for that check takes a second to load, and no format is checked here.
    """
    spared = GRAMMAR not in sys.modules and "jsonschema" not in sys.modules
    if spared:
        sys.modules[GRAMMAR] = None  # type: ignore[assignment]  # Python's way to say: not there
    try:
        yield
    finally:
        if spared:
            del sys.modules[GRAMMAR]
