"""Get the original public files of an authority, each checked by its SHA-256."""

import hashlib
import urllib.request
from pathlib import Path
from typing import BinaryIO

from datamall.errors import DatamallError
from datamall.mall.authorities import load_authority
from datamall.mall.rawfiles import RawFile
from datamall.project import file_digest, raw_folder

CHUNK = 1 << 20
PATIENCE = 60  # seconds without an answer


def fetch(root: Path, authority: str, source: Path | None = None) -> list[str]:
    """Copy or download every raw file of an authority that has a SHA-256 in its mapping.

    Parameters
    ----------
    root
        Project folder.
    authority
        Name of the authority.
    source
        Folder that holds the original files, each under ``found_under`` or, failing that, under
        its own name; None: download from ``url``.

    Returns
    -------
    list of str
        Names of the files, below ``data/raw/<authority>``; those that are there are left alone.

    Raises
    ------
    DatamallError
        When nothing is to be fetched, a file cannot be found or downloaded (with where to get
        it), or is another file than the mapping expects. Nothing half-written is left.
    """
    mapping = load_authority(root, authority)
    wanted = [file for file in mapping.files.values() if file.sha256]
    if not wanted:
        remedy = "they are made with `datamall demo`" if mapping.synthetic else "put them there"
        raise DatamallError(
            f"The mapping of {authority} names no file with a sha256, so there is nothing to "
            f"fetch into data/raw/{authority}: {remedy}."
        )
    folder = raw_folder(root, authority)
    for file in wanted:
        _get(folder, file, source)
    return [name for file in wanted for name in file.on_each_day(file.path)]


def _get(folder: Path, file: RawFile, source: Path | None) -> None:
    targets = [folder / name for name in file.on_each_day(file.path)]
    there = {target: file_digest(target) for target in targets if target.is_file()}
    if len(there) == len(targets) and _together(file, there) == file.sha256:
        return
    asides = [target.with_name(f"{target.name}.partial") for target in targets]
    places = file.on_each_day(file.found_under or file.path)
    urls = file.on_each_day(file.url or "")
    digests = {}
    try:
        for target, aside, place, url in zip(targets, asides, places, urls, strict=True):
            target.parent.mkdir(parents=True, exist_ok=True)
            with _open(file, source, (place, target.name), url) as stream:
                digests[target] = _copy(stream, aside)
        found = _together(file, digests)
        if found != file.sha256:
            several = "are other files" if file.days else "is another file"
            raise DatamallError(
                f"{file.path} {several} than the mapping expects (SHA-256 {found[:12]}…, "
                f"not {str(file.sha256)[:12]}…): get {_whence(file)}."
            )
        for target, aside in zip(targets, asides, strict=True):
            aside.replace(target)
    except OSError as error:
        raise DatamallError(
            f"{file.path} could not be fetched ({error}): try again, or get {_whence(file)} and "
            "name its folder with --from."
        ) from None
    finally:
        for aside in asides:
            aside.unlink(missing_ok=True)


def _together(file: RawFile, digests: dict[Path, str]) -> str:
    """Return the digest of a file or, of files of days, that of what `sha256sum` prints."""
    if file.days is None:
        return next(iter(digests.values()))
    lines = (f"{digest}  {path.name}\n" for path, digest in digests.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _open(file: RawFile, source: Path | None, places: tuple[str, ...], url: str) -> BinaryIO:
    if source is not None:
        for path in (source / place for place in places):
            if path.is_file():
                return path.open("rb")
        raise DatamallError(f"{source} holds no {places[0]}: get {_whence(file)}.")
    if not url:
        raise DatamallError(
            f"The mapping gives no address for {file.path}: get {_whence(file)} and name its "
            "folder with --from."
        )
    stream: BinaryIO = urllib.request.urlopen(url, timeout=PATIENCE)
    return stream


def _copy(stream: BinaryIO, target: Path) -> str:
    sha256 = hashlib.sha256()
    with target.open("wb") as out:
        while block := stream.read(CHUNK):
            sha256.update(block)
            out.write(block)
    return sha256.hexdigest()


def _whence(file: RawFile) -> str:
    return " ".join(file.source.split()) if file.source else "the original file"
