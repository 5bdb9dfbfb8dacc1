"""What all tests share: a failure is shown when it happens, so that a run that is cut off shows why."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How long examples take to make says more about the machine than about the test.
settings.register_profile("ours", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.load_profile("ours")


class _Shown:
    """Prints each failure at once; it is printed again at the end, with all others."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if report.failed and terminal is not None:
            terminal.write_line(f"\n{report.nodeid} ({report.when}):\n{report.longreprtext}")


def pytest_configure(config: pytest.Config) -> None:
    """Register what prints, where the tests are not run but reported."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Shown(config))


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder that all workers of this run share and every user can pass."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "distroless-examples"
    folder.mkdir(exist_ok=True)
    return folder
