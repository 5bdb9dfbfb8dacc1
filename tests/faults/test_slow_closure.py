"""What was made to be slow or to fill memory: each ends with a result or one named error, in a child under limits."""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

import pytest

from distroless_rules.closure import mentions
from distroless_rules.closure.facts import Facts
from distroless_rules.closure.gate import Gate
from distroless_rules.closure.imports import MAYBE, Import, imports
from distroless_rules.closure.mentions import Mentions
from distroless_rules.closure.owner import Owner
from distroless_rules.closure.program import Program
from distroless_rules.closure.reach import unreached
from distroless_rules.closure.view import View
from distroless_rules.deb.prune import matcher
from distroless_rules.elf.read import Elf, read
from distroless_rules.errors import FormatError
from distroless_rules.values.tree import Entry, Kind
from tests.support.elf import make_elf
from tests.support.process import bounded

LIB = "usr/lib/x86_64-linux-gnu"
X86 = Elf("EM_X86_64", 64, dynamic=True)
PROGRAM = Program("linux/amd64", ("/app/run",), {}, "/app")
DEB, FILE = Owner("deb", "d"), Owner("file", "//:app")


def file(path: str, size: int = 1) -> Entry:
    return Entry(path, Kind.FILE, 0o755, size=size, sha256=f"sha of {path}")


def tree(*entries: Entry) -> dict[str, Entry]:
    return {entry.path: entry for entry in entries}


# ---- ELF files

PAGE = make_elf(needed=["liba.so.1"], soname="libb.so", needs=[("liba.so.1", "A_1")])


def patched(data: bytes, at: int, form: str, value: int) -> bytes:
    return data[:at] + struct.pack(form, value) + data[at + struct.calcsize(form) :]


def chain(count: int, aux: int, step: int, versions: int) -> bytes:
    """Give rows of version needs behind each other, each with the same ``versions``, which follow each other too."""
    return b"".join(struct.pack("<HHIII", 1, versions, 1, aux, step) for _ in range(count))


def with_body(body: bytes, tags: Callable[[int], list[tuple[int, int]]], **more: Any) -> bytes:
    """Give a file with ``body`` behind it, loaded at 1 GiB, and rows that may lead there."""
    at = 1 << 30
    empty = make_elf(tags=tags(at), segments=[(1, 4, 0, at, len(body))], **more)
    return make_elf(tags=tags(at), segments=[(1, 4, len(empty), at, len(body))], **more) + body


HUGE = 1 << 60
ELF_FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "cut off in its header": (lambda: PAGE[:40], "it ends before what its header says"),
    "cut off in its segments": (lambda: PAGE[:100], "it ends before what its header says"),
    "65,534 segments": (lambda: patched(PAGE, 56, "<H", 65534), "it has more than 1170 segments"),
    "as many segments as section 0 says": (
        lambda: patched(patched(PAGE, 56, "<H", 65535), 40, "<Q", len(PAGE)) + b"\xff" * 64,
        "it has more than 1170 segments",
    ),
    "segments of no bytes": (lambda: patched(PAGE, 54, "<H", 0), "its program headers have 0 bytes, fewer than 56"),
    "segments that are elsewhere": (lambda: patched(PAGE, 32, "<Q", HUGE), "it ends before what its header says"),
    "a segment of 2^60 bytes": (lambda: make_elf(segments=[(2, 6, 0, 0, HUGE)]), "it ends before a segment does"),
    "a segment at 2^63": (lambda: make_elf(segments=[(2, 6, 1 << 63, 0, 8)]), "it ends before a segment does"),
    "a thousand segments over each other": (
        lambda: make_elf(needed=["liba.so"], segments=[(1, 4, 0, 0, 1 << 12)] * 1000),
        "nothing of it is loaded at",
    ),
    "a thousand segments of the same notes": (
        lambda: make_elf(segments=[(4, 4, 0, 0, 1 << 20)] * 1000) + bytes(1 << 20),
        "",
    ),
    "a million libraries": (
        lambda: with_body(struct.pack("<qQ", 1, 1) * 1_000_000, lambda at: [], static=True),
        "",
    ),
    "a million rows": (
        lambda: (rows := struct.pack("<qQ", 1, 1) * 1_000_000, make_elf(segments=[(2, 6, 1 << 13, 0, len(rows))]))[1]
        .ljust(1 << 13, b"\0")
        + rows,
        "its dynamic section has more than 65536 rows",
    ),
    "3,000 libraries": (lambda: make_elf(needed=["a"] * 3000), "it needs more than 2048 libraries"),
    "300 folders": (lambda: make_elf(runpath=":".join(map(str, range(300)))), "its run path has more than 256 folders"),
    "names that end within each other": (
        lambda: make_elf(symbols=["x" * 4000], tags=[(1, at) for at in range(1, 2000)]),
        "the names in its dynamic section have more than 1 MiB",
    ),
    "a name that has no end": (
        lambda: make_elf(needed=["liba.so"], symbols=["x" * 5000], tags=[(14, 30)]),
        "a name in its dynamic section has no end",
    ),
    "names of 2^60 bytes": (
        lambda: make_elf(tags=[(10, HUGE), (5, 0)]).replace(
            struct.pack("<qQ", 10, 1), struct.pack("<qQ", 10, HUGE)
        ),
        "nothing of it is loaded at",
    ),
    "versions that are their own next": (
        lambda: with_body(chain(1, 0, 16, 65535) * 4, lambda at: [(0x6FFFFFFE, at), (0x6FFFFFFF, 4)]),
        "it needs more than 16384 versions",
    ),
    "2^40 versions": (
        lambda: make_elf(tags=[(0x6FFFFFFC, 64), (0x6FFFFFFD, 1 << 40)]),
        "it has a table of more than 16384 versions",
    ),
    "versions for each of many versions": (
        lambda: with_body(
            chain(16384, 0, 16, 16384), lambda at: [(0x6FFFFFFE, at), (0x6FFFFFFF, 16384)], symbols=["x"]
        ),
        "it needs more than 16384 versions",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", ELF_FILES)
def test_an_elf_file(what: str) -> None:
    make, cause = ELF_FILES[what]
    data = make()
    if not cause:
        assert bounded(lambda: read(data).machine, mebibytes=256) == "EM_X86_64"
        return
    with pytest.raises(FormatError) as caught:
        bounded(lambda: read(data, "usr/bin/x").machine, mebibytes=256)
    assert str(caught.value).startswith("cannot read usr/bin/x: ")
    assert cause in str(caught.value)


# ---- Links


def ring(count: int) -> dict[str, Entry]:
    return tree(*(Entry.symlink(f"a/{at}", f"{(at + 1) % count}") for at in range(count)))


def line(count: int) -> dict[str, Entry]:
    return tree(file(f"a/{count}"), *(Entry.symlink(f"a/{at}", f"{at + 1}") for at in range(count)))


def multiplied(count: int) -> dict[str, Entry]:
    """Give links each of which leads twice through the one before it."""
    links = (Entry.symlink(f"a/{at}", f"{at - 1}/../a/{at - 1}") for at in range(1, count))
    return tree(Entry.directory("a"), Entry.symlink("a/0", "../a"), *links)


def long_targets(count: int) -> dict[str, Entry]:
    """Give links that lead through each other and two thousand times through their own folder."""
    return tree(*(Entry.symlink(f"a/{at}", "./" * 2000 + f"{at + 1}") for at in range(count)))


LINKS: dict[str, tuple[dict[str, Entry], int]] = {
    "a circle of 50,000": (ring(50_000), 0),
    "a line of 50,000": (line(50_000), 40),
    "links multiplied": (multiplied(3_000), 5),
    "long targets": (long_targets(5_000), 0),
    "a link to a path that is too long": (tree(file("a"), Entry.symlink("b", "./" * 3000 + "a")), 0),
}


@pytest.mark.parametrize("what", LINKS)
def test_links(what: str) -> None:
    entries, followed = LINKS[what]

    def work() -> int:
        view = View(entries, {})
        return sum(view.real(path) is not None for path, each in entries.items() if each.kind is Kind.SYMLINK)

    assert bounded(work) == followed


# ---- Whole images


def image(
    files: Mapping[str, Facts | Mentions | None],
    links: Mapping[str, str] = {},
    wanted: Collection[str] = frozenset(("app/run",)),
) -> Callable[[], tuple[int, int, int]]:
    """Give what counts the files that the gate leaves out, its findings, and the files that are not reached."""

    def work() -> tuple[int, int, int]:
        entries = tree(*map(file, files), *(Entry.symlink(path, to) for path, to in links.items()))
        facts = {f"sha of {path}": what for path, what in files.items() if isinstance(what, Facts)}
        said = {f"sha of {path}": what for path, what in files.items() if isinstance(what, Mentions)}
        owners = {path: FILE if path in wanted else DEB for path in entries}
        view = View(entries, facts)
        gate = Gate(view, owners, PROGRAM, said)
        lost = unreached(view, said, PROGRAM, owners, frozenset(), lambda path: False)
        return len(gate.unusable(lambda path: False)), len(gate.findings()), len(lost)

    return work


def elf(*needed: str, **more: Any) -> Facts:
    return Facts(replace(X86, needed=needed, **more))


COUNT = 20_000
IMAGES: dict[str, tuple[Callable[[], Any], Any]] = {
    "a line of libraries of which the last is lost": (
        image({"app/run": None} | {f"{LIB}/{at}.so": elf(f"{at + 1}.so") for at in range(3000)}),
        (3000, 2, 3000),
    ),
    "a hundred thousand scripts of many words": (
        image({f"usr/bin/{at}": Facts(script=f"/usr/bin/env {'-x ' * 60}{at}") for at in range(100_000)}, {}, ()),
        (100_000, 1, 100_000),
    ),
    "many versions of many libraries": (
        image(
            {f"{LIB}/{at}.so": elf(defines=tuple(map(str, range(4000)))) for at in range(200)}
            | {
                f"usr/bin/{at}": elf(
                    *(f"{n}.so" for n in range(200)),
                    needs=tuple((f"{n}.so", str(v)) for n in range(200) for v in range(20)),
                )
                for at in range(50)
            }
            | {"app/run": None},
        ),
        (0, 1, 250),
    ),
    "many files that name one library, of which there are many": (
        image(
            {f"app/{at}": Mentions((), ("libx.so",)) for at in range(COUNT)}
            | {f"opt/{at}/libx.so": None for at in range(COUNT)},
            {},
            {f"app/{at}" for at in range(COUNT)},
        ),
        (0, 1, 0),
    ),
    "many files that name one large folder": (
        image(
            {f"app/{at}": Mentions(("usr/share/x",)) for at in range(COUNT)}
            | {f"usr/share/x/{at}": None for at in range(COUNT)},
            {},
            {f"app/{at}" for at in range(COUNT)},
        ),
        (0, 1, 0),
    ),
    "packages within packages": (
        image(
            {
                f"{'a/' * depth}__init__.py": Mentions((), (), (Import("x", 0, (), MAYBE),))
                for depth in range(1, 1500)
            }
            | {f"{'a/' * 1499}{at}": None for at in range(2000)}
            | {"usr/bin/python3.13": None},
            {},
            {f"{'a/' * depth}__init__.py" for depth in range(1, 1500)},
        ),
        (0, 1, 1),
    ),
    "many folders of one's own and many imports": (
        image(
            {f"app/{at}/m.py": Mentions((), (), tuple(Import(f"n{at}x{n}") for n in range(20))) for at in range(5000)}
            | {"usr/bin/python3.13": None},
            {},
            {f"app/{at}/m.py" for at in range(5000)},
        ),
        (0, 100_001, 1),
    ),
    "folders in folders": (
        image(
            {"app/run": Mentions(tuple(f"usr/{'x/' * at}x" for at in range(120)))}
            | {f"usr/{'x/' * 120}{at}": None for at in range(COUNT)}
        ),
        (0, 1, 0),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", IMAGES)
def test_an_image(what: str) -> None:
    work, expected = IMAGES[what]
    assert bounded(work) == expected


def test_run_paths_that_add_up() -> None:
    """Each library of a line adds folders in which all that follow are looked for."""
    folders = {at: tuple(f"/{at}/{n}" for n in range(200)) for at in range(20)}
    files = {f"{LIB}/{at}.so": elf(f"{at + 1}.so", rpath=folders[at]) for at in range(20)}
    with pytest.raises(
        FormatError, match=r'cannot find what "/usr/.*/10\.so" loads: the run paths that hold for it have'
    ):
        bounded(image(files))


@pytest.mark.long
def test_programs_that_each_need_very_many_libraries() -> None:
    names = [f"{at}.so" for at in range(2000)]
    files = {f"{LIB}/{name}": elf(*names, rpath=("/x/a", "/x/b")) for name in names}
    with pytest.raises(FormatError, match="libraries are looked for in more than 5 million places"):
        bounded(image(files | {f"usr/bin/{at}": elf(*names, interpreter="/lib/ld.so") for at in range(2000)}), 120)


# ---- Texts

N = 400_000
SOURCES = {
    "spaces": "from" + " " * N + "x\n",
    "spaces in brackets": "(from" + "\n" * N + "import\n",
    "dots": "from " + ". " * (N // 2) + "x\n",
    "dotted names": "import " + "a." * (N // 2) + "\n",
    "names": "from a" + "a" * N + " \n" + "import x",
    "a string without an end": '"""' + "\\" * N + "import",
    "quotes": "'" * N + "import",
    "prefixes": "rb" * (N // 2) + '"import',
    "brackets": "(" * N + "import x" + ")" * N,
    "colons": "import\n" + "if x" + ": " * (N // 2),
    "colons and spaces": "import\n" + ("if x:" + " " * 1000 + "y\n") * (N // 1000),
    "blocks": "import a\n" + "".join(" " * (at % 2000) + "if x:\n" for at in range(400)),
    "commas": "import " + "a," * (N // 2),
    "joined lines": "import a" + "\\\n" * (N // 2),
    "calls": '__import__("' * (N // 12),
    "names in calls": 'import_module("' + "a." * (N // 2) + ")",
}


@pytest.mark.parametrize("what", SOURCES)
def test_a_source_of_python(what: str) -> None:
    assert bounded(lambda: len(imports(SOURCES[what]))) >= 0


BINARY = b"\x7fELF" + bytes(12) + b"PyInit_x\0"
BYTES = {
    "beginnings of libraries": b"lib" * 3_000_000,
    "libraries without an end": b"lib" * 40 + b".so" * 30 + b".1" * 4_000_000 + b"x",
    "digits without an end": b"liba.so." + b"1" * 8_000_000 + b"x",
    "paths in paths": b"/usr/a" * 2_000_000,
    "slashes": b"/usr" + b"/" * 8_000_000,
    "many paths": b"".join(b"/usr/share/%d\0" % at for at in range(500_000)),
    "nothing": bytes(32_000_000),
    "words": b"".join(b"%x" % at for at in range(1 << 20)),
    "words between other bytes": b"".join(b"%x\xff" % at for at in range(1 << 20)),
}


@pytest.mark.parametrize("what", BYTES)
def test_a_file_that_names_things(what: str) -> None:
    data = BINARY + BYTES[what]

    def work() -> int:
        found = mentions.scan([file("usr/lib/x.so", len(data))], lambda _, size: data[:size], map)
        return len(mentions.dumps(found))

    assert 0 < bounded(work, mebibytes=512) < 10_000_000


PATTERNS = {
    "stars": "/" + "*a" * 40 + "b",
    "folders": "/" + "**/" * 40 + "b",
    "stars in folders": "/" + "**/*a*a*/" * 12 + "b",
}


@pytest.mark.parametrize("what", PATTERNS)
def test_a_pattern_of_paths(what: str) -> None:
    path = "/".join(["a" * 250] * 16)
    assert bounded(lambda: sum(map(matcher([PATTERNS[what]], str), [path] * 100))) == 0
