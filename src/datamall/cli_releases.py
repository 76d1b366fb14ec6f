"""Commands about releases: what is published, and what changed since."""

import click

from datamall.cli_options import AUTHORITY, NAME
from datamall.project import find_root


@click.command()
@AUTHORITY
@click.option(
    *("--by", "role"),
    type=NAME,
    required=True,
    metavar="ROLE",
    help="Who signs: steward or committee.",
)
@click.option("--sign", type=int, metavar="NUMBER", help="Sign a release that somebody else made.")
def release(authority: str, role: str, sign: int | None) -> None:
    """Freeze the reviewed pages without the draft mark; it counts when two people have signed."""
    from datamall import releases
    from datamall.mall.authorities import load_authority
    from datamall.recount import verdict

    root = find_root()
    mapping = load_authority(root, authority)
    if sign is not None:
        roles = releases.countersign(root, mapping, sign, role)
        click.echo(f"Release {sign} of {authority} is signed by {' and '.join(roles)}.")
        return
    place = releases.make(root, mapping, role, lambda report: verdict(root, authority, report))
    said = releases.record(root, authority, int(place.name))
    click.echo(
        f"Release {place.name} of {authority} is in {place.relative_to(root)}, signed by the "
        f"{role}. It waits for the other signature: `datamall release --sign {place.name} --by …`."
    )
    for name, made in said["reports"].items():
        if made != said["release"]:
            click.echo(
                f"  {name} stands as in release {made}: it says the same, or too few people lie "
                "between."
            )
    for name in said["left_out"]:
        click.echo(f"  {name} is left out: too few people lie between it and what was released.")


@click.command()
@click.argument("before")
@click.argument("after")
@AUTHORITY
def diff(before: str, after: str, authority: str) -> None:
    """Say what changed from release BEFORE to AFTER: numbers, or `draft` for the pages of now."""
    from datamall import differences, releases

    root = find_root()
    places = [releases.place_of(root, authority, name) for name in (before, after)]
    (one, its), (other, theirs) = places
    click.echo(differences.words(differences.compare(one, other, (its, theirs))), nl=False)


COMMANDS = (release, diff)
