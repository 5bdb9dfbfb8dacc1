"""Who asks a shared cache: tokens, headers, helpers, netrc, certificates; what is said of wrong ones, what never is."""

from __future__ import annotations

import base64
import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from distroless_rules.logs.file import unpack
from distroless_rules.storage.faults import Code
from tests.support import engines
from tests.support.certificates import Authority
from tests.support.command import Commands, Ran
from tests.support.liar import Liar, Refusal

SECRET = "s3cr3t-t0k3n-of-nobody"
FILES = {
    "BUILD": """
        load("@distroless_rules//rules:defs.bzl", "write_file")

        write_file(name = "text", out = "text.txt", content = ["one"])
        """
}


@pytest.fixture
def server() -> Iterator[Liar]:
    with Liar() as made:
        yield made


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def settings(commands: Commands, text: str) -> None:
    commands.write({"distroless.toml": f'[workspace]\nname = "w"\n\n[cache]\n{text}\n'})


def build(commands: Commands, *words: str) -> Ran:
    told = commands.root / "distroless-out/told"
    told.mkdir(parents=True, exist_ok=True)
    ran = commands.run(
        *("build", "//:text", f"--profile={told}/trace", f"--build-event-json-file={told}/events", *words)
    )
    assert "internal error" not in ran.err
    nothing_secret(commands, ran)
    return ran


def nothing_secret(commands: Commands, ran: Ran) -> None:
    """Look for the secret in everything that a build printed and left."""
    for form in (SECRET, base64.b64encode(f"ada:{SECRET}".encode()).decode()):
        assert form not in ran.out + ran.err
        for top in (commands.cache, commands.root / "distroless-out"):
            for file in top.rglob("*"):
                assert not file.is_file() or form.encode() not in contents(file), f"{file} holds it"


def contents(file: Path) -> bytes:
    """Give what a file says; of a log, which is compressed, what is in it."""
    return unpack(file, "a log") if file.suffix == ".zst" else file.read_bytes()


def authorizations(server: Liar) -> set[str]:
    return {metadata.get("authorization", "") for _, metadata in server.seen}


def _token_file(commands: Commands, address: str) -> None:
    (commands.root / "token").write_text(f"{SECRET}\n")
    settings(commands, f'remote = "{address}"\ntoken_file = "token"')


def _header(commands: Commands, address: str) -> None:
    settings(commands, f'remote = "{address}"\nheaders = {{ Authorization = "Bearer {SECRET}" }}')


def _helper(commands: Commands, address: str) -> None:
    helper = commands.root / "helper"
    answer = f'{{"headers": {{"Authorization": ["Bearer {SECRET}"]}}, "expires": "2999-01-01T00:00:00Z"}}'
    helper.write_text(f"#!/bin/sh\n[ \"$1\" = get ] && grep -q 'https://127.0.0.1' && echo '{answer}'\n")
    helper.chmod(helper.stat().st_mode | stat.S_IXUSR)
    settings(commands, f'remote = "{address}"\ncredential_helper = "./helper"')


def _login(commands: Commands, address: str) -> None:
    settings(commands, f'remote = "{address.replace("//", f"//ada:{SECRET}@")}"')


BEARER = f"Bearer {SECRET}"
BASIC = f"Basic {base64.b64encode(f'ada:{SECRET}'.encode()).decode()}"
WAYS: dict[str, tuple[Callable[[Commands, str], None], str]] = {
    "token_file": (_token_file, BEARER),
    "headers": (_header, BEARER),
    "credential_helper": (_helper, BEARER),
    "login": (_login, BASIC),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_way_to_say_who_asks(server: Liar, tmp_path: Path, way: str) -> None:
    commands = Commands(tmp_path, FILES)
    WAYS[way][0](commands, server.address)
    assert build(commands, "--remote-upload").status == 0
    assert authorizations(server) == {WAYS[way][1]}
    assert len(server.results) == 1


@pytest.mark.parametrize("way", WAYS)
def test_a_server_that_does_not_know_who_asks(server: Liar, tmp_path: Path, way: str) -> None:
    def refuse(_: Any) -> Any:
        raise Refusal(Code.UNAUTHENTICATED, f"not {WAYS[way][1]}")

    server.lies = {"GetCapabilities": refuse}
    commands = Commands(tmp_path, FILES)
    WAYS[way][0](commands, server.address)
    ran = build(commands)
    assert ran.status == 0
    (warning,) = [line for line in ran.err.splitlines() if line.startswith("warning:")]
    assert f"cannot use {server.address}: it does not know who asks: not ...;" in warning
    assert 'see "token_file", "credential_helper" and "headers" in [cache]' in warning


def test_the_environment_and_netrc(server: Liar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = Commands(tmp_path, FILES)
    monkeypatch.setenv("DISTROLESS_REMOTE_CACHE", server.address)
    monkeypatch.setenv("DISTROLESS_REMOTE_TOKEN", SECRET)
    assert build(commands).status == 0
    assert authorizations(server) == {BEARER}
    server.seen.clear()
    monkeypatch.delenv("DISTROLESS_REMOTE_TOKEN")
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login ada password {SECRET}\n")
    monkeypatch.setenv("NETRC", str(netrc))
    commands.write({"BUILD": FILES["BUILD"].replace("one", "two")})
    assert build(commands).status == 0
    assert authorizations(server) == {BASIC}


def test_the_command_line_wins_and_takes_no_secret_elsewhere(server: Liar, tmp_path: Path) -> None:
    commands = Commands(tmp_path, FILES)
    _token_file(commands, "grpc://cache.example:1")
    assert build(commands, f"--remote-cache={server.address}", "--remote-header=x-team=shop").status == 0
    assert authorizations(server) == {""}
    assert {metadata.get("x-team") for _, metadata in server.seen} == {"shop"}


def test_a_call_says_which_program_asks(server: Liar, tmp_path: Path) -> None:
    assert build(Commands(tmp_path, FILES), f"--remote-cache={server.address}").status == 0
    name = "build.bazel.remote.execution.v2.requestmetadata-bin"
    assert all(b"distroless-rules" in metadata[name] for _, metadata in server.seen)


WRONG = {
    'remote = "gprc://host:1"': '"gprc" is not a scheme that is known; did you mean "grpc"?',
    'remote = "host:1"': "it has no scheme",
    'remote = "grpc:host:1"': 'no "//" follows its scheme "grpc:"; write grpc://...',
    'remote = "cache"': "it has no scheme; write grpc[s]://host:port/instance, http[s]://host/path, oci://host/",
    'remote = "grpc://ho st:1"': "its host is neither a name nor an address",
    f'remote = "grpc://ada:{SECRET}/{SECRET}@host:1"': "its port is not a number from 1 to 65535",
    'remote = "grpc://host"': "it names no port; write grpc://host:PORT",
    'remote = "grpc://host:0"': "its port is not a number from 1 to 65535",
    'remote = "grpc://host:99999"': "its port is not a number from 1 to 65535",
    'remote = "grpc://:80"': "it names no host",
    'remote = "https://host/?a=b"': "it has a query or a fragment",
    'remote = "file://host/path"': "it is not a folder of this machine; mount it, and write file:///path",
    'remote = "grpc://h:1"\ntoken_file = "nowhere"': "no such file or directory",
    'remote = "grpc://h:1"\ncredential_helper = "./nowhere"': "no such file or directory",
    'remote = "grpc://h:1"\ncredential_helper = "/bin/false"': "it ended with exit status 1",
    'remote = "grpc://h:1"\ncredential_helper = "/bin/true"': 'its answer is not {"headers": {"Authorization": ["',
    'remote = "grpcs://h:1"\nca = "nowhere.pem"': "no such file or directory",
    'remote = "https://h:1"\nca = "nowhere.pem"': "no such file or directory",
    'certificate = "a.pem"': "a certificate needs its key",
    'remote = "grpc://h:1"\nheaders = { "a b" = "c" }': "that is not a name that a header can have",
    f'remote = "grpc://h:1"\nheaders = {{ a = "{SECRET}\\n" }}': "its value is empty or holds characters that no",
    f'headers = "{SECRET}"': "expected a table of strings",
    f'remote = "gprc://ada:{SECRET}@host:1"': "is not a scheme that is known",
    f'token = "{SECRET}"': "no such key",
    "timeout = 0": "expected seconds, more than 0",
    'upload = "yes"': 'expected true or false, got "yes"',
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_setting_is_one_error(tmp_path: Path, text: str) -> None:
    commands = Commands(tmp_path, FILES)
    settings(commands, text)
    ran = build(commands)
    assert ran.status == 2
    assert WRONG[text] in ran.err
    assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (("--remote-cache=gopher://x:1",), 'cannot read --remote-cache "gopher://x:1": "gopher" is not a scheme'),
        (("--remote-header=nothing",), "cannot read --remote-header: expected NAME=VALUE"),
    ],
)
def test_a_wrong_option_is_one_error(tmp_path: Path, words: tuple[str, ...], cause: str) -> None:
    ran = build(Commands(tmp_path, FILES), *words)
    assert ran.status == 2
    assert cause in ran.err


def test_certificates(authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.sign("server")
    client, client_key = authority.sign("client")
    pair = [(key.read_bytes(), certificate.read_bytes())]
    with Liar(grpc.ssl_server_credentials(pair, authority.certificate.read_bytes(), True)) as server:
        commands = Commands(tmp_path / "right", FILES)
        base = f'remote = "{server.address}"\nca = "{authority.certificate}"'
        settings(commands, f'{base}\ncertificate = "{client}"\nkey = "{client_key}"\nrequired = true')
        ran = build(commands, "--remote-upload")
        assert ran.status == 0, ran.err
        assert len(server.results) == 1
        commands = Commands(tmp_path / "none", FILES)
        settings(commands, base)
        assert "warning: cannot use" in build(commands).err


WRONG_FILES: dict[str, tuple[str, str, str, str]] = {
    "junk as ca": ("junk", "", "", 'junk": it holds no certificate in PEM; see "ca" in [cache]'),
    "key of another": ("ca.pem", "client.pem", "other.key", 'it is not the key of "'),
    "junk as key": ("ca.pem", "client.pem", "junk", 'junk": it holds no private key in PEM; see "key" in [cache]'),
    "swapped": ("ca.pem", "client.key", "client.pem", 'it holds no certificate in PEM; see "certificate" in [cache]'),
    "encrypted": ("ca.pem", "client.pem", "encrypted", "it is encrypted, and its password is not asked for"),
    "damaged": ("damaged", "", "", 'damaged": OpenSSL cannot use it: '),
}


@pytest.mark.parametrize("scheme", ["grpcs", "https", "oci+https"])
@pytest.mark.parametrize("name", WRONG_FILES)
def test_a_file_that_holds_something_else(authority: Authority, tmp_path: Path, scheme: str, name: str) -> None:
    authority.sign("client"), authority.sign("other")
    folder = authority.folder
    (folder / "junk").write_text(f"{SECRET}\n")
    (folder / "damaged").write_text(f"-----BEGIN CERTIFICATE-----\n{SECRET}\n-----END CERTIFICATE-----\n")
    words = ["openssl", "pkey", "-aes256", "-passout", "pass:x", "-in", folder / "client.key"]
    subprocess.run([*words, "-out", folder / "encrypted"], check=True)
    ca, certificate, key, cause = WRONG_FILES[name]
    commands = Commands(tmp_path, FILES)
    files = {"ca": ca, "certificate": certificate, "key": key}
    lines = [f'{setting} = "{folder / file}"' for setting, file in files.items() if file]
    settings(commands, "\n".join([f'remote = "{scheme}://127.0.0.1:1/x"', *lines]))
    ran = build(commands)
    assert ran.status == 2
    assert cause in ran.err
    assert len(ran.err.splitlines()) == 1


HELPERS = (
    f"echo '{SECRET}'",
    f'echo \'{{"headers": {{"Authorization": "{SECRET}"}}}}\'',
    f'echo \'{{"headers": {{"Authorization": ["{SECRET}\\\\n"]}}}}\'',
    f'echo \'{{"headers": {{"a b": ["{SECRET}"]}}}}\'',
    f'echo \'{{"headers": {{"Authorization": ["{SECRET}"]}}, "expires": "soon"}}\'',
    "head -c 100 /dev/urandom",
    "echo []",
)


@pytest.mark.parametrize("script", HELPERS)
def test_a_helper_that_says_something_else(tmp_path: Path, script: str) -> None:
    commands = Commands(tmp_path, FILES)
    commands.write({"helper": f"#!/bin/sh\n{script}\n"})
    (commands.root / "helper").chmod(0o755)
    settings(commands, 'remote = "grpc://127.0.0.1:1"\ncredential_helper = "./helper"')
    ran = build(commands)
    assert ran.status == 2
    assert 'its answer is not {"headers": {"Authorization": ["Bearer ..."]}}, as the protocol has it' in ran.err
    assert 'see "credential_helper" in [cache]' in ran.err
    assert len(ran.err.splitlines()) == 1


def test_a_token_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = Commands(tmp_path, FILES)
    commands.write({"token": f"{SECRET}\n{SECRET}\n", "empty": "\n"})
    for table, file, cause in (("cache", "token", "it is more than one line, or holds"), ("execution", "empty", "")):
        text = f'[{table}]\nremote = "grpc://127.0.0.1:1"\ntoken_file = "{file}"\n'
        commands.write({"distroless.toml": f'[workspace]\nname = "w"\n\n{text}'})
        ran = build(commands)
        assert ran.status == 2
        assert f'/{file}": {cause or "it is empty"}' in ran.err
        assert f'; see "token_file" in [{table}]' in ran.err
    commands.write({"distroless.toml": '[workspace]\nname = "w"\n'})
    monkeypatch.setenv("DISTROLESS_REMOTE_CACHE", "grpc://127.0.0.1:1")
    monkeypatch.setenv("DISTROLESS_REMOTE_TOKEN", f"{SECRET}\n{SECRET}")
    ran = build(commands)
    assert ran.status == 2
    assert "cannot read the token in the environment: it is more than one line" in ran.err
    assert "; see DISTROLESS_REMOTE_TOKEN" in ran.err


def test_a_netrc_that_cannot_be_read_is_told_of_where_it_is_missed(
    server: Liar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {{{{ {SECRET}\n")
    monkeypatch.setenv("NETRC", str(netrc))
    commands = Commands(tmp_path, FILES)
    settings(commands, f'remote = "{server.address}"')
    assert "warning" not in build(commands).err, "it may be for other programs"

    def refuse(_: Any) -> Any:
        raise Refusal(Code.UNAUTHENTICATED, "who?")

    server.lies = {"GetCapabilities": refuse}
    commands.write({"BUILD": FILES["BUILD"].replace("one", "two")})
    assert f'who?; nothing of "{netrc}" was used, as it is not well formed; see "token_file"' in build(commands).err


def test_another_protocol_than_the_server_speaks(authority: Authority, server: Liar, tmp_path: Path) -> None:
    certificate, key = authority.sign("server")
    plain = server.address.removeprefix("grpc://")
    pair = [(key.read_bytes(), certificate.read_bytes())]
    with (
        Liar(grpc.ssl_server_credentials(pair, authority.certificate.read_bytes(), True)) as secure,
        engines.nginx(tmp_path / "nginx", tls=(certificate, key)) as web,
    ):
        tls = secure.address.removeprefix("grpcs://")
        for address, cause in {
            f"grpcs://{plain}": "it does not speak TLS; write grpc://",
            f"https://{plain}": "it does not speak TLS; write http://",
            f"grpc://{tls}": "it closes the connection; see whether it is running, and expects grpcs://",
            f"grpcs://{tls}": "it closes the connection; see whether it is running, and expects a client certificate",
            web.replace("https", "grpcs"): "what answers there does not speak gRPC",
            web.replace("https", "http"): "it answers 400 Bad Request; see",
        }.items():
            commands = Commands(tmp_path / str(len(list(tmp_path.iterdir()))), FILES)
            settings(commands, f'remote = "{address}"\nca = "{authority.certificate}"')
            ran = build(commands)
            assert ran.status == 0
            (warning,) = [line for line in ran.err.splitlines() if line.startswith("warning:")]
            assert cause in warning
            assert '"remote" in [cache]' in warning or '"certificate" and "key" in [cache]' in warning


@pytest.mark.parametrize("scheme", ["grpcs", "https"])
@pytest.mark.parametrize(
    ("days", "known", "cause"),
    [
        (-1, True, "its certificate has expired"),
        (9, False, 'not one that is trusted; name the authority\'s file as "ca"'),
    ],
)
def test_a_certificate_that_is_not_right(
    authority: Authority, tmp_path: Path, scheme: str, days: int, known: bool, cause: str
) -> None:
    certificate, key = authority.sign(f"server{days}", days)
    commands = Commands(tmp_path, FILES)
    ca = f'\nca = "{authority.certificate}"' if known else ""
    if scheme == "grpcs":
        with Liar(grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())])) as server:
            settings(commands, f'remote = "{server.address}"{ca}')
            ran = build(commands)
    else:
        with engines.nginx(tmp_path / "nginx", tls=(certificate, key)) as address:
            settings(commands, f'remote = "{address}"{ca}')
            ran = build(commands)
    assert ran.status == 0
    (warning,) = [line for line in ran.err.splitlines() if line.startswith("warning:")]
    assert cause in warning


def test_nginx_with_a_password(tmp_path: Path) -> None:
    (tmp_path / "passwords").write_text(f"ada:{{PLAIN}}{SECRET}\n")
    extra = f'auth_basic "cache"; auth_basic_user_file {tmp_path}/passwords;'
    with engines.nginx(tmp_path / "nginx", extra) as address:
        os.chmod(tmp_path, 0o755)
        commands = Commands(tmp_path / "right", FILES)
        _login(commands, address)
        ran = build(commands, "--remote-upload", "--remote-required")
        assert ran.status == 0, ran.err
        assert list((tmp_path / "nginx/www/ac").iterdir())
        wrong = Commands(tmp_path / "wrong", FILES)
        ran = build(wrong, f"--remote-cache={address}", "--remote-upload")
        assert ran.status == 0
        (warning,) = [line for line in ran.err.splitlines() if line.startswith("warning:")]
        assert "it answers 401 Unauthorized" in warning


def test_nginx_that_lets_nobody_write(tmp_path: Path) -> None:
    with engines.nginx(tmp_path / "nginx", "limit_except GET { deny all; }") as address:
        ran = build(Commands(tmp_path / "it", FILES), f"--remote-cache={address}", "--remote-upload")
        assert ran.status == 0
        (warning,) = [line for line in ran.err.splitlines() if line.startswith("warning:")]
        assert "it answers 403 Forbidden" in warning
        assert "without the right to write set upload = false" in warning
