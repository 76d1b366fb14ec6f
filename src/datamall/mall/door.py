"""The door: a server beside the stores and, in the notebook's kernel, its client `extract`.

The server holds a private temporary folder with the extracts; it is deleted when the door
closes. The kernel inherits one end of a pair of Unix sockets, since it may open none of its own;
with each request it sends a socket to be answered at. They talk in lines of JSON: nothing that a
kernel sends is ever executed or unpickled. Each request that hands something out or is refused has
an entry in the log of use before the answer goes out.
"""

import json
import logging
import os
import socket
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from datamall.errors import DatamallError
from datamall.mall import remains, wall
from datamall.memory import after_each_cell
from datamall.rows import Rows
from datamall.small_numbers import in_words

ENVIRONMENT = "DATAMALL_DOOR"
LONGEST_REQUEST = 1_000  # bytes
LONGEST_WORD = 32  # bytes that come with a socket
CLOSE_ON_START = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
MOST_REFUSED = 100  # by one door: a kernel may not fill the log with what it is refused
PATIENCE = 10  # seconds that a client may take to send its request

log = logging.getLogger(__name__)


class Door:
    """Serve extracts to one kernel until closed; a context manager.

    Parameters
    ----------
    root
        Project folder.
    authority
        Whose data.
    purposes
        The purposes that may be asked for; None: all of the register.
    occasion
        What the kernel is for, in words for the log of use.
    inside
        Whether no kernel asks here, but a program inside the door.

    Attributes
    ----------
    extracts
        Folder with one folder per purpose checked out; the kernel may read it.
    work
        Empty folder that the kernel may write in.
    client
        The socket to ask at, which the kernel inherits.
    wall
        The guard that learns what the kernel tries at the wall.
    """

    def __init__(
        self,
        root: Path,
        authority: str,
        purposes: Collection[str] | None = None,
        occasion: str = "",
        inside: bool = False,
    ) -> None:
        self._root, self._authority, self._purposes = root, authority, purposes
        self._occasion, self._results_only, self._refused = occasion, inside, 0
        self._tried: set[str] = set()
        remains.sweep()
        self._home = remains.Private(_personal(root, purposes))
        self.folder = self._home.path
        self.extracts, self.work = self.folder / "extract", self.folder / "work"
        self._made: dict[str, Path] = {}
        self.extracts.mkdir()
        self.work.mkdir()
        self.wall = wall.Watch(self.work, self._at_the_wall)
        self._inside, self.client = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._open = True
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def started(self, kernel: int, end: Callable[[], None]) -> None:
        """Leave this door to a kernel that has its end of it, and watch what it does.

        Parameters
        ----------
        kernel
            Number of its process, which leads a session of its own.
        end
            Ends it, when it has written too much.
        """
        self.client.close()
        self._home.belongs_to(kernel)
        self.wall.start(end)

    def close(self) -> None:
        """Stop serving and delete the extracts and the work folder."""
        self._open = False
        self._inside.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self.wall.close()
        self._inside.close()
        self.client.close()
        self._home.close()

    def hand_out(self, purpose: str) -> Path:
        """Return the folder of an extract to who opened this door, as a kernel would get it.

        Raises
        ------
        DatamallError
            With the sentence in which the door refuses.
        """
        answer = self.answer(json.dumps({"purpose": purpose}).encode())
        if "refused" in answer:
            raise DatamallError(answer["refused"])
        return Path(answer["folder"])

    def answer(self, request: bytes) -> dict[str, str]:
        """Return the answer to one request, a line of JSON ``{"purpose": name}``.

        Returns
        -------
        dict
            ``{"folder": path}`` of the extract, or ``{"refused": sentence}``.
        """
        if self._refused >= MOST_REFUSED:
            return {"refused": f"This door refused {MOST_REFUSED} requests: restart the kernel."}
        purpose = _purpose(request)
        try:
            return {"folder": str(self._extract(purpose))}
        except DatamallError as refusal:
            self._refused += 1
            return {"refused": str(refusal)}
        except Exception as error:
            self._refused += 1
            # The details may hold data or paths, which are not the kernel's to see.
            log.exception("The extract for %r could not be made", purpose)
            return {
                "refused": f"The extract for {purpose!r} could not be made "
                f"({type(error).__name__}): the log of the program that started this kernel "
                "says why."
            }

    def _serve(self) -> None:
        """Answer the requests that come, one by one: each brings a socket to be answered at."""
        while True:
            said, given, *_ = socket.recv_fds(self._inside, LONGEST_WORD, 1, CLOSE_ON_START)
            if not self._open:
                return
            for file in given:
                if said == wall.LISTENER:
                    self.wall.listen(file)
                else:
                    self._converse(file)
            if not given and said.decode("ascii", "replace") in wall.SAID_INSIDE:
                self._at_the_wall(said.decode("ascii"))

    def _converse(self, file: int) -> None:
        try:
            connection = socket.socket(fileno=file)
        except OSError:
            os.close(file)
            return
        with connection, suppress(OSError):
            connection.settimeout(PATIENCE)
            with connection.makefile("rb") as stream:
                answer = self.answer(stream.readline(LONGEST_REQUEST + 1))
            connection.sendall(json.dumps(answer).encode() + b"\n")

    def _at_the_wall(self, kind: str) -> None:
        """Write down what the kernel was refused at the wall, each kind once."""
        from datamall.mall.log import uses

        if kind in self._tried:
            return
        self._tried.add(kind)
        try:
            uses.refused_at_the_wall(self._root, self._authority, self._occasion, kind)
        except Exception:  # the guard goes on: a call that nobody answers would wait for ever
            log.exception("An attempt on the wall (%s) could not be written down", kind)

    def _extract(self, purpose: str | None) -> Path:
        """Return the folder of the extract; requests come one by one, so it is made once."""
        from datamall.mall import access
        from datamall.mall.log import uses
        from datamall.mall.purposes import Refused

        def written_down(code: str) -> None:
            uses.refused(self._root, self._authority, purpose, self._occasion, code)

        if purpose is None:
            written_down("malformed")
            raise DatamallError('The door takes one short line: {"purpose": "name"}.')
        if self._purposes is not None and purpose not in self._purposes:
            written_down("not-granted")
            raise Refused(
                "not-granted",
                f"This kernel may not check out {purpose!r}, but "
                f"{', '.join(sorted(self._purposes)) or 'nothing'}: "
                "see the notebook's purposes under reports in params.yaml; any other notebook gets "
                "those of `datamall lab --purpose NAME`.",
            )
        if purpose not in self._made:
            with tempfile.TemporaryDirectory(dir=self.folder) as aside:
                made = Path(aside, "extract")
                made.mkdir()
                access.checkout(
                    *(self._root, self._authority, purpose, made, self._occasion),
                    inside=self._results_only,
                    beside=[*self._made],
                )
                # Only now: a name that is in the register is safe as the name of a folder.
                self._made[purpose] = made.rename(self.extracts / purpose)
        return self._made[purpose]


def _personal(root: Path, purposes: Collection[str] | None) -> bool:
    """Return whether a door may hand out persons or households; what is not known counts as so."""
    from datamall.mall.contracts import load_contracts
    from datamall.mall.purposes import people

    try:
        return purposes is None or people(root, load_contracts(root), purposes) is not None
    except (DatamallError, OSError):
        return True


def _purpose(request: bytes) -> str | None:
    """Return the purpose that a request asks for; None if it is no such request."""
    try:
        asked = json.loads(request) if len(request) <= LONGEST_REQUEST else None
    except (ValueError, RecursionError):
        asked = None
    match asked:
        case {"purpose": str(purpose), **rest} if not rest:
            return purpose
    return None


class Extract(Mapping[str, Any]):
    """What a purpose was granted: a mapping from store to its table, a DataFrame.

    Whole numbers and decimals are numbers, dates are ``datetime64``, text is ``str``.

    Parameters
    ----------
    folder
        Where the door has put it.
    compact
        Text as categories, in order: for tables of millions of rows, which are then read several
        times faster and take a fraction of the memory.
    on_file
        Stores that are not read but handed out as `datamall.rows.Rows`: for tens of millions of
        rows, which an analysis then reads in slices.

    Attributes
    ----------
    purpose, title
        Name and title of the purpose.
    authority, authority_title
        Name and title of the authority.
    synthetic
        Whether the data are about nothing real.
    description
        What the authority's data are.
    period
        ``{"first_day": …, "last_day": …}`` as ISO dates, or None if unknown.
    not_delivered
        What the purpose grants and the authority does not deliver, as ``store.column``.
    personal
        Whether a store counts persons or households.
    about
        Store → column → what the contract says of it: ``title``, ``description``, ``unit``,
        ``family`` and ``profiling`` (text or None), ``granted`` and ``delivered``. It names all
        columns of the granted stores, in the order of the contract.
    """

    def __init__(self, folder: Path, compact: bool = False, on_file: Collection[str] = ()) -> None:
        about = json.loads((folder / "extract.json").read_text("utf-8"))
        self.purpose: str = about["purpose"]
        self.title: str = about["title"]
        self.authority: str = about["authority"]
        self.authority_title: str = about["authority_title"]
        self.synthetic: bool = about["synthetic"]
        self.description: str = about["description"]
        self.period: dict[str, str] | None = about["period"]
        self.personal: bool = about["personal"]
        self.not_delivered: tuple[str, ...] = tuple(
            f"{name}.{column}"
            for name, store in about["stores"].items()
            for column in store["not_delivered"]
        )
        self.about: dict[str, dict[str, dict[str, Any]]] = {
            name: store["about"] for name, store in about["stores"].items()
        }
        rows = {
            name: Rows(sorted((folder / name).glob("part-*")))
            for name, store in about["stores"].items()
            if store["columns"]
        }
        self._tables: dict[str, Any] = {
            name: own if name in on_file else own.whole(compact) for name, own in rows.items()
        }

    def __getitem__(self, store: str) -> Any:
        return self._tables[store]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)

    def __repr__(self) -> str:
        # It can stay behind in a notebook.
        said = in_words if self.personal else "{:,}".format
        sizes = (f"{name}: {said(len(table))} rows" for name, table in self._tables.items())
        return f"Extract for {self.purpose!r} of {self.authority_title} ({', '.join(sizes)})"


def extract(purpose: str, *, compact: bool = False, on_file: Collection[str] = ()) -> Extract:
    """Check out the extract of a purpose at the door of this kernel.

    Parameters
    ----------
    purpose
        Name in ``data/purposes.yaml``.
    compact, on_file
        Text as categories, and stores to be read in slices: see `Extract`.

    Returns
    -------
    Extract
        The granted tables by store.

    Raises
    ------
    DatamallError
        When there is no door here, or with the sentence in which the door refuses.
    """
    address = os.environ.get(ENVIRONMENT)
    if not address:
        raise DatamallError(
            "There is no door here: start JupyterLab with `make lab` (or `datamall lab`), or run "
            "the notebook with `datamall report`."
        )
    try:
        ours, theirs = socket.socketpair()
        with ours:
            with theirs, socket.fromfd(int(address), socket.AF_UNIX, socket.SOCK_DGRAM) as door:
                socket.send_fds(door, [b"ask"], [theirs.fileno()])
            ours.sendall(json.dumps({"purpose": purpose}).encode() + b"\n")
            with ours.makefile("rb") as stream:
                line = stream.readline()
    except (OSError, ValueError):
        line = b""
    if not line:
        raise DatamallError("The door of this kernel is closed: restart the kernel and try again.")
    answer = json.loads(line)
    if "refused" in answer:
        raise DatamallError(answer["refused"])
    if on_file:
        after_each_cell()
    return Extract(Path(answer["folder"]), compact, on_file)
