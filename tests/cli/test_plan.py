"""``distroless plan``: a workspace in, a drawing, JSON or a graph out; and nothing else happens."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from distroless_rules.deb import lock as locks
from distroless_rules.values.archive import Lock, LockedArchive, LockedDeb, LockedIndex, LockedSuite
from tests.support.command import Commands, Ran

_FILES = {
    "distroless.toml": """
        [workspace]
        name = "w"

        [archive.trixie]
        suites = ["trixie"]
        architectures = ["amd64"]
        uris = ["http://mirror.example/debian"]
        """,
    "tools/BUILD": "",
    "tools/gen.bzl": """
        # A generator: its result goes into images, what it is made from does not.
        def _gen(ctx):
            ctx.actions.tool(
                mnemonic = "ExpandTemplate",
                inputs = {"template": ctx.file.template},
                outputs = {"out": ctx.outputs.out},
                parameters = {"substitutions": {"@port@": "8080"}},
                progress_message = "Generating " + ctx.outputs.out.short_path,
                stage = "build",
            )

        gen = rule(
            implementation = _gen,
            attrs = {
                "template": attr.label(allow_single_file = True, stage = "build"),
                "out": attr.output(),
            },
        )
        """,
    "app/BUILD": """
        load("@distroless_rules//rules:defs.bzl", "distroless_image", "files", "write_file")
        load("//tools:gen.bzl", "gen")

        write_file(
            name = "template",
            out = "app.conf.in",
            content = ["listen = @port@"],
        )

        gen(
            name = "config",
            template = ":template",
            out = "app.conf",
        )

        files(
            name = "tree",
            srcs = {
                "/etc/app.conf": ":config",
                "/app/main.py": "main.py",
            },
        )

        distroless_image(
            name = "small",
            contents = [":tree"],
        )

        distroless_image(
            name = "image",
            contents = [
                ":tree",
                "@trixie//python3",
            ],
        )
        """,
    "app/main.py": "print(1)\n",
}
_DEBS = {
    "libc6": (2_850_000, 13_000, ()),
    "libexpat1": (108_000, 400, ("libc6",)),
    "libpython3.13-minimal": (900_000, 5_800, ("libc6",)),
    "libpython3.13-stdlib": (2_000_000, 9_900, ("libc6", "libpython3.13-minimal")),
    "python3": (28_000, 80, ("python3.13",)),
    "python3.13": (760_000, 1_100, ("libexpat1", "libpython3.13-stdlib")),
}


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    """Give a workspace whose debs are locked, and no archive has them."""
    commands = Commands(tmp_path, _FILES)
    debs = {
        name: LockedDeb(
            "trixie", name, "1.0", "amd64", _source(name), f"pool/{name}.deb", size, "a" * 64, "trixie", kib, needs
        )
        for name, (size, kib, needs) in _DEBS.items()
    }
    index = LockedIndex("main/binary-amd64/Packages.xz", "b" * 64, 1)
    suite = LockedSuite("trixie", "trixie", "Debian", 1, "c" * 64, ("D" * 40,), (index,))
    archive = LockedArchive("trixie", (suite,), (), (("python3", {"amd64": "python3"}),), {"amd64": debs})
    locks.write(commands.root / "distroless.lock", Lock({"trixie": archive}))
    return commands


def _source(name: str) -> str:
    return {"libc6": "glibc", "libexpat1": "expat", "python3": "python3-defaults"}.get(name, "python3.13")


def _plan(commands: Commands, *words: str) -> Ran:
    return commands.run("plan", "--platform=linux/amd64", "--locked", *words)


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


_IMAGE = """\
//app:image  distroless_image, linux/amd64
│
├─ build stage
│  ├─ //app:template   WriteFile       to run
│  └─ //app:config     ExpandTemplate  may run
│
├─ crosses into the runtime stage
│  └─ app/app.conf     from //app:config
│
└─ runtime stage
   ├─ 6 debs           6.6 MB          to run
   └─ //app:image
      ├─ facts                         may run
      ├─ mentions                      may run
      ├─ compose                       may run
      ├─ screen                        may run
      ├─ findings                      may run
      ├─ layer 00                      may run
      │     libpython3.13-minimal libpython3.13-stdlib python3.13
      ├─ layer 01                      may run
      │     libc6
      ├─ layer 02                      may run
      │     libexpat1
      ├─ layer 03                      may run
      │     python3
      ├─ layer system                  may run
      ├─ layer app                     may run
      │     app/app.conf app/main.py
      ├─ policy                        may run
      └─ image                         may run

33 actions: 0 cached, 7 to run, 26 may run (it depends on what runs before); 6 debs to fetch (6.6 MB)
"""


def test_an_image_of_debs_and_a_generated_file(commands: Commands) -> None:
    ran = _plan(commands, "//app:image")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out == _IMAGE


def test_what_was_built_is_cached(commands: Commands) -> None:
    assert commands.run("build", "--platform=linux/amd64", "--locked", "//app:config").status == 0
    drawing = _IMAGE.replace("WriteFile       to run", "WriteFile       cached")
    drawing = drawing.replace("ExpandTemplate  may run", "ExpandTemplate  cached")
    drawing = drawing.replace("facts                         may run", "facts                         to run")
    drawing = drawing.replace("mentions                      may run", "mentions                      to run")
    drawing = drawing.replace("screen                        may run", "screen                        to run")
    drawing = drawing.replace("0 cached, 7 to run, 26", "2 cached, 9 to run, 22")
    assert _plan(commands, "//app:image").out == drawing


_CONFIG = """\
//app:config  gen, linux/amd64
│
├─ build stage
│  ├─ //app:template  WriteFile       to run
│  └─ //app:config    ExpandTemplate  may run
│
└─ comes out
   └─ app/app.conf    from //app:config

2 actions: 0 cached, 1 to run, 1 may run (it depends on what runs before)
"""


def test_a_generated_file_comes_out(commands: Commands) -> None:
    assert _plan(commands, "//app:config").out == _CONFIG
    assert commands.run("plan", "--platform=amd64", ":config", folder="app").out == _CONFIG


def test_a_source_file_needs_nothing(commands: Commands) -> None:
    assert _plan(commands, "//app:main.py").out == "//app:main.py  source file\n\n0 actions: 0 cached, 0 to run\n"


def test_nothing_is_done(commands: Commands) -> None:
    before = _files(commands.root)
    _plan(commands, "//app:image")
    assert _files(commands.root) == before
    assert _files(commands.cache) <= {"CACHEDIR.TAG", "lock"}


def test_json(commands: Commands) -> None:
    document = json.loads(_plan(commands, "//app:image", "--json").out)
    assert {name: document[name] for name in ("label", "rule", "platform", "crosses")} == {
        "label": "//app:image",
        "rule": "distroless_image",
        "platform": "linux/amd64",
        "crosses": [{"path": "linux-amd64/app/app.conf", "from": "//app:config", "to": ["//app:image"]}],
    }
    assert document["build"][0] == {
        "mnemonic": "WriteFile",
        "owner": "//app:template",
        "platform": "linux/amd64",
        "state": "to run",
        "progress": "Writing app/app.conf.in",
        "inputs": [],
        "outputs": [{"name": "out", "path": "linux-amd64/app/app.conf.in", "size": None, "sha256": None}],
    }
    states = [(row["mnemonic"], row["state"]) for row in document["build"] + document["runtime"]]
    unpack = ("DebUnpack", "to run")
    layer = ("Layer", "may run")  # what they are made from is not known yet
    assert states == [
        ("WriteFile", "to run"),
        ("ExpandTemplate", "may run"),
        *[unpack, ("Facts", "may run"), ("Screen", "may run")] * 6,
        ("Facts", "may run"),
        ("Mentions", "may run"),
        ("Compose", "may run"),
        ("Screen", "may run"),
        ("Findings", "may run"),
        *[layer] * 6,
        ("Policy", "may run"),
        ("Image", "may run"),
    ]
    assert document["downloads"][0] == {"path": "trixie/pool/libc6.deb", "size": 2_850_000, "sha256": "a" * 64}


def test_json_tells_the_sizes_of_what_is_known(commands: Commands) -> None:
    commands.run("build", "--platform=linux/amd64", "//app:config")
    document = json.loads(_plan(commands, "//app:small", "--json").out)
    outputs = [output for row in document["build"] for output in row["outputs"]]
    assert [output["size"] for output in outputs] == [len("listen = @port@\n"), len("listen = 8080\n")]
    assert {row["state"] for row in document["build"]} == {"cached"}


def test_dot(commands: Commands) -> None:
    commands.run("build", "--platform=linux/amd64", "//app:config")
    assert (
        _plan(commands, "//app:small", "--dot").out
        == """\
digraph plan {
  rankdir=LR;
  node [shape=box, style=filled, fillcolor=white];
  subgraph cluster_build {
    label="build stage";
    a0 [label="Writing app/app.conf.in"];
    a1 [label="Generating app/app.conf"];
  }
  subgraph cluster_runtime {
    label="runtime stage";
    a2 [label="Reading the files of //app:small", fillcolor=lightyellow];
    a3 [label="Reading the imports of //app:small", fillcolor=lightyellow];
    a4 [label="Composing //app:small (0 debs)", fillcolor=lightyellow, style="filled,dashed"];
    a5 [label="Screening the files of //app:small", fillcolor=lightyellow];
    a6 [label="Examining //app:small", fillcolor=lightyellow, style="filled,dashed"];
    a7 [label="Writing layer system of //app:small", fillcolor=lightyellow, style="filled,dashed"];
    a8 [label="Writing layer app of //app:small", fillcolor=lightyellow, style="filled,dashed"];
    a9 [label="Holding //app:small to its policy", fillcolor=lightyellow, style="filled,dashed"];
    a10 [label="Writing the manifest of //app:small", fillcolor=lightyellow, style="filled,dashed"];
  }
  a0 -> a1;
  a1 -> a2 [style=bold];
  a1 -> a3 [style=bold];
  a2 -> a4;
  a1 -> a4 [style=bold];
  a3 -> a4;
  a1 -> a5 [style=bold];
  a2 -> a6;
  a4 -> a6;
  a5 -> a6;
  a4 -> a7;
  a1 -> a8 [style=bold];
  a4 -> a8;
  a6 -> a9;
  a7 -> a10;
  a8 -> a10;
  a4 -> a10;
  a9 -> a10;
}
"""
    )


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("//...", 'cannot plan "//...": it is not the label of one target'),
        ("//app:all", 'cannot plan "//app:all": it is not the label of one target'),
        ("//app:imag", 'cannot resolve "//app:imag": no such target or file; did you mean "//app:image"?'),
    ],
)
def test_errors(commands: Commands, target: str, message: str) -> None:
    ran = _plan(commands, target)
    assert (ran.status, ran.out, ran.err) == (2, "", f"distroless: {message}\n")


def test_actions_that_need_each_other(tmp_path: Path) -> None:
    rule = """
        # Two files, each made from the other.
        def _both(ctx):
            a, b = ctx.actions.declare_file("a"), ctx.actions.declare_file("b")
            ctx.actions.expand_template(template = a, output = b, substitutions = {})
            ctx.actions.expand_template(template = b, output = a, substitutions = {})
            return [DefaultInfo(files = depset([a]))]

        both = rule(implementation = _both)
        """
    commands = Commands(tmp_path, {"rules.bzl": rule, "BUILD": 'load("//:rules.bzl", "both")\nboth(name = "both")\n'})
    cause = "files are made from each other: linux-amd64/a -> linux-amd64/b -> linux-amd64/a"
    error = f'distroless: BUILD:2:1: cannot order the actions of "//:both": {cause}\n'
    for command in ("plan", "build"):
        ran = commands.run(command, "--platform=linux/amd64", "//:both")
        assert (ran.status, ran.out, ran.err) == (2, "", error)
    assert commands.run("query", "deps(//:both)").out == "//:both\n"


def test_a_drawing_fits_into_a_hundred_columns(tmp_path: Path) -> None:
    long = "a_very_long_name_of_a_folder_" * 3
    text = f"""
        load("@distroless_rules//rules:defs.bzl", "distroless_image", "files", "write_file")
        [write_file(name = "text%d" % n, out = "{long}%d.txt" % n) for n in range(30)]
        files(name = "tree", srcs = [":text%d" % n for n in range(30)], prefix = "/app")
        distroless_image(name = "image", contents = [":tree"])
        """
    ran = Commands(tmp_path, {f"{long}/{long}/BUILD": text}).run("plan", f"//{long}/{long}:image")
    assert ran.status == 0
    lines = ran.out.splitlines()
    assert all(len(line) <= 100 for line in lines[1:])
    assert [sum(word in line for line in lines) for word in ("to run", "may run")] == [30 + 1, 9 + 1]
