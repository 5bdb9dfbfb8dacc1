"""What the loader finds: files of a small root in, what each needs and where it is found out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from distroless_rules.elf.read import Elf
from distroless_rules.elf.search import Loader

X86 = Elf("EM_X86_64", 64)


def elf(*needed: str, **more: object) -> Elf:
    return replace(X86, needed=needed, **more)  # type: ignore[arg-type]


def loaded(files: Mapping[str, Elf], path: str = "app", **options: object) -> str:
    links = {"usr/lib/link": "opt/real"}

    def find(at: str) -> tuple[str, Elf] | None:
        for link, target in links.items():
            if at.startswith(f"{link}/"):
                at = target + at[len(link) :]
        return (at, files[at]) if at in files else None

    needs = Loader(find, **options).load(path)  # type: ignore[arg-type]
    return "".join(f"{n.of} {n.name} {n.found.path if n.found else '-'}\n" for n in needs)


LIB = "usr/lib/x86_64-linux-gnu"
CASES: dict[str, tuple[dict[str, Elf], str]] = {
    "the loader's own folders": (
        {"app": elf("a.so", "b.so"), f"{LIB}/a.so": elf("b.so"), "usr/lib/b.so": elf()},
        f"app a.so {LIB}/a.so\napp b.so usr/lib/b.so\n{LIB}/a.so b.so usr/lib/b.so\n",
    ),
    "nothing": ({"app": elf("a.so")}, "app a.so -\n"),
    "not below the folder of the program": ({"app": elf("a.so"), "a.so": elf()}, "app a.so -\n"),
    "a run path before the loader's folders": (
        {"app": elf("a.so", runpath=("/opt",)), "opt/a.so": elf(), f"{LIB}/a.so": elf()},
        "app a.so opt/a.so\n",
    ),
    "a run path of the file alone": (
        {"app": elf("a.so", runpath=("/opt",)), "opt/a.so": elf("b.so"), "opt/b.so": elf()},
        "app a.so opt/a.so\nopt/a.so b.so -\n",
    ),
    "an old run path of all that it brings": (
        {"app": elf("a.so", rpath=("/opt",)), "opt/a.so": elf("b.so"), "opt/b.so": elf()},
        "app a.so opt/a.so\nopt/a.so b.so opt/b.so\n",
    ),
    "no old run path of others where the file has a run path": (
        {"app": elf("a.so", rpath=("/opt",)), "opt/a.so": elf("b.so", runpath=("/x",)), "opt/b.so": elf()},
        "app a.so opt/a.so\nopt/a.so b.so -\n",
    ),
    "the file's own folder": (
        {
            "srv/bin/app": elf("a.so", runpath=("$ORIGIN/../lib",)),
            "srv/bin/../lib/a.so": elf(),
        },
        "srv/bin/app a.so srv/bin/../lib/a.so\n",
    ),
    "the folder by which it was found": (
        {"app": elf("a.so", runpath=("/usr/lib/link",)), "opt/real/a.so": elf("b.so", runpath=("${ORIGIN}",)),
         "opt/real/b.so": elf()},
        "app a.so usr/lib/link/a.so\nopt/real/a.so b.so usr/lib/link/b.so\n",
    ),
    "what is loaded already, by its name": (
        {"app": elf("a.so", "b.so"), f"{LIB}/a.so": elf(soname="a.so"), f"{LIB}/b.so": elf("a.so", runpath=("/opt",)),
         "opt/a.so": elf()},
        f"app a.so {LIB}/a.so\napp b.so {LIB}/b.so\n{LIB}/b.so a.so {LIB}/a.so\n",
    ),
    "what is loaded already, from a folder that nobody else looks in": (
        {"app": elf("b.so", "a.so", runpath=("/opt",)), "opt/a.so": elf(soname="a.so"), f"{LIB}/b.so": elf("a.so")},
        f"app b.so {LIB}/b.so\napp a.so opt/a.so\n{LIB}/b.so a.so opt/a.so\n",
    ),
    "one for another processor is passed over": (
        {"app": elf("a.so"), f"{LIB}/a.so": Elf("EM_AARCH64", 64), "usr/lib/a.so": elf()},
        "app a.so usr/lib/a.so\n",
    ),
    "one of another width is passed over": ({"app": elf("a.so"), "usr/lib/a.so": Elf("EM_X86_64", 32)}, "app a.so -\n"),
    "a path is no name": ({"app": elf("/opt/a.so"), "opt/a.so": elf()}, "app /opt/a.so opt/a.so\n"),
    "none of the loader's folders": ({"app": elf("a.so", no_default=True), f"{LIB}/a.so": elf()}, "app a.so -\n"),
    "libraries in circles": (
        {"app": elf("a.so"), f"{LIB}/a.so": elf("b.so"), f"{LIB}/b.so": elf("a.so")},
        f"app a.so {LIB}/a.so\n{LIB}/a.so b.so {LIB}/b.so\n{LIB}/b.so a.so {LIB}/a.so\n",
    ),
    "musl's folders": (
        {"app": elf("a.so", interpreter="/lib/ld-musl-x86_64.so.1"), "usr/local/lib/a.so": elf(), f"{LIB}/a.so": elf()},
        "app a.so usr/local/lib/a.so\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_where_libraries_are_found(case: str) -> None:
    files, expected = CASES[case]
    assert loaded(files, next(path for path in files if path.endswith("app"))) == expected


def test_environment_and_configuration() -> None:
    files = {
        "app": elf("a.so", "b.so"),
        "env/a.so": elf(),
        "conf/a.so": elf(),
        "conf/b.so": elf(),
        f"{LIB}/b.so": elf(),
    }
    assert loaded(files, library_path=["/env"], conf=["/conf"]) == "app a.so env/a.so\napp b.so conf/b.so\n"


def test_the_folders_of_other_processors() -> None:
    arm = Elf("EM_AARCH64", 64, needed=("a.so",))
    assert loaded({"app": arm, "usr/lib/aarch64-linux-gnu/a.so": replace(arm, needed=())}) == (
        "app a.so usr/lib/aarch64-linux-gnu/a.so\n"
    )


def test_what_was_looked_in_is_said() -> None:
    need = next(iter(Loader({"app": ("app", elf("a.so", runpath=("/opt",)))}.get).load("app")))
    assert need.searched == ("opt", "lib/x86_64-linux-gnu", LIB, "lib", "usr/lib", "lib64", "usr/lib64")
