"""Commands about evidence: who used which data, and whether anything was altered."""

import json
import sys
from datetime import date, datetime
from pathlib import Path
from typing import TextIO

import click

from datamall.cli_options import AUTHORITY, NAME
from datamall.errors import DatamallError
from datamall.project import find_root

DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@AUTHORITY
@click.option("--by", type=click.Choice(["day", "month", "year"]), default="month")
@click.option("--from", "first", type=DAY, help="First day (UTC), such as 2026-01-31.")
@click.option("--until", "last", type=DAY, help="Last day.")
@click.option("--purpose", type=NAME, help="Of this purpose alone.")
@click.option("--store", type=NAME, help="Of this store alone.")
@click.option("--person", is_flag=True, help="Of one person, whose number is asked for.")
@click.option("--number-in", type=click.File("r"), help="File that holds the person's number.")
@click.option("--kind", help="What kind of number that is: its column in the stores.")
@click.option("--language", type=click.Choice(["nl", "en"]), help="Of a letter; both without it.")
@click.option("--json", "as_json", is_flag=True, help="A person's uses as data, with proofs.")
@click.option("--publish", is_flag=True, help="Write the counts and the head of the log for all.")
def usage(
    authority: str,
    by: str,
    first: datetime | None,
    last: datetime | None,
    purpose: str | None,
    store: str | None,
    person: bool,
    number_in: TextIO | None,
    kind: str | None,
    language: str | None,
    as_json: bool,
    publish: bool,
) -> None:
    """Say from the log of use what was used for what; or each use of one person's rows.

    A person's number is asked for, or read from a file: never an argument, which other users of
    the machine could see.
    """
    from datamall.mall.authorities import load_authority
    from datamall.mall.contracts import load_contracts
    from datamall.mall.log import logbook, words
    from datamall.mall.log import usage as log
    from datamall.mall.log.published import publish as publish_counts

    root = find_root()
    contracts = load_contracts(root)
    mapping = load_authority(root, authority, contracts)
    span = log.Span(first.date() if first else None, last.date() if last else None)
    if publish:
        path = publish_counts(root, authority)
        click.echo(f"{path.relative_to(root)} is written: commit it, and the mall's page shows it.")
        return
    if not person and number_in is None:
        click.echo(words.table(log.counts(root, authority, by, span, purpose, store)))
        return
    if number_in is not None:
        number = number_in.read()
    elif sys.stdin.isatty():
        number = click.prompt("Number", hide_input=True, err=True)
    else:
        number = sys.stdin.readline()
    logbook.write(root, "person", authority=authority)
    told = log.of_person(root, mapping, number, kind, today=date.today(), span=span)
    if as_json:
        shown = log.proof(root, [use.entry for use in told.uses])
        click.echo(json.dumps(words.record(told, shown), indent=1, ensure_ascii=False))
        return
    letters = [language] if language else words.LANGUAGES
    click.echo("\n\n\n".join(words.letter(told, mapping, contracts, x) for x in letters))


@click.command()
@AUTHORITY
@click.option(
    "--witness",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of hashes, out of reach of who writes the log: compared, then brought up to date.",
)
@click.option(
    "--keys",
    "keys_in",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Public keys, out of reach of who writes here; without it, those of data/keys.",
)
def verify(authority: str, witness: Path | None, keys_in: Path | None) -> None:
    """Check the log of use and all that was sealed; name the first thing that was altered."""
    from datamall import decisions, releases
    from datamall.mall import accepted, forgetting
    from datamall.mall.authorities import load_authority
    from datamall.mall.log import logbook
    from datamall.mall.log.published import check as entries_of
    from datamall.mall.seal import keys, seals

    root = find_root()
    mapping = load_authority(root, authority)
    with logbook.refusals(root, "verify", authority=authority):
        known = logbook.hashes(witness) if witness and witness.exists() else []
        entries = entries_of(root, authority, known)
        if witness is not None:
            logbook.witness(root, witness)
        click.echo(f"The log of use is whole: {entries:,} entries.")
        public = keys.public(root, mapping, keys_in)
        for kind, (files, roles) in seals.verify(root, mapping, public).items():
            click.echo(f"  {kind}: {files:,} files as sealed by {' and '.join(roles)}")
        click.echo(f"  contracts: {accepted.verify(root, mapping):,} versions as accepted")
        click.echo(f"  epochs: {forgetting.verify(root, mapping):,} keys destroyed for good")
        click.echo(f"  decisions: {decisions.verify(root, mapping, public):,} files as signed")
        for number, (files, roles) in releases.verify(root, mapping, public).items():
            waits = "" if len(roles) > 1 else ", waits for another signature"
            click.echo(
                f"  release {number}: {files:,} files as signed by {' and '.join(roles)}{waits}"
            )
    if mapping.synthetic and keys_in is None:
        click.echo("  with keys of invented data, which everybody knows: this proves nothing.")


@click.command()
@AUTHORITY
@click.option(
    "--by", "roles", type=NAME, multiple=True, required=True, help="Role that signs; several may."
)
@click.option(
    "--kind", "kinds", type=NAME, multiple=True, help="What to seal; without it, all there is."
)
def seal(authority: str, roles: tuple[str, ...], kinds: tuple[str, ...]) -> None:
    """Sign the deliveries, stores, method, results, audits and published uses as they are now."""
    from datamall.mall.authorities import load_authority
    from datamall.mall.seal import seals

    root = find_root()
    mapping = load_authority(root, authority)
    known = seals.covered(root, authority)
    if unknown := sorted({*kinds} - {*known}):
        raise DatamallError(f"Nothing is called {unknown[0]!r}: there are {', '.join(known)}.")
    for kind in kinds or seals.kinds(root, authority):
        files = seals.seal(root, mapping, kind, list(roles))
        click.echo(f"{kind}: {files:,} files sealed by {' and '.join(roles)}")


COMMANDS = (usage, verify, seal)
