"""Commands about contracts: accept one as it is now."""

import click

from datamall.cli_options import AUTHORITY
from datamall.errors import DatamallError
from datamall.project import find_root


@click.command()
@click.argument("store")
@AUTHORITY
@click.option("--by", required=True, metavar="ROLE", help="Role that signs: steward or committee.")
@click.option("--reason", default="", help="Why it is less strict, in a sentence; it is kept.")
def contract(store: str, authority: str, by: str, reason: str) -> None:
    """Sign the contract of a STORE as it is now.

    One that is less strict than before needs a higher version, a reason and the signatures of two,
    the steward and the committee; the other signs by the same command.
    """
    from datamall.mall import accepted
    from datamall.mall.authorities import load_authority
    from datamall.mall.contracts import load_contracts
    from datamall.mall.log import logbook
    from datamall.mall.seal.keys import checked

    root = find_root()
    contracts = load_contracts(root)
    mapping = load_authority(root, authority, contracts)
    if store not in mapping.stores:
        known = ", ".join(mapping.stores)
        raise DatamallError(f"{authority} delivers no store called {store!r}: there are {known}.")
    with logbook.refusals(root, accepted.EVENT, authority=authority, store=store):
        checked(by)
        less = accepted.accept(root, mapping, contracts[store], by, reason)
    version = contracts[store].version
    click.echo(f"Version {version} of the contract {store} is signed by the {by}.")
    for sentence in less:
        click.echo(f"  Less strict: {sentence}.")
    if less:
        click.echo("It counts when the steward and the committee have signed it.")
    click.echo("Commit data/contracts with it.")


COMMANDS = (contract,)
