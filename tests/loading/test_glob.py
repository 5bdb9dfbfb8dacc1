"""glob(): what matches, where it stops, and the same answer as a slow and simple matcher."""

from __future__ import annotations

import os
import re
import tempfile
from fnmatch import translate
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distroless_rules.errors import LoadError
from distroless_rules.loading.files import WorkspaceFiles
from distroless_rules.loading.glob import glob
from tests.support.workspace import error_of, graph_of

FILES = (
    "a.txt b.TXT .hidden [x].txt sub/c.txt sub/deep/d.txt sub/deep/e.md other/BUILD other/f.txt other/below/g.txt "
    "sub/pack/BUILD sub/pack/h.txt back\\slash"
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> WorkspaceFiles:
    root = tmp_path_factory.mktemp("glob")
    for path in ["BUILD", "new\nline.txt", *FILES.split()]:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("")
    (root / "link.txt").symlink_to("a.txt")
    (root / "dangling.txt").symlink_to("nowhere")
    (root / "round").symlink_to(".")
    os.mkfifo(root / "fifo.txt")
    return WorkspaceFiles(root, "BUILD")


@pytest.mark.parametrize(
    ("include", "exclude", "found"),
    [
        (["*.txt"], [], "[x].txt a.txt link.txt new\nline.txt"),
        (["**/*.txt"], [], "[x].txt a.txt link.txt new\nline.txt sub/c.txt sub/deep/d.txt"),
        (["**/*.txt"], ["sub/**"], "[x].txt a.txt link.txt new\nline.txt"),
        (["**/*.txt"], ["**/deep/*", "l*", "new*"], "[x].txt a.txt sub/c.txt"),
        (["sub/**"], [], "sub/c.txt sub/deep/d.txt sub/deep/e.md"),
        (["sub/**/**/*.md"], [], "sub/deep/e.md"),
        (["sub/*/*.md"], [], "sub/deep/e.md"),
        (["s*/d*/*"], [], "sub/deep/d.txt sub/deep/e.md"),
        (["sub/*"], [], "sub/c.txt"),
        (["a.txt", "*.txt"], [], "[x].txt a.txt link.txt new\nline.txt"),
        (["[x].txt"], [], "[x].txt"),
        (["?.txt"], [], ""),
        (["*"], ["*.*"], "BUILD back\\slash"),
        (["other/*.txt"], [], ""),
        (["sub/pack/*"], [], ""),
        (["a.txt"], ["a.txt"], ""),
        (["dangling.txt", "fifo.txt", "round/a.txt", "nonesuch/*"], [], ""),
        ([".hid*"], [], ".hidden"),
        (["sub"], [], ""),
        ([], [], ""),
    ],
)
def test_matches(files: WorkspaceFiles, include: list[str], exclude: list[str], found: str) -> None:
    assert " ".join(glob(files, "", include, exclude, True)) == found


def test_below_a_package_of_its_own(files: WorkspaceFiles) -> None:
    assert glob(files, "other", ["**"], [], True) == ["BUILD", "below/g.txt", "f.txt"]
    assert glob(files, "sub/pack", ["**/*.txt"], [], True) == ["h.txt"]


@pytest.mark.parametrize("pattern", ["", "/a", "a/", "a//b", "./a", "a/../b", "..", "a**", "**a/b", "a/***/b"])
def test_malformed_patterns(files: WorkspaceFiles, pattern: str) -> None:
    for include, exclude in (([pattern], []), (["*"], [pattern])):
        with pytest.raises(LoadError) as caught:
            glob(files, "", include, exclude, True)
        assert str(caught.value).startswith(f'cannot glob "{pattern}": ')


def test_nothing_found_is_an_error_when_it_must_not_be(files: WorkspaceFiles) -> None:
    with pytest.raises(LoadError, match=r'cannot glob "\*\.none": no file matches it'):
        glob(files, "", ["*.txt", "*.none"], [], False)
    with pytest.raises(LoadError, match="every file that matches is excluded"):
        glob(files, "", ["*.txt"], ["*"], False)
    assert glob(files, "", [], [], False) == []


def test_many_stars_take_no_time(tmp_path: Path) -> None:
    folder = tmp_path
    for _ in range(30):
        folder /= "a"
    folder.mkdir(parents=True)
    (folder / ("a" * 200)).write_text("")
    found = WorkspaceFiles(tmp_path, "BUILD")
    assert glob(found, "", ["/".join(["**"] * 30) + "/x"], [], True) == []
    assert glob(found, "", ["**/" + "*a" * 30 + "b"], [], True) == []
    assert glob(found, "", ["**/a/**/a/**/a/**/a/**/a/**/a/**/b"], [], True) == []
    assert glob(found, "", ["**"], ["**/" + "*a" * 30 + "b", "**/a/**/a/**/a/**/a/**/a/**/b"], True) != []


# --- the same as a slow and simple matcher

_NAME = st.text("ab.", min_size=1, max_size=3).filter(lambda name: name.strip(".") != "")
_PATH = st.lists(_NAME, min_size=1, max_size=4).map("/".join)
_SEGMENT = st.sampled_from(["**", "*", "a*", "*b", "*.*", "a", "b", "*a*b*"])
_PATTERN = st.lists(_SEGMENT, min_size=1, max_size=4).map("/".join)


def naive(paths: list[str], packages: set[str], pattern: str) -> set[str]:
    """Give the paths that match, by every way of letting ``**`` stand for folders."""
    regex = [None if part == "**" else re.compile(translate(part.replace("?", "[?]"))) for part in pattern.split("/")]

    def fits(parts: list[str], wanted: list[re.Pattern[str] | None]) -> bool:
        if not wanted:
            return not parts
        if wanted[0] is None:
            rest = wanted[1:]
            return any(fits(parts[at:], rest) for at in range(len(parts) + (1 if rest else 0))) or (
                not rest and bool(parts)
            )
        return bool(parts) and bool(wanted[0].match(parts[0])) and fits(parts[1:], wanted[1:])

    inside = [path for path in paths if not any(path.startswith(f"{package}/") for package in packages)]
    return {path for path in inside if fits(path.split("/"), regex)}


@settings(max_examples=60, deadline=None)
@given(st.lists(_PATH, max_size=8), st.sets(_NAME, max_size=1), st.lists(_PATTERN, min_size=1, max_size=2), _PATTERN)
def test_as_a_naive_matcher(paths: list[str], packages: set[str], include: list[str], exclude: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for path in [*paths, *(f"{package}/BUILD" for package in packages)]:
            target = Path(folder, path)
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text("")
            except OSError:  # the same name as a file and as a folder
                continue
        there = [found.relative_to(folder).as_posix() for found in Path(folder).rglob("*") if found.is_file()]
        real = {package for package in packages if Path(folder, package, "BUILD").is_file()}
        files = WorkspaceFiles(Path(folder), "BUILD")
        for unwanted in ([], [exclude]):
            found = glob(files, "", include, unwanted, True)
            wanted = set().union(*(naive(there, real, pattern) for pattern in include))
            wanted -= set().union(*(naive(there, real, pattern) for pattern in unwanted))
            assert found == sorted(wanted)


# --- from a BUILD file


def test_glob_in_a_build_file() -> None:
    graph = graph_of(
        """
filegroup(name = "g", srcs = glob(["**/*.txt"], exclude = ["x/*"]) + glob(["*.none"]))
-- ä.txt --
-- x/no.txt --
-- y/yes.txt --
-- p/BUILD --
-- p/no.txt --
""",
        "//:g",
    )
    assert [str(key) for key in graph.targets] == ["//:y/yes.txt", "//:ä.txt", "//:g"]


def test_a_name_that_no_label_can_have() -> None:
    text = {"BUILD": 'filegroup(name = "g", srcs = glob(["*.txt"]))', "a:b.txt": ""}
    assert error_of(text) == (
        'BUILD:1:23: cannot read label "a:b.txt": the name "a:b.txt" has the part "a:b.txt"; '
        "expected //package:name, :name, //package or @archive//deb-name"
    )


def test_a_name_that_is_not_utf_8() -> None:
    text = {"BUILD": 'filegroup(name = "g", srcs = glob(["*.txt"]))', "a\udcff.txt": ""}
    assert error_of(text) == r'BUILD:1:30: cannot glob ["*.txt"]: the name "a\udcff.txt" is not UTF-8'
