"""Options and arguments that several commands have."""

import re
from typing import Any

import click

from datamall.errors import DatamallError

# Of authorities, stores (department.store), purposes, notebooks and audits. No name of the project
# holds a path, whatever is made of it later.
PLAIN = re.compile(r"[a-z][a-z0-9_-]{0,59}(?:\.[a-z][a-z0-9_-]{0,59})?")


class NotPlain(DatamallError):
    """A name that is none; it is written down that somebody gave one."""


class Name(click.ParamType):
    """A plain name; every option and argument that takes a name is one."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: Any) -> str:
        """Return the name.

        Raises
        ------
        NotPlain
            When it could be a path, or anything else than a name.
        """
        if not isinstance(value, str) or not PLAIN.fullmatch(value):
            what = param.human_readable_name.lower() if param else "name"
            raise NotPlain(
                f"{value!r} cannot be the name of {'an' if what[0] in 'aeiou' else 'a'} {what}: a "
                "name begins with a small letter and has small letters, digits, - and _, and "
                "between department and store a point."
            )
        return value


NAME = Name()
AUTHORITY = click.option(
    "--authority",
    type=NAME,
    default="demo",
    show_default=True,
    help="Whose data: a file in data/authorities.",
)
THREADS = click.option(
    "--threads", type=click.IntRange(1, 64), help="Threads to use; the result is the same."
)
