"""Fixtures of the examples: the workspace, built once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.built import Built, build_once
from tests.support.container import Container

collect_ignore = ["build_example"]  # what BUILD.example builds


@pytest.fixture(scope="session")
def built(shared: Path) -> Built:
    """Give the workspace of the examples, built."""
    return build_once(shared)


@pytest.fixture(params=["crun", "runc", "podman"])
def container(request: pytest.FixtureRequest, built: Built) -> Container:
    """Give what starts images, with each runtime in turn."""
    return Container(built, request.param)
