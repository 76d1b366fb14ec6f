"""JupyterLab behind the door.

Every kernel gets its data at the door. The person at the screen owns the project's files and may
edit code, contracts and mappings; but a notebook's output can run scripts in the browser on that
person's behalf, so the server shows no raw files and no stores, and opens no terminals.
"""

from pathlib import Path

from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from jupyterlab.labapp import LabApp

from datamall.mall.kernel import behind_the_door

CLOSED = (("data", "raw"), ("data", "stores"))


class ProjectFiles(AsyncLargeFileManager):
    """The project's files without its raw files and stores."""

    async def is_hidden(self, path: str) -> bool:
        """Return whether the server must act as if a path were not there."""
        root, wanted = Path(self.root_dir).resolve(), Path(self._get_os_path(path)).resolve()
        if any(wanted.is_relative_to(root.joinpath(*closed)) for closed in CLOSED):
            return True
        hidden: bool = await super().is_hidden(path)
        return hidden


def launch(root: Path, authority: str, extra_args: list[str]) -> None:
    """Serve JupyterLab on this machine only, until it is stopped.

    Parameters
    ----------
    root
        Project folder.
    authority
        Whose data kernels may check out.
    extra_args
        Further options of JupyterLab, e.g. ``--no-browser``.
    """
    config = behind_the_door(root, authority, autoreload=True)
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.root_dir": str(root),
        "ServerApp.terminals_enabled": False,
        "ServerApp.contents_manager_class": f"{__name__}.{ProjectFiles.__name__}",
        "ContentsManager.pre_save_hook": "datamall.reporting.notebooks.strip_on_save",
        "KernelSpecManager.allowed_kernelspecs": "python3",
        "LabApp.default_url": "/lab/tree/notebooks",
        # Nothing is fetched from elsewhere: no news, no updates, no catalogue of extensions.
        "LabApp.news_url": None,
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        "LabApp.extension_manager": "readonly",
    }
    for section in config:
        options |= {f"{section}.{k}": v for k, v in config[section].items() if v is not None}
    LabApp.launch_instance([*extra_args, *(f"--{key}={value}" for key, value in options.items())])
