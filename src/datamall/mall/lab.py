"""JupyterLab behind the door.

Every kernel gets its data at the door. But what a notebook displays may hold scripts, which the
browser runs on behalf of the person at the screen: therefore the server itself hands out nothing
of ``data/`` and opens no terminals. Contracts, mappings and purposes are edited in an editor. That
person owns the project's code, and so does a script in the browser: it could change ``src/``,
and what it changed would run at the next start. Displaying what one does not trust is not safe.
"""

from pathlib import Path

from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from jupyterlab.labapp import LabApp
from tornado.web import HTTPError

from datamall.mall.authorities import load_authority
from datamall.mall.contracts import load_contracts
from datamall.mall.kernel import behind_the_door
from datamall.mall.purposes import people

CLOSED = "data"


class ProjectFiles(AsyncLargeFileManager):
    """The project's files without ``data/``."""

    def _get_os_path(self, path: str) -> str:
        """Return where a path of the interface is on disk; each of its calls asks here."""
        found: str = super()._get_os_path(path)
        if Path(found).resolve().is_relative_to(Path(self.root_dir, CLOSED).resolve()):
            raise HTTPError(404, f"{CLOSED}/ is closed in JupyterLab: use extract() or an editor.")
        return found

    def should_list(self, name: str) -> bool:
        """Return whether to show a name in a listing, which would fail at a closed folder."""
        listed: bool = super().should_list(name)
        return listed and name != CLOSED


def launch(root: Path, authority: str, purposes: list[str], extra_args: list[str]) -> None:
    """Serve JupyterLab on this machine only, until it is stopped.

    Parameters
    ----------
    root
        Project folder.
    authority
        Whose data kernels may check out.
    purposes
        What notebooks may check out that are no report's; those get the purposes of their report.
    extra_args
        Further options of JupyterLab, e.g. ``--no-browser``.

    Raises
    ------
    DatamallError
        When the authority is unknown or its mapping has a mistake.
    """
    load_authority(root, authority)
    config = behind_the_door(root, authority, autoreload=True, occasion="lab", lab=True)
    personal = people(root, load_contracts(root), purposes) is not None
    hook = "strip_all_on_save" if personal else "strip_on_save"
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.root_dir": str(root),
        "ServerApp.terminals_enabled": False,
        "ServerApp.contents_manager_class": f"{__name__}.{ProjectFiles.__name__}",
        "ContentsManager.pre_save_hook": f"datamall.reporting.notebooks.{hook}",
        # The usual one reads the disk without asking the class above.
        "ContentsManager.files_handler_class": "jupyter_server.files.handlers.FilesHandler",
        # A copy of the whole project would hold data/ under another name.
        "FileContentsManager.max_copy_folder_size_mb": 0,
        "KernelSpecManager.allowed_kernelspecs": "python3",
        "LabApp.default_url": "/lab/tree/notebooks",
        # Nothing is fetched from elsewhere: no news, no updates, no catalogue of extensions.
        "LabApp.news_url": None,
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        "LabApp.extension_manager": "readonly",
    }
    for section in config:
        options |= {f"{section}.{k}": v for k, v in config[section].items() if v is not None}
    given = [f"--DoorProvisioner.purposes={purpose}" for purpose in purposes]
    given += [f"--{key}={value}" for key, value in options.items()]
    LabApp.launch_instance([*extra_args, *given])
