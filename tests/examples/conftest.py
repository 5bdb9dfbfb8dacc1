"""Fixtures of the examples: the workspace, built once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.built import Built, build_once
from tests.support.container import Container

collect_ignore = ["build_example"]  # what BUILD.example builds


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here: the examples are built and run in minutes, whichever of them is looked at.

    What takes longest, on one core, goes first of all tests, as all would wait for it if it were begun last.
    """
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: item.path.name != "test_reproducible.py")


@pytest.fixture(scope="session")
def built(shared: Path) -> Built:
    """Give the workspace of the examples, built."""
    return build_once(shared)


@pytest.fixture(params=["crun", "runc", "podman"])
def container(request: pytest.FixtureRequest, built: Built) -> Container:
    """Give what starts images, with each runtime in turn."""
    return Container(built, request.param)
