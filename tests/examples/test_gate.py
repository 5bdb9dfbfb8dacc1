"""The gate on images of real debs: a BUILD file in, the text of the error out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.built import Built, workspace

pytestmark = pytest.mark.archive

BUILD = """
load("@distroless_rules//rules:defs.bzl", "distroless_image", "files")

files(name = "app", srcs = {"/app/a.py": "a.py"})

files(name = "script", srcs = {"/app/run": "run.sh"}, mode = "0755")

_START = ["/usr/bin/python3", "/app/a.py"]

distroless_image(name = "module", contents = [":app", "@trixie//python3"], entrypoint = _START)

distroless_image(
    name = "part",
    allow_missing = ["python:yaml"],
    contents = [":app", "@trixie//python3-minimal"],
    entrypoint = _START,
)

distroless_image(
    name = "excluded",
    allow_missing = ["python:yaml"],
    contents = [":app", "@trixie//python3"],
    entrypoint = _START,
    exclude = ["libsqlite3-0"],
)

distroless_image(name = "shell", contents = [":script"], entrypoint = ["/app/run"])

distroless_image(name = "user", contents = [":app", "@trixie//python3"], entrypoint = _START, user = "nobody2")

distroless_image(name = "nothing", entrypoint = ["run"])

distroless_image(
    name = "waived",
    allow_missing = ["python:yaml"],
    contents = [":app", "@trixie//python3"],
    entrypoint = _START,
)
"""
ERRORS = {
    "module": '"/app/a.py" of //:app imports "yaml", and the image has none; add "@trixie//python3-yaml" to contents, '
    'or say allow_missing = ["python:yaml"]',
    "part": '"/app/a.py" of //:app imports "sqlite3", and the image has none; add "@trixie//python3" to contents, '
    'or say allow_missing = ["python:sqlite3"]',
    "excluded": '"/usr/lib/python3.13/lib-dynload/_sqlite3.cpython-313-x86_64-linux-gnu.so" of deb '
    '"libpython3.13-stdlib" needs the library "libsqlite3.so.0", and the image has none; take libsqlite3-0 out of '
    'exclude, or say allow_missing = ["libsqlite3.so.0"]',
    "shell": '"/app/run" of //:script is a script for "/bin/bash", and the image has none; add "@trixie//bash" to '
    'contents, or say allow_missing = ["/bin/bash"]',
    "nothing": '"/run" of the image is what the image starts, and is not in it; add it to contents, or correct '
    'entrypoint, or say allow_missing = ["run"]',
}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Built:
    """Give a workspace whose images lack something each."""
    files = {"BUILD": BUILD, "a.py": "import ssl, yaml, sqlite3\n", "run.sh": "#!/bin/bash\n"}
    return workspace(tmp_path_factory.mktemp("gate"), shared, files)


@pytest.mark.parametrize("name", ERRORS)
def test_what_is_missing_is_said(images: Built, name: str) -> None:
    ran = images.attempt("build", "--platform=linux/amd64", f"//:{name}")
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1].partition(": cannot put the image together: ")[2] == ERRORS[name]
    assert not (images.root / f"distroless-out/{name}").exists()


def test_a_user_that_is_not_there(images: Built) -> None:
    ran = images.attempt("build", "--platform=linux/amd64", "//:user")
    assert ran.returncode == 2
    assert 'cannot set the user of the image to "nobody2"' in ran.stderr


def test_what_is_waived_is_built(images: Built) -> None:
    assert images.attempt("build", "--platform=linux/amd64", "//:waived").returncode == 0
