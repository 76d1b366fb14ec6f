"""What each stage of the pipeline rests on, in a small file of its own.

A stage depends on its file alone, so that it runs when something in it has changed: code that it
can run, contracts, the mapping and the raw files of its store, or the stores of its report. What
another department delivers, or the mapping says of another store, is not in it.
"""

from pathlib import Path
from typing import Any

from datamall.mall.authorities import Authority, load_authority
from datamall.mall.contracts import Contract, load_contracts
from datamall.mall.deliveries import decisions_file
from datamall.modules import reached
from datamall.pipeline import write_apart
from datamall.project import file_digest, load_parameters
from datamall.provenance import about_digest, canonical_digest, file_digests, provenance


def write(root: Path, authority: str, kind: str) -> None:
    """Write ``data/inputs/<authority>/<kind>/<name>.json``: name → SHA-256.

    Parameters
    ----------
    root, authority
        Project folder and authority.
    kind
        ``stores``, one file for each that the authority delivers, before they are taken in;
        ``handing-over``, one for each report of which a result becomes a delivery, after the
        stores that it uses; or ``reports``, one for each other report, the gate and the index page,
        after all stores.

    Raises
    ------
    DatamallError
        When the mapping, a contract or params.yaml has a mistake; the files then stay.
    """
    if kind == "stores":
        found = of_stores(root, authority)
    else:
        first = {name for name, about in _reports(root).items() if about.get("hands_over")}
        whole = of_reports(root, authority)
        found = {n: own for n, own in whole.items() if (n in first) == (kind == "handing-over")}
    ordered = {name: dict(sorted(digests.items())) for name, digests in found.items()}
    write_apart(root / "data" / "inputs" / authority / kind, ordered)


def of_stores(root: Path, authority: str) -> dict[str, dict[str, str]]:
    """Return what the intake of each store of an authority rests on."""
    contracts = load_contracts(root)
    mapped = load_authority(root, authority, contracts)
    code = file_digests(root, reached(root / "src" / "datamall", ["datamall.mall.intake"]))
    return {name: code | _of_store(root, mapped, contracts[name]) for name in sorted(mapped.stores)}


def _of_store(root: Path, mapped: Authority, contract: Contract) -> dict[str, str]:
    mapping = mapped.stores[contract.name]
    needed = [contract.name, *(c.reference[0] for c in contract.columns if c.reference)]
    paths = [root / "data" / "contracts" / f"{name.replace('.', '/')}.yaml" for name in needed]
    # What the steward decided about its deliveries.
    paths.append(decisions_file(root, mapped.authority, contract.name))
    digests = file_digests(root, [path for path in paths if path.is_file()])
    digests |= {f"mapping of {contract.name}": mapping.digest}
    for source in mapping.sources:
        if source.file.result_of:
            continue  # made after this file is written: the stage depends on the page's results
        folder = source.file.folder(root, mapped.authority)
        there, missing = source.file.below(folder)
        digests |= {f"raw {path.relative_to(folder)}": file_digest(path) for path in there}
        digests |= {f"raw {name}": "not there" for name in missing}
    return digests


def _reports(root: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = load_parameters(root)["reports"]
    return found


def of_reports(root: Path, authority: str) -> dict[str, dict[str, str]]:
    """Return what each report of an authority, its gate and its index page rest on."""
    parameters = load_parameters(root)
    found: dict[str, dict[str, str]] = {
        name: provenance(root, authority, name) for name in parameters["reports"]
    }
    source, contracts = root / "src" / "datamall", root / "data" / "contracts"
    audits = [about["package"] for about in parameters["reports"].values() if about.get("audit")]
    # Before a gate opens, the verdict is counted again.
    again = [f"datamall.{package}.audit.again" for package in audits]
    for name, modules in (
        ("gate", ["datamall.gate", "datamall.recount", *again]),
        ("index", ["datamall.reporting.index"]),
    ):
        own = {"params.yaml: reports": canonical_digest(parameters["reports"])}
        own |= about_digest(root, authority)
        found[name] = own | file_digests(root, reached(source, modules))
    found["index"] = {**found["index"], **file_digests(root, sorted(contracts.glob("*/*.yaml")))}
    for name, report in parameters["reports"].items():
        if report.get("audit"):
            found["gate"] = {**found["gate"], **found[name]}
    return found


def resting_on(root: Path, authority: str, store: str) -> list[str]:
    """Return the stores that refer to a store and the reports that use it, all there are."""
    contracts = load_contracts(root)
    stores = load_authority(root, authority, contracts).stores
    referring = [
        name
        for name in stores
        if any(c.reference and c.reference[0] == store for c in contracts[name].columns)
    ]
    reports = [
        f"report {name}"
        for name in load_parameters(root)["reports"]
        if f"store {store}" in provenance(root, authority, name)
    ]
    return [*referring, *reports]
