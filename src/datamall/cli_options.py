"""Options that several commands have."""

import click

AUTHORITY = click.option(
    "--authority", default="demo", show_default=True, help="Whose data: a file in data/authorities."
)
THREADS = click.option(
    "--threads", type=click.IntRange(1, 64), help="Threads to use; the result is the same."
)
