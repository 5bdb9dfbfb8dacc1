"""Real images compared: Python of two Debian releases, and one program changed; and why the digest is another one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support.built import Built, workspace

pytestmark = pytest.mark.archive


def test_python_of_two_releases(built: Built) -> None:
    (document,) = json.loads(built.ask("diff", "//python:image", "//bookworm:python", "--json"))
    debs = {row["name"]: row for row in document["debs"]}
    assert debs["libc6"]["change"] == "downgraded"
    assert debs["libc6"]["old"].startswith("2.41-")
    assert debs["libc6"]["new"].startswith("2.36-")
    assert (debs["python3.13"]["change"], debs["python3.11"]["change"]) == ("removed", "added")
    owners = {row["path"]: row["deb"] for row in document["files"]}
    assert owners["/usr/bin/python3.13"] == "python3.13-minimal"
    assert owners["/usr/bin/python3.11"] == "python3.11-minimal"
    assert owners["/usr/lib/x86_64-linux-gnu/libc.so.6"] == "libc6"
    assert document["layers"]["shared"] == []
    text = built.ask("diff", "//python:image", "//bookworm:python")
    assert "\n  - python3.13 " in text
    assert "; --files lists them\n" in text
    back = json.loads(built.ask("diff", "//bookworm:python", "//python:image", "--json"))[0]
    assert {row["name"]: row["change"] for row in back["debs"]}["libc6"] == "upgraded"


def test_a_program_that_changed(built: Built, tmp_path: Path) -> None:
    mine = workspace(tmp_path, built.cache.parent, {}, "python")
    mine = Built(mine.root, built.cache, {})
    shutil.copy(built.root / "distroless.lock", mine.root)  # so that the debs are the same
    with (mine.root / "python/server.py").open("a") as file:
        file.write("# changed\n")
    archive = tmp_path / "new.tar"
    mine.ask("build", "//python:image", "--output", f"docker-archive={archive}")
    (document,) = json.loads(built.ask("diff", "//python:image", str(archive), "--json", "--text"))
    assert [(row["path"], list(row["aspects"])) for row in document["files"]] == [("/app/server.py", ["content"])]
    assert (document["debs"], document["config"]) == ([], [])
    assert document["lines"]["/app/server.py"].endswith("\n+# changed\n")
    assert len(document["layers"]["new"]) == 1

    (tmp_path / "other").mkdir()
    other = workspace(tmp_path / "other", built.cache.parent, {}, "python")
    other = Built(other.root, built.cache, {})
    shutil.copy(built.root / "distroless.lock", other.root)
    other.ask("build", "//python:image")
    folder = other.ask("log").rpartition(" in ")[2].strip()
    (log,) = Path(folder).glob("*.log.zst")
    theirs = shutil.copy(log, tmp_path / "theirs.log.zst")  # as from another machine
    answer = json.loads(mine.ask("explain", "//python:image", "--against", str(theirs), "--json"))
    assert [(row["kind"], row["place"]) for row in answer["causes"]] == [("file", "python/server.py")]
    assert answer["causes"][0]["chain"][-1] == "Writing the manifest of //python:image"
