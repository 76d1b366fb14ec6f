"""What a kernel says by itself."""

import logging
from types import SimpleNamespace

import pytest

from datamall.mall import refusals


def test_the_end_of_a_kernel_is_no_error(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = logging.getLogger("kernel of a test")
    monkeypatch.setattr(refusals.sys, "addaudithook", lambda _: None)  # it cannot be taken back
    shell = SimpleNamespace(showtraceback=None, kernel=SimpleNamespace(log=log))
    refusals.load_ipython_extension(shell)
    log.error("KeyboardInterrupt caught in kernel.")
    log.error("Something else.")
    assert caplog.messages == ["Something else."]
