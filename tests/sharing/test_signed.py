"""Keys that sign what is shared: made, named in settings, used; what is said of wrong ones, and that none is shown."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from distroless_rules import state
from distroless_rules.storage import signatures
from distroless_rules.storage.results import signatures as found_in
from tests.support.command import Commands, Ran
from tests.support.liar import Liar

FILES = {
    "BUILD": """
        load("@distroless_rules//rules:defs.bzl", "write_file")

        write_file(name = "text", out = "text.txt", content = ["one"])
        """
}
KEY, OTHER = signatures.generate("ci-1"), signatures.generate("dev")
HALF = base64.b64encode(KEY.seed).decode()[:40]


@pytest.fixture
def server() -> Iterator[Liar]:
    with Liar() as made:
        yield made


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "_RACY_NS", 0)


def workspace(folder: Path, settings: str = "") -> Commands:
    commands = Commands(folder, FILES)
    commands.write({"distroless.toml": f'[workspace]\nname = "w"\n\n[cache]\n{settings}\n'})
    return commands


def build(commands: Commands, *words: str) -> Ran:
    ran = commands.run("build", "//:text", *words)
    assert "internal error" not in ran.err
    assert HALF not in ran.out + ran.err
    for top in (commands.cache, commands.root / "distroless-out"):
        for file in top.rglob("*"):
            assert not file.is_file() or HALF.encode() not in file.read_bytes(), f"{file} holds the key"
    return ran


def warnings(ran: Ran) -> list[str]:
    return [line for line in ran.err.splitlines() if line.startswith("warning:")]


def key_file(folder: Path, text: str = KEY.text()) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "ci.key"
    file.write_text(f"{text}\n")
    return file


def test_a_key_is_made_and_used_to_its_end(server: Liar, tmp_path: Path) -> None:
    ci = workspace(tmp_path / "ci")
    made = ci.run("key", "generate", "../ci.key", "--name=ci-2026")
    assert made.status == 0, made.err
    file = tmp_path / "ci" / "ci.key"
    assert file.stat().st_mode & 0o777 == 0o600
    public = made.out.strip()
    assert public.startswith("ci-2026:")
    assert file.read_text().strip().partition(":")[2] not in made.out + made.err
    assert ci.run("key", "public", "../ci.key").out.strip() == public

    ran = build(ci, f"--remote-cache={server.address}", "--remote_upload", "--signing_key=../ci.key")
    assert ran.status == 0, ran.err
    assert not warnings(ran)
    assert [len(found_in(result)) for result in server.results.values()] == [1]

    release = workspace(tmp_path / "release", f'remote = "{server.address}"\ntrusted_keys = ["{public}"]')
    ran = build(release)
    assert "1 remote hit," in ran.err
    assert not warnings(ran)

    other = workspace(tmp_path / "other", f'remote = "{server.address}"\ntrusted_keys = ["{OTHER.public}"]')
    ran = build(other)
    assert ran.status == 0
    assert warnings(ran) == [
        'warning: cannot use 1 result that others made: 1 is signed by "ci-2026"; see "trusted_keys" in [cache]'
    ]
    assert "1 run locally" in ran.err


def test_a_key_is_never_written_over(tmp_path: Path) -> None:
    commands = workspace(tmp_path)
    assert commands.run("key", "generate", "ci.key").out.startswith("ci:")
    before = (commands.root / "ci.key").read_bytes()
    ran = commands.run("key", "generate", "ci.key")
    assert ran.status == 2
    assert 'cannot write the key "ci.key": the file exists; a key that is used is lost with it' in ran.err
    assert (commands.root / "ci.key").read_bytes() == before


def test_each_place_where_a_key_is_named(server: Liar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = key_file(tmp_path / "keys")
    where = f'remote = "{server.address}"\nupload = true\n'

    def signers(commands: Commands, *words: str) -> list[str]:
        server.results.clear()
        ran = build(commands, *words)
        assert ran.status == 0, ran.err
        (result,) = server.results.values()
        return [signature.partition(":")[0] for signature in found_in(result)]

    assert signers(workspace(tmp_path / "none", where)) == []
    assert signers(workspace(tmp_path / "file", f'{where}signing_key = "../../keys/ci.key"')) == ["ci-1"]
    monkeypatch.setenv("DISTROLESS_SIGNING_KEY_FILE", str(file))
    assert signers(workspace(tmp_path / "variable", f'{where}signing_key = "nowhere"')) == ["ci-1"]
    monkeypatch.delenv("DISTROLESS_SIGNING_KEY_FILE")
    monkeypatch.setenv("DISTROLESS_SIGNING_KEY", KEY.text())
    assert signers(workspace(tmp_path / "text", f'{where}signing_key = "nowhere"')) == ["ci-1"]
    monkeypatch.setenv("DISTROLESS_SIGNING_KEY", "nothing:that is a key")
    assert signers(workspace(tmp_path / "option", where), f"--signing-key={file}") == ["ci-1"]


def test_a_key_that_nobody_needs_is_not_read(server: Liar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTROLESS_SIGNING_KEY", "nothing that is a key")
    commands = workspace(tmp_path, f'remote = "{server.address}"\nsigning_key = "nowhere"')
    assert build(commands).status == 0


WRONG_KEYS = {
    "": "it is empty; ",
    "ci-1": "it has no name: a key is NAME:BASE64; `distroless key generate FILE` makes one",
    HALF: "it has no name",
    KEY.text()[:-4]: "it has 63 bytes, and a secret key has 64",
    KEY.text().replace("=", "!"): "what follows its name is not base64",
    str(KEY.public): "it is a public key, and results are signed with the secret one",
    f"{KEY.text()}\n{OTHER.text()}": "what follows its name is not base64",
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAw\n-----END PRIVATE KEY-----": "it is a PEM file",
    f"ci-1:{base64.b64encode(KEY.seed + OTHER.public.data).decode()}": "its two halves do not belong together",
    "ci-1:ä": "it is not ASCII text",
    "x" * 5000: "it has more than 4096 bytes",
}


@pytest.mark.parametrize("number", range(len(WRONG_KEYS)))
def test_a_wrong_key_is_one_error(tmp_path: Path, number: int) -> None:
    text, cause = list(WRONG_KEYS.items())[number]
    commands = workspace(tmp_path / "it", 'remote = "grpc://127.0.0.1:1"\nupload = true')
    file = key_file(tmp_path / "keys", text)
    ran = build(commands, f"--signing-key={file}")
    assert ran.status == 2
    (line,) = ran.err.splitlines()
    assert line.startswith(f'distroless: cannot read the key in "{file}": {cause}')
    assert len(text) < 25 or text[5:25] not in ran.err


def test_where_a_key_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = 'remote = "grpc://127.0.0.1:1"\nupload = true\n'
    ran = build(workspace(tmp_path / "none", f'{settings}signing_key = "../no.key"'))
    assert ran.status == 2
    assert 'no.key": no such file or directory; see "signing_key" in [cache]' in ran.err
    ran = build(workspace(tmp_path / "folder", settings), f"--signing-key={tmp_path}")
    assert ran.status == 2
    assert "is a directory" in ran.err
    monkeypatch.setenv("DISTROLESS_SIGNING_KEY", f"/secret/{HALF}")
    ran = build(workspace(tmp_path / "variable", settings))
    assert ran.status == 2
    assert "cannot read DISTROLESS_SIGNING_KEY: it has no name: a key is NAME:BASE64" in ran.err
    monkeypatch.setenv("DISTROLESS_SIGNING_KEY_FILE", "somewhere")
    ran = build(workspace(tmp_path / "both", settings))
    assert ran.status == 2
    assert "cannot read DISTROLESS_SIGNING_KEY: DISTROLESS_SIGNING_KEY_FILE is set too; set one of the two" in ran.err


WRONG_SETTINGS = {
    'trusted_keys = "ci-1:AAAA"': '"trusted_keys" in [cache]: expected a list of strings',
    "trusted_keys = [1]": '"trusted_keys" in [cache]: expected a list of strings',
    'trusted_keys = ["ci-1"]': 'key 1 of "trusted_keys" in [cache]: it has no name: a key is NAME:BASE64',
    f'trusted_keys = ["{KEY.public}", "ci-2:AAAA"]': 'key 2 of "trusted_keys" in [cache]: it has 3 bytes',
    f'trusted_keys = ["{KEY.text()}"]': "it is a secret key; write what `distroless key public FILE` prints",
    f'trusted_keys = "{KEY.text()}"': "expected a list of strings",
    f'signing_key = ["{KEY.text()}"]': "expected a string",
    f'trusted_keys = ["ci-1:{"A" * 43}="]': "everybody can sign for such a key",
    f'trusted_keys = ["{KEY.public}", "ci-1:{str(OTHER.public).partition(":")[2]}"]': 'another key is called "ci-1"',
    'trusted_keyz = ["a"]': 'no such key; did you mean "trusted_keys"?',
    'signing-key = "a"': 'no such key; did you mean "signing_key"?',
}


@pytest.mark.parametrize("number", range(len(WRONG_SETTINGS)))
def test_a_wrong_setting_is_one_error(tmp_path: Path, number: int) -> None:
    text, cause = list(WRONG_SETTINGS.items())[number]
    ran = build(workspace(tmp_path, text))
    assert ran.status == 2
    (line,) = ran.err.splitlines()
    assert line.startswith("distroless: distroless.toml:5:1: cannot read ")
    assert cause in line


def test_a_builder_whose_results_it_would_not_take_itself_is_told(server: Liar, tmp_path: Path) -> None:
    where = f'remote = "{server.address}"\nupload = true\ntrusted_keys = ["{OTHER.public}"]'
    ran = build(workspace(tmp_path / "unsigned", where))
    see = 'see "signing_key" and "trusted_keys" in [cache]'
    assert warnings(ran) == [f"warning: results are sent without a signature, and only signed ones are used; {see}"]
    server.results.clear()
    ran = build(workspace(tmp_path / "signed", where), f"--signing-key={key_file(tmp_path / 'keys')}")
    assert warnings(ran) == [f'warning: results are signed by "ci-1", which is not a trusted key; {see}']


def test_what_stands_from_others_results_does_not_stand_where_none_count(server: Liar, tmp_path: Path) -> None:
    assert build(workspace(tmp_path / "first", f'remote = "{server.address}"\nupload = true')).status == 0
    commands = workspace(tmp_path / "second", f'remote = "{server.address}"')
    assert "1 remote hit," in build(commands).err
    assert "up to date" in build(commands).err
    assert "1 run locally" in build(commands, "--noremote_accept").err
    assert "up to date" in build(commands, "--noremote_accept").err

    third = workspace(tmp_path / "third", f'remote = "{server.address}"')
    assert "1 remote hit," in build(third).err
    third.write({"distroless.toml": f'[workspace]\nname = "w"\n[cache]\ntrusted_keys = ["{KEY.public}"]\n'})
    ran = build(third)
    assert "1 run locally" in ran.err
    assert "1 is kept here from builds that trusted others" in ran.err


def test_the_public_key_of_standard_input(tmp_path: Path) -> None:
    commands = workspace(tmp_path)
    file = key_file(tmp_path / "keys")
    with file.open() as stream:
        before = os.dup(0)
        os.dup2(stream.fileno(), 0)
        try:
            ran = commands.run("key", "public", "-")
        finally:
            os.dup2(before, 0)
            os.close(before)
    assert ran.out == f"{KEY.public}\n"
