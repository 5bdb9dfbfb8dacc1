"""Builds that share a registry: logging in as ``docker login`` has it, whom a password never reaches, what is said."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from distroless_rules.storage.docker_config import Known, known
from distroless_rules.storage.endpoint import Identity, parse
from distroless_rules.storage.registry_login import challenges
from tests.support import engines
from tests.support.certificates import Authority
from tests.support.command import Commands, Ran
from tests.support.web_caches import Handler, Registry, Web, serving
from tests.support.workshop import Workshop, action, out

SECRET = "s3cr3t-p4ssw0rd-of-nobody"
# a user with the password above, as htpasswd -B writes it
HTPASSWD = "ada:$2b$05$abcdefghijklmnopqrstuuGoWsp5hVTELYt1TKAt9oaPCPw541l7."
FILES = {
    "BUILD": """
        load("@distroless_rules//rules:defs.bzl", "write_file")

        write_file(name = "text", out = "text.txt", content = ["one"])
        """
}


@pytest.fixture
def registry() -> Iterator[Registry]:
    with serving(Registry()) as made:
        assert isinstance(made, Registry)
        made.users = {"ada": SECRET}
        yield made


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    (folder / ".docker").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(folder))
    for name in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    return folder


def basic(user: str = "ada", password: str = SECRET) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def write(home: Path, config: object) -> None:
    (home / ".docker/config.json").write_text(json.dumps(config))


def helper(home: Path, monkeypatch: pytest.MonkeyPatch, host: str, user: str = "ada") -> None:
    """Install a program that knows the secret of a host."""
    folder = home / "bin"
    folder.mkdir()
    program = folder / "docker-credential-keys"
    answer = json.dumps({"ServerURL": host, "Username": user, "Secret": SECRET})
    program.write_text(f'#!/bin/sh\nread -r host\n[ "$1 $host" = "get {host}" ] && echo \'{answer}\'\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def build(folder: Path, address: str, *words: str) -> Ran:
    commands = Commands(folder, FILES)
    ran = commands.run("build", "//:text", f"--remote-cache={address}", *words)
    assert "internal error" not in ran.err
    for form in (SECRET, basic()):
        assert form not in ran.out + ran.err
        for file in commands.cache.rglob("*"):
            assert not file.is_file() or form.encode() not in file.read_bytes(), f"{file} holds it"
    return ran


def shared(folder: Path, address: str) -> None:
    """Build twice, and see that the second finds what the first has sent."""
    first = build(folder / "first", address, "--remote-upload", "--remote-required")
    assert first.status == 0, first.err
    second = build(folder / "second", address, "--remote-required")
    assert second.status == 0, second.err
    assert "1 remote hit" in second.err, second.err


WAYS = ("config", "config with a scheme", "helper of the host", "helper of all", "podman", "address", "netrc")


@pytest.mark.parametrize("token", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_each_way_to_be_logged_in(
    registry: Registry, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, token: bool
) -> None:
    registry.token = token
    host, address = f"127.0.0.1:{registry.port}", registry.address
    if way.startswith("config"):
        name = f"http://{host}/v2/" if way.endswith("scheme") else host
        write(home, {"auths": {name: {"auth": basic()}, "other.example": {"auth": basic("eve")}}})
    elif way.startswith("helper"):
        helper(home, monkeypatch, host)
        table = {"credHelpers": {host: "keys"}} if way.endswith("host") else {"credsStore": "keys"}
        write(home, {"auths": {host: {}}, **table})
    elif way == "podman":
        (tmp_path / "auth.json").write_text(json.dumps({"auths": {f"{host}/team": {"auth": basic()}}}))
        monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))
    elif way == "netrc":
        (home / ".netrc").write_text(f"machine 127.0.0.1 login ada password {SECRET}\n")
        (home / ".netrc").chmod(0o600)
    else:
        address = address.replace("//", f"//ada:{SECRET}@")
    shared(tmp_path, address)


@pytest.mark.parametrize("token", [False, True])
def test_who_is_not_known(registry: Registry, tmp_path: Path, token: bool) -> None:
    registry.token = token
    ran = build(tmp_path / "w", registry.address)
    assert ran.status == 0
    (warning,) = [line for line in ran.err.splitlines() if line.startswith("warning:")]
    assert warning == (
        f"warning: cannot look up an action result in {registry.address}: it answers 401 Unauthorized (UNAUTHORIZED); "
        f'log in with "docker login 127.0.0.1:{registry.port}", or see "token_file" in [cache]'
    )


def test_who_may_only_read(registry: Registry, home: Path, tmp_path: Path) -> None:
    registry.token = True
    write(home, {"auths": {f"127.0.0.1:{registry.port}": {"auth": basic()}}})
    assert build(tmp_path / "first", registry.address, "--remote-upload", "--remote-required").status == 0
    registry.writers = set()
    registry.tokens.clear()
    reader = build(tmp_path / "reader", registry.address, "--remote-required")
    assert "1 remote hit" in reader.err, reader.err
    registry.kept.clear()
    ran = build(tmp_path / "writer", registry.address, "--remote-upload")
    assert ran.status == 0
    (warning,) = [line for line in ran.err.splitlines() if line.startswith("warning:")]
    assert "it answers 401 Unauthorized" in warning


def test_a_token_that_expires_is_asked_for_again(registry: Registry, home: Path, tmp_path: Path) -> None:
    registry.token = True
    write(home, {"auths": {f"127.0.0.1:{registry.port}": {"auth": basic()}}})

    def expire(handler: object, truth: bytes | None) -> bool:
        registry.tokens.clear()
        return False

    registry.lie = expire
    shared(tmp_path, registry.address)
    assert len({h["authorization"] for _, _, h in registry.asked if "authorization" in h}) > 2


def test_a_token_of_the_settings_is_sent_as_it_is(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.token = True
    registry.tokens["given-to-us"] = "pull,push"
    monkeypatch.setenv("DISTROLESS_REMOTE_TOKEN", "given-to-us")
    shared(tmp_path, registry.address)
    assert not any(path.startswith("/token") for _, path, _ in registry.asked)


@pytest.mark.parametrize(
    "realm", ["http://127.0.0.1:{port}/token", "ftp://127.0.0.1/", "http://[", "http://u@127.0.0.1/", ""]
)
def test_a_password_reaches_no_other_server(registry: Registry, home: Path, tmp_path: Path, realm: str) -> None:
    write(home, {"auths": {f"127.0.0.1:{registry.port}": {"auth": basic()}}})
    registry.token = True
    with serving(Web()) as other:
        registry.realm = realm.format(port=other.port)
        ran = build(tmp_path / "w", registry.address)
        assert ran.status == 0
        assert ran.err.count("warning:") == 1, ran.err
        assert not any("authorization" in headers for _, _, headers in other.asked)


def test_a_password_is_not_sent_where_others_can_read_it(home: Path) -> None:
    from distroless_rules.storage.registry_login import RegistryLogin

    write(home, {"auths": {"registry.example": {"auth": basic()}}})
    for scheme, sent in (("oci", True), ("oci+http", False)):
        login = RegistryLogin(parse(f"{scheme}://registry.example/team/cache", Identity()), {"HOME": str(home)})
        asked = login.answer('Basic realm="x"', "", False, lambda *_, **__: pytest.fail("no token server is asked"))
        assert asked == sent
        assert dict(login.headers()) == ({"authorization": f"Basic {basic()}"} if sent else {})


CHALLENGES = {
    'Basic realm="x"': [("Basic", {"realm": "x"})],
    "Basic": [("Basic", {})],
    'Bearer realm="https://a/t?x=1,2",service=s , scope="a:b:c,d"': [
        ("Bearer", {"realm": "https://a/t?x=1,2", "service": "s", "scope": "a:b:c,d"})
    ],
    r'Negotiate, Basic realm="a\"b", Bearer REALM="c"': [
        ("Negotiate", {}),
        ("Basic", {"realm": 'a"b'}),
        ("Bearer", {"realm": "c"}),
    ],
    'Bearer realm="never ends': [("Bearer", {})],
    "": [],
    '"': [],
    "=": [],
    "Bearer realm=" + "x" * 20_000: [("Bearer", {"realm": "x" * (8192 - len("Bearer realm="))})],
}


@pytest.mark.parametrize("header", CHALLENGES)
def test_challenges(header: str) -> None:
    assert [each for each in challenges(header) if each[0] in ("Basic", "Bearer", "Negotiate")] == CHALLENGES[header]


CONFIGS = {
    "not JSON": "{",
    "a list": "[]",
    "no auths": '{"auths": 3}',
    "no object": '{"auths": {"r.example": 3}}',
    "no base64": '{"auths": {"r.example": {"auth": "%"}}}',
    "no colon": '{"auths": {"r.example": {"auth": "YWRh"}}}',
    "no text": '{"auths": {"r.example": {"auth": "/w=="}}}',
    "a helper that leads elsewhere": '{"credHelpers": {"r.example": "../../bin/sh"}}',
    "a helper that is not there": '{"credsStore": "nowhere-to-be-found"}',
}


@pytest.mark.parametrize("config", CONFIGS)
def test_a_config_that_cannot_be_read_knows_nobody(home: Path, config: str) -> None:
    (home / ".docker/config.json").write_text(CONFIGS[config])
    assert known("r.example", "a/b", {"HOME": str(home)}) == Known()


def test_the_hub_and_identity_tokens(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, {"auths": {"https://index.docker.io/v1/": {"auth": basic()}, "r.example": {"identitytoken": "t"}}})
    assert known("registry-1.docker.io", "ada/cache", dict(os.environ)) == Known("ada", SECRET)
    assert known("r.example", "ada/cache", dict(os.environ)) == Known(identity="t")
    helper(home, monkeypatch, "s.example", user="<token>")
    write(home, {"credsStore": "keys"})
    assert known("s.example", "ada/cache", dict(os.environ)) == Known(identity=SECRET)


WRONG = {
    "oci://host": "it names no repository; write oci://host/team/cache",
    "oci://host/Team": "a repository's name is of small letters, digits, and . _ - between them, and it has no tag",
    "oci://host/team/cache:latest": "and it has no tag",
    "oci://host/team//cache": "a repository's name is",
    "oci://ada:pw@host/": "it names no repository; write oci://host/team/cache",
    "ocis://host/team": '"ocis" is not a scheme that is known; did you mean "oci"?',
}


@pytest.mark.parametrize("address", WRONG)
def test_a_wrong_address_is_one_error(tmp_path: Path, address: str) -> None:
    ran = build(tmp_path, address)
    assert ran.status == 2
    assert WRONG[address] in ran.err
    assert len(ran.err.splitlines()) == 1


def test_a_web_server_that_is_no_registry(tmp_path: Path) -> None:
    with serving(Web()) as web:
        address = web.address.replace("http://", "oci+http://")
        shop = Workshop(tmp_path / "shop", remote=address)
        assert sorted(shop.build([action("a"), action("b")], out("a"), out("b")).ran) == ["a", "b"]
    (warning,) = shop.warnings
    assert warning.startswith(f"warning: cannot look up an action result in {address}: it is no registry; ")
    assert warning.endswith('see "remote" in [cache]; a plain web server is named as http:// or https://')


def test_a_registry_that_is_busy_at_first_is_one(registry: Registry, tmp_path: Path) -> None:
    refused: list[str] = []

    def once(handler: Handler, _: bytes | None) -> bool:
        if handler.path != "/v2/" or refused:
            return False
        refused.append(handler.path)
        handler.give(b"", 503)
        return True

    registry.users, registry.lie = {}, once
    shop = Workshop(tmp_path / "shop", remote=registry.address)
    assert shop.build([action("a")], out("a")).ran == ["a"]
    assert refused
    assert not shop.warnings


def test_addresses() -> None:
    shown = {
        "oci://r.example/a": ("https://r.example:443", "oci://r.example/a"),
        "oci://r.example:5000/a/b": ("https://r.example:5000", "oci://r.example:5000/a/b"),
        "oci://localhost:5000/a": ("http://localhost:5000", "oci://localhost:5000/a"),
        "oci+http://r.example/a": ("http://r.example:80", "oci+http://r.example/a"),
        "oci+https://localhost/a": ("https://localhost:443", "oci+https://localhost/a"),
    }
    for address, (url, text) in shown.items():
        endpoint = parse(address, Identity())
        assert (f"{endpoint.web}://{endpoint.target}", endpoint.shown) == (url, text)


def test_a_real_registry_with_a_password_and_tls(home: Path, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    (tmp_path / "passwords").write_text(f"{HTPASSWD}\n")
    more = f"auth: {{htpasswd: {{realm: test, path: {tmp_path}/passwords}}}}"
    with engines.docker_registry(tmp_path / "data", more, authority.sign("server")) as address:
        host = address.partition("://")[2].partition("/")[0]
        write(home, {"auths": {host: {"auth": basic()}}})
        settings = {"distroless.toml": f'[workspace]\nname = "w"\n\n[cache]\nca = "{authority.certificate}"\n'}
        for folder, found in (("first", "0 remote hits"), ("second", "1 remote hit")):
            commands = Commands(tmp_path / folder, FILES | settings)
            ran = commands.run("build", "//:text", f"--remote-cache={address}", "--remote-upload", "--remote-required")
            assert ran.status == 0, ran.err
            assert found in ran.err, ran.err
