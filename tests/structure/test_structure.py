"""Documents of container-structure-test: what is read of them, and what is said of an image that they do not fit."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from distroless_rules.errors import FormatError
from distroless_rules.oci.config import Start
from distroless_rules.structure import checks, schema
from distroless_rules.structure.picture import Picture
from distroless_rules.structure.suite import Container, Output, run
from distroless_rules.tar.writer import END, header, padding
from distroless_rules.values.tree import Entry, Kind

HEAD = 'schemaVersion: "2.0.0"\n'
START = Start(
    entrypoint=("/bin/app",),
    cmd=("-x",),
    env={"PATH": "/usr/bin:/bin", "HOME": "/home/app", "EMPTY": ""},
    user="app",
    workdir="/srv",
    labels={"build-date": "2026-01-02", "vendor": "A Company"},
    ports=("8080/tcp", "53/udp"),
    volumes=("/data",),
)
PASSWD = b"root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home/app:/none\n"
FILES: list[tuple[Entry, bytes]] = [
    (Entry.directory(""), b""),
    (Entry.symlink("bin", "usr/bin"), b""),
    (Entry.directory("etc"), b""),
    (Entry("etc/group", Kind.FILE, 0o644), b"root:x:0:\nstaff:x:50:\n"),
    (Entry("etc/passwd", Kind.FILE, 0o644), PASSWD),
    (Entry.directory("home"), b""),
    (Entry.directory("home/app", 0o700, 1000, 1001), b""),
    (Entry("home/app/note", Kind.FILE, 0o640, 1000, 1001), b"one\ntwo\n"),
    (Entry.symlink("loop", "loop"), b""),
    (Entry.directory("shared", 0o2775, 0, 1001), b""),
    (Entry.directory("tmp", 0o1777), b""),
    (Entry.directory("usr"), b""),
    (Entry.directory("usr/bin"), b""),
    (Entry("usr/bin/app", Kind.FILE, 0o755), b"\x7fELF"),
    (Entry("usr/bin/plain", Kind.FILE, 0o644), b"x"),
    (Entry("usr/bin/su", Kind.FILE, 0o4755), b"\x7fELF"),
    (Entry.directory("usr/share"), b""),
    (Entry.directory("usr/share/doc"), b""),
    (Entry.directory("usr/share/doc/bare"), b""),
    (Entry.directory("usr/share/doc/good"), b""),
    (Entry("usr/share/doc/good/copyright", Kind.FILE, 0o644), b"MIT"),
    (Entry.symlink("usr/share/doc/linked", "good"), b""),
    (Entry.directory("usr/share/doc/strict"), b""),
    (Entry("usr/share/doc/strict/copyright", Kind.FILE, 0o644), b"the agpl-3"),
    (Entry.symlink("way", "../../home/../home/app"), b""),
]


@pytest.fixture
def image(tmp_path: Path) -> Picture:
    out = io.BytesIO()
    for entry, data in FILES:
        row = Entry(entry.path, entry.kind, entry.mode, entry.uid, entry.gid, len(data), entry.target)
        out.write(header(row, 0) + data + bytes(padding(len(data))))
    out.write(END)
    (tmp_path / "tree").write_bytes(out.getvalue())
    return Picture(tmp_path / "tree", START)


@contextmanager
def container() -> Iterator[Container]:
    """Give a container in which `app` prints its arguments and variables, and `su` fails."""

    def perform(words: tuple[str, ...], environment: Mapping[str, str]) -> Output:
        if words[0].endswith("/su"):
            return Output(3, "", "su: no\n")
        shown = "".join(f"{name}={value}\n" for name, value in sorted(environment.items()))
        return Output(0, f"{' '.join(words)}\n{shown}", "")

    yield perform


def faults(image: Picture, text: str) -> list[str]:
    suite = schema.load((HEAD + text).encode(), "t.yaml")
    return [fault for result in run(suite, image, container) for fault in result.faults]


GOOD = """
globalEnvVars: [{key: GLOBAL, value: "${HOME}/x:$PATH"}]
commandTests:
- name: runs
  command: app
  args: [-v, "$HOME", 1.10]
  expectedOutput: ["^/usr/bin/app -v /home/app 1.10\\n", "GLOBAL=/home/app/x:/usr/bin:/bin\\n"]
- name: own variables
  command: app
  envVars: [{key: MINE, value: "1"}]
  expectedOutput: ["MINE=1"]
  excludedOutput: ["MINE=2"]
- {name: fails, command: /usr/bin/su, exitCode: 3, expectedError: ["^su: no\\n$"], excludedError: [yes]}
- {name: before and after, setup: [[app, a]], teardown: [[su]], command: app}
fileExistenceTests:
- {name: there, path: /etc/passwd}
- {name: through links, path: /bin/app, isExecutableBy: any, permissions: "-rwxr-xr-x", uid: 0, gid: 0}
- {name: a link, path: /bin, permissions: "Lrwxrwxrwx"}
- {name: a link that leads nowhere, path: /loop}
- {name: a folder, path: $HOME, permissions: "drwx------", uid: 1000, gid: 1001, isExecutableBy: owner}
- {name: sticky, path: /tmp, permissions: "dtrwxrwxrwx"}
- {name: set-uid, path: /usr/bin/su, permissions: "urwxr-xr-x"}
- {name: set-gid, path: /shared, permissions: "dgrwxrwxr-x"}
- {name: not there, path: /bin/sh, shouldExist: false}
- {name: not looked at, path: /tmp, uid: -1}
- {name: the root, path: /, permissions: "drwxr-xr-x"}
fileContentTests:
- {name: accounts, path: /etc/passwd, expectedContents: ["(?m)^app:", "app:x:1000:1001"], excludedContents: ["^app"]}
- {name: through a link, path: /way/note, expectedContents: ["^one\\ntwo\\n$"]}
metadataTest:
  env: [{key: HOME, value: /home/app}, {key: EMPTY, value: ""}]
  envVars: [{key: PATH, value: "^/usr.*bin$", isRegex: true}]
  unboundEnvVars: [{key: LD_PRELOAD}]
  labels: [{key: build-date, value: '^\\d{4}-\\d{2}-\\d{2}$', isRegex: true}, {key: vendor, value: A Company}]
  exposedPorts: ["8080", 53, "53/udp"]
  unexposedPorts: ["80"]
  volumes: [/data]
  unmountedVolumes: [/root]
  entrypoint: [/bin/app]
  cmd: ["-x"]
  workdir: /srv
  user: app
licenseTests:
- {debian: false, files: [/usr/share/doc/good/copyright]}
"""


def test_what_is_right(image: Picture) -> None:
    assert faults(image, GOOD) == []


# A document, and all that is wrong then.
WRONG = {
    "commandTests: [{name: a, command: app, expectedOutput: [z$], excludedOutput: [app]}]": [
        "standard output should match 'z$', and does not",
        "standard output should not match 'app', and does",
    ],
    "commandTests: [{name: a, command: su}]": ["its exit status should be 0, and is 3"],
    "commandTests: [{name: a, command: bash}]": ['cannot run "bash": the image has no such program'],
    "commandTests: [{name: a, command: plain}]": ['cannot run "plain": the image has no such program'],
    "commandTests: [{name: a, command: app, setup: [[nothing]]}]": [
        'cannot run "nothing": the image has no such program'
    ],
    "commandTests: [{name: a, command: app, expectedOutput: ['(']}]": ['cannot read the pattern "(": missing ): ('],
    "commandTests: [{name: a, command: app, expectedOutput: ['(a)\\1']}]": [
        'cannot read the pattern "(a)\\1": invalid escape sequence: \\1'
    ],
    "fileExistenceTests: [{name: a, path: /x}]": ["/x should be there, and is not"],
    "fileExistenceTests: [{name: a, path: /loop/x}]": ["/loop/x should be there, and is not"],
    "fileExistenceTests: [{name: a, path: /tmp, shouldExist: false}]": ["/tmp should not be there, and is"],
    "fileExistenceTests: [{name: a, path: /tmp, permissions: drwxrwxrwx, uid: 1, gid: 2}]": [
        "/tmp should have the permissions drwxrwxrwx, and has dtrwxrwxrwx",
        "/tmp should belong to user 1, and belongs to 0",
        "/tmp should belong to group 2, and belongs to 0",
    ],
    "fileExistenceTests: [{name: a, path: /home/app, isExecutableBy: other}]": [
        "/home/app should be executable by other, and has drwx------"
    ],
    "fileContentTests: [{name: a, path: /etc/passwd, expectedContents: [nobody], excludedContents: [root]}]": [
        "/etc/passwd should match 'nobody', and does not",
        "/etc/passwd should not match 'root', and does",
    ],
    "fileContentTests: [{name: a, path: /etc/shadow}]": [
        'cannot read "/etc/shadow" of the image: there is no such file'
    ],
    "fileContentTests: [{name: a, path: /etc}]": ['cannot read "/etc" of the image: it is no file'],
    "metadataTest: {env: [{key: HOME, value: /}, {key: NONE, value: a}], unboundEnvVars: [{key: PATH}]}": [
        "variable HOME should be '/', and is '/home/app'",
        "variable NONE should be there",
        "variable PATH should not be set",
    ],
    "metadataTest: {exposedPorts: ['80'], unexposedPorts: ['8080'], volumes: [/x], unmountedVolumes: [/data]}": [
        "port 80 should be exposed",
        "port 8080 should not be exposed",
        "/x should be a volume",
        "/data should be no volume",
    ],
    "metadataTest: {entrypoint: [], cmd: [a], workdir: /, user: root}": [
        "cmd should be ['a'], and is ['-x']",
        "user should be root, and is app",
        "workdir should be /, and is /srv",
        "entrypoint should be [], and is ['/bin/app']",
    ],
    "metadataTest: {labels: [{key: vendor, value: '^B', isRegex: true}]}": [
        "label vendor should match '^B', and is 'A Company'"
    ],
    "licenseTests: [{debian: true}]": [
        'cannot read "/usr/share/doc/bare/copyright" of the image: there is no such file',
        "/usr/share/doc/strict/copyright holds the licence AGPL",
    ],
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong(image: Picture, text: str) -> None:
    assert sorted(faults(image, text)) == sorted(WRONG[text])


REFUSED = {
    "a: [": "it is not YAML",
    "[]": "the document is not an object",
    "a: 1": 'its schemaVersion is ""; write schemaVersion: "2.0.0"',
    "schemaVersion: 1.0.0": 'its schemaVersion is "1.0.0"',
    HEAD + "commandTest: []": 'the document has "commandTest", which the schema does not know',
    HEAD + "commandTests: {}": "\"commandTests\" of the document is '{}', not a list",
    HEAD + "commandTests: [3]": "command test 1 is not an object",
    HEAD + "commandTests: [{command: a}]": 'command test 1 has no "name"',
    HEAD + "commandTests: [{name: a}]": 'command test "a" has no "command"',
    HEAD + "commandTests: [{name: a, command: b, args: x}]": '"args" of command test "a" is \'x\', not a list of texts',
    HEAD + "commandTests: [{name: a, command: b, args: [[]]}]": "is '[[]]', not a list of texts",
    HEAD + "commandTests: [{name: a, command: b, setup: [a]}]": "not a list of commands, each a list of words",
    HEAD + "commandTests: [{name: a, command: b, setup: [[]]}]": "not a list of commands, each a list of words",
    HEAD + "commandTests: [{name: a, command: b, exitCode: no}]": "is 'no', not a number",
    HEAD + "commandTests: [{name: a, command: b, envVars: [{value: c}]}]": '"envVars" 1 has no "key"',
    HEAD + "fileExistenceTests: [{name: a}]": 'file existence test "a" has no "path"',
    HEAD + "fileExistenceTests: [{name: a, path: b, shouldExist: perhaps}]": "not true or false",
    HEAD + "fileExistenceTests: [{name: a, path: b, isExecutableBy: me}]": "not one of owner, group, other, any",
    HEAD + "fileContentTests: [{name: a, path: b, expected: c}]": 'has "expected", which the schema does not know',
    HEAD + "metadataTest: []": "the metadata test is not an object",
    HEAD + "containerRunOptions: {user: root}": "containerRunOptions are for a daemon, and there is none",
    HEAD + "a: &a [*a]": "it is not YAML: found unconstructable recursive node",
    HEAD + "a: !!python/object/apply:os.system [id]": 'the document has "a", which the schema does not know',
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_refused(text: str) -> None:
    with pytest.raises(FormatError) as caught:
        schema.load(text.encode(), "t.yaml")
    assert REFUSED[text] in str(caught.value)
    assert str(caught.value).startswith("cannot read t.yaml: ")


def test_a_document_that_grows_without_end() -> None:
    lines = [HEAD, "a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40)]
    with pytest.raises(FormatError, match="which the schema does not know"):
        schema.load("\n".join(lines).encode(), "t.yaml")
    with pytest.raises(FormatError, match="are the most"):
        schema.load(b"#" * (5 << 20), "t.yaml")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["commandTests", "fileExistenceTests", "fileContentTests", "metadataTest", "licenseTests", "globalEnvVars"]
)
FIELDS = st.sampled_from(
    ["name", "path", "command", "args", "setup", "envVars", "env", "labels", "uid", "cmd", "debian", "key"]
)


@given(st.dictionaries(KEYS, VALUES | st.lists(st.dictionaries(FIELDS, VALUES, max_size=4), max_size=2), max_size=3))
def test_any_document_is_read_or_refused(document: dict[str, Any]) -> None:
    with suppress(FormatError):
        schema.load(yaml.safe_dump({"schemaVersion": "2.0.0", **document}).encode(), "t.yaml")


@given(st.binary(max_size=500))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(FormatError):
        schema.load(HEAD.encode() + data, "t.yaml")


@pytest.mark.parametrize(
    ("user", "numbers"),
    [
        ("", (0, 0)),
        ("app", (1000, 1001)),
        ("1000", (1000, 1001)),
        ("7", (7, 0)),
        ("7:8", (7, 8)),
        ("app:staff", (1000, 50)),
        ("app:8", (1000, 8)),
    ],
)
def test_who_runs_commands(image: Picture, user: str, numbers: tuple[int, int]) -> None:
    image.start = Start(user=user)
    assert image.owner() == numbers


@pytest.mark.parametrize(("user", "home"), [("", "/root"), ("app", "/home/app"), ("7", "/")])
def test_home_folders(image: Picture, user: str, home: str) -> None:
    image.start = Start(user=user)
    assert image.home() == home


@pytest.mark.parametrize("user", ["nobody", "app:nobody"])
def test_users_that_an_image_does_not_know(image: Picture, user: str) -> None:
    image.start = Start(user=user)
    with pytest.raises(FormatError, match=r'has no (user|group) "nobody"'):
        image.owner()


def test_folders_that_may_be_written(image: Picture) -> None:
    assert image.writable(1000, 1001) == ["home/app", "shared", "tmp"]
    assert image.writable(7, 7) == ["tmp"]
    assert image.writable(0, 0) == [""]


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("^a$", "a\n", False),
        ("a\n$", "a\n", True),
        ("[[:alpha:]]+", "x", True),
        (r"\pL", "ä", True),
        ("(?s)a.b", "a\nb", True),
    ],
)
def test_patterns_are_those_of_go(pattern: str, text: str, found: bool) -> None:
    assert checks.matches(pattern, text) == found
