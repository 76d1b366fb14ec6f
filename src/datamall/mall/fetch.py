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
        Names of the files, below ``data/raw/<authority>``; one that is there already is left alone.

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
    for file in wanted:
        _get(raw_folder(root, authority) / file.path, file, source)
    return [file.path for file in wanted]


def _get(target: Path, file: RawFile, source: Path | None) -> None:
    if target.is_file() and file_digest(target) == file.sha256:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f"{target.name}.partial")
    try:
        with _open(file, source) as stream:
            found = _copy(stream, aside)
        if found != file.sha256:
            raise DatamallError(
                f"{file.path} is another file than the mapping expects (SHA-256 {found[:12]}…, "
                f"not {str(file.sha256)[:12]}…): get {_whence(file)}."
            )
        aside.replace(target)
    except OSError as error:
        raise DatamallError(
            f"{file.path} could not be fetched ({error}): try again, or get {_whence(file)} and "
            "name its folder with --from."
        ) from None
    finally:
        aside.unlink(missing_ok=True)


def _open(file: RawFile, source: Path | None) -> BinaryIO:
    if source is not None:
        for path in (source / (file.found_under or file.path), source / Path(file.path).name):
            if path.is_file():
                return path.open("rb")
        raise DatamallError(
            f"{source} holds no {file.found_under or file.path}: get {_whence(file)}."
        )
    if file.url is None:
        raise DatamallError(
            f"The mapping gives no address for {file.path}: get {_whence(file)} and name its "
            "folder with --from."
        )
    stream: BinaryIO = urllib.request.urlopen(file.url, timeout=PATIENCE)
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
