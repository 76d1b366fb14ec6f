"""Commands about what contracts say: accept one as it is now, and forget what is not kept."""

import click

from datamall.cli_options import AUTHORITY, NAME
from datamall.errors import DatamallError
from datamall.project import find_root


@click.command()
@click.argument("store", type=NAME)
@AUTHORITY
@click.option(
    "--by", type=NAME, required=True, metavar="ROLE", help="Role that signs: steward or committee."
)
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
    _check_store(store, authority, list(mapping.stores))
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


@click.command()
@click.argument("store", type=NAME)
@click.argument("epoch")
@AUTHORITY
@click.option(
    "--by", type=NAME, required=True, metavar="ROLE", help="Role that does it, whose key is here."
)
@click.option(
    "--reason",
    default="",
    help="Why, where rows would still be kept; it stays in the log for good: name nobody.",
)
def forget(store: str, epoch: str, authority: str, by: str, reason: str) -> None:
    """Destroy the key of an EPOCH of a STORE of persons: its rows are unreadable for good.

    An epoch is a year of its rows. There is no way back, and no copy of the store helps. With
    `pseudonyms` for STORE, those that were handed out in that year cannot be made again.
    """
    from datamall.mall import epochs, forgetting
    from datamall.mall.authorities import load_authority
    from datamall.mall.contracts import load_contracts
    from datamall.mall.log import logbook
    from datamall.mall.seal.keys import checked

    root = find_root()
    contracts = load_contracts(root)
    mapping = load_authority(root, authority, contracts)
    if store != epochs.PSEUDONYMS:
        _check_store(store, authority, list(mapping.stores))
    with logbook.refusals(root, forgetting.EVENT, authority=authority, store=store):
        checked(by)
        forgetting.forget(root, mapping, contracts.get(store), epoch, by, reason)
    click.echo(f"The key of epoch {epoch} of {store} is destroyed for good.")
    click.echo("Delete every copy of it, and what the raw files still hold of that year.")


def _check_store(store: str, authority: str, known: list[str]) -> None:
    if store not in known:
        raise DatamallError(
            f"{authority} delivers no store called {store!r}: there are {', '.join(known)}."
        )


COMMANDS = (contract, forget)
