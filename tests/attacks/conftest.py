"""Real kernels behind the door."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager
from jupyter_client.provisioning import KernelProvisionerFactory
from tiny_mall import make_project

from datamall.mall.kernel import behind_the_door

SECRET_VARIABLE = "DATAMALL_TEST_SECRET"


@dataclass
class Answer:
    """What a kernel made of a cell."""

    printed: str
    error: str


class Kernel:
    """A kernel behind the door of a project, and a client to it."""

    def __init__(self, project: Path, env: dict[str, str] | None = None, **settings: Any) -> None:
        config = behind_the_door(project, "demo", **settings)
        self.manager = KernelManager(kernel_name="python3", config=config)
        self.manager.start_kernel(**({"env": env} if env else {}))
        self.connect()

    def connect(self) -> None:
        self.client: BlockingKernelClient = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def run(self, code: str) -> Answer:
        printed = []

        def collect(message: dict) -> None:
            content = message["content"]
            printed.append(content.get("text") or content.get("data", {}).get("text/plain", ""))

        reply = self.client.execute_interactive(code, timeout=60, output_hook=collect)
        content = reply["content"]
        wrong = content["status"] != "ok"
        return Answer("".join(printed), f"{content['ename']}: {content['evalue']}" if wrong else "")

    @property
    def door(self) -> Any:
        return self.manager.provisioner.door  # type: ignore[union-attr]

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture(scope="session")
def mall(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project with tiny stores."""
    return make_project(tmp_path_factory.mktemp("mall"))


@pytest.fixture
def start(mall: Path) -> Iterator[Callable[..., Kernel]]:
    """Return a function that starts a kernel; all of them are stopped in the end."""
    factory = KernelProvisionerFactory.instance()
    before, kernels = factory.default_provisioner_name, []

    def begin(project: Path = mall, **settings: Any) -> Kernel:
        kernels.append(Kernel(project, **settings))
        return kernels[-1]

    yield begin
    for kernel in kernels:
        kernel.close()
    factory.default_provisioner_name = before


@pytest.fixture(scope="session")
def kernel(mall: Path) -> Iterator[Kernel]:
    """Return one kernel that may check out `enforcement`, started beside a secret."""
    factory = KernelProvisionerFactory.instance()
    before = factory.default_provisioner_name
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SECRET_VARIABLE, "top secret")
        started = Kernel(mall, purposes=["enforcement"])
        yield started
    started.close()
    factory.default_provisioner_name = before
