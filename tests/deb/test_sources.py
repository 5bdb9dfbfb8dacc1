from __future__ import annotations

from pathlib import Path

import pytest
from pysequoia import ArmorKind, Tsk, armor

from distroless_rules.deb import openpgp
from distroless_rules.deb.sources import SuiteSource, find
from distroless_rules.errors import ConfigError
from distroless_rules.values.archive import Archive

DEBIAN = """
Types: deb deb-src
URIs: http://mirror.example/debian http://other.example/debian/
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

# security
Types: deb
URIs: http://security.example/debian-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""
DOCKER = "deb [arch=amd64 signed-by=/etc/apt/keyrings/docker.asc] https://docker.example/linux/debian bookworm stable\n"
DEBIAN_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class Machine:
    """A machine's folder of apt's configuration."""

    def __init__(self, etc: Path) -> None:
        self.etc = etc
        self.root = etc.parent

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.etc / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def find(self, *suites: str, uris: tuple[str, ...] = (), keyring: str = "", arch: str = "") -> list[SuiteSource]:
        archive = Archive("a", suites, uris=uris, keyring=keyring)
        return find(archive, self.root, arch, self.etc)

    def uris(self, *suites: str, arch: str = "") -> list[tuple[str, ...]]:
        return [source.uris for source in self.find(*suites, arch=arch)]

    def refused(self, *suites: str) -> str:
        with pytest.raises(ConfigError) as caught:
            self.find(*suites)
        return str(caught.value)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "apt")


def test_listed_suites_and_others_of_the_same_distribution(machine: Machine) -> None:
    machine.write("sources.list.d/debian.sources", DEBIAN)
    machine.write("sources.list.d/docker.list", DOCKER)
    main = ("http://mirror.example/debian", "http://other.example/debian/")
    security = ("http://security.example/debian-security",)
    assert machine.uris("bookworm", "bookworm-security") == [main, security]
    assert machine.uris("trixie", "trixie-updates", "trixie-security") == [main, main, security]
    assert {source.keyrings for source in machine.find("trixie", "trixie-security")} == {(DEBIAN_KEYRING,)}


def test_one_line_sources(machine: Machine) -> None:
    machine.write(
        "sources.list",
        "# a comment\n\ndeb http://mirror.example/debian bookworm main contrib # here too\n"
        "deb-src http://source.example/debian bookworm main\n"
        "deb [ trusted=yes signed-by=/k.gpg ] file:/srv/debian sid main\n",
    )
    assert machine.uris("bookworm", "sid") == [("http://mirror.example/debian",), ("file:/srv/debian",)]
    assert machine.find("sid")[0].keyrings == (Path("/k.gpg"),)


def test_disabled_and_source_only_entries_do_not_count(machine: Machine) -> None:
    machine.write("sources.list.d/a.sources", DEBIAN.replace("Types: deb\n", "Types: deb\nEnabled: no\n"))
    machine.write("sources.list.d/b.sources", "Types: deb-src\nURIs: http://s.example/\nSuites: x\nComponents: main\n")
    machine.write("sources.list.d/c.list.disabled", "deb http://off.example/debian x main\n")
    assert machine.uris("trixie-security") == [("http://mirror.example/debian", "http://other.example/debian/")]
    assert "http://s.example/" not in machine.uris("x")[0]


def test_a_third_party_is_not_asked_for_the_distribution(machine: Machine) -> None:
    machine.write("sources.list.d/docker.list", DOCKER)
    machine.write("sources.list.d/flat.list", "deb https://flat.example/repo ./\n")
    assert "no source of apt's on this machine serves it" in machine.refused("trixie")
    machine.write("sources.list.d/vendor.list", "deb https://vendor.example/apt nodistro main\n")
    machine.write("sources.list.d/zz.sources", DEBIAN)
    assert machine.uris("trixie") == [("http://mirror.example/debian", "http://other.example/debian/")]


def test_sources_for_other_architectures_are_left_out_where_there_is_a_choice(machine: Machine) -> None:
    machine.write(
        "sources.list",
        "deb [arch=amd64,i386] http://mirror.example/ubuntu noble main\n"
        "deb [arch=arm64] http://ports.example/ubuntu-ports noble main\n",
    )
    assert machine.uris("noble", arch="amd64") == [("http://mirror.example/ubuntu",)]
    assert machine.uris("noble", arch="arm64") == [("http://ports.example/ubuntu-ports",)]
    assert machine.uris("noble-security", arch="amd64") == [("http://mirror.example/ubuntu",)]


def test_mirror_lists_in_files(machine: Machine) -> None:
    mirrors = machine.write(
        "mirrors.txt",
        "http://late.example/debian\tpriority:2\n# no\nhttp://first.example/debian priority:1\nftp://f.example\n",
    )
    machine.write("sources.list", f"deb mirror+file:{mirrors} bookworm main\n")
    assert machine.uris("bookworm") == [("http://first.example/debian", "http://late.example/debian")]


def test_kinds_of_uris_that_cannot_be_fetched_are_named(machine: Machine) -> None:
    machine.write("sources.list", "deb cdrom:/disc bookworm main\n")
    assert "kinds that are not supported (cdrom:)" in machine.refused("bookworm")


def test_the_message_says_what_to_write(machine: Machine) -> None:
    assert machine.refused("trixie") == (
        "cannot find suite trixie of archive a: this machine has no apt sources; "
        'write uris = ["https://mirror.example/debian"] under [archive.a] in distroless.toml'
    )


def test_malformed_sources_are_named(machine: Machine) -> None:
    machine.write("sources.list", "\ndeb http://mirror.example\n")
    assert 'sources.list": line 2, "deb http://mirror.example", is malformed' in machine.refused("x")
    machine.write("sources.list", "")
    machine.write("sources.list.d/a.sources", "Types: deb\nTypes: deb\n")
    assert 'a.sources": field Types is given twice' in machine.refused("x")


def test_own_uris_come_first_and_the_machines_key_is_used(machine: Machine) -> None:
    machine.write("sources.list.d/debian.sources", DEBIAN)
    [source] = machine.find("trixie", uris=("https://mine.example/debian",))
    assert source.uris == ("https://mine.example/debian",)
    assert source.keyrings == (DEBIAN_KEYRING,)


def test_an_own_keyring_is_below_the_workspace_or_absolute(machine: Machine) -> None:
    own = machine.find("x", uris=("file:/srv",), keyring="keys/own.gpg")[0].keyrings
    assert own == (machine.root / "keys/own.gpg",)
    assert machine.find("x", uris=("file:/srv",), keyring="/k.gpg")[0].keyrings == (Path("/k.gpg"),)


def test_keys_without_signed_by_are_those_that_apt_trusts(machine: Machine) -> None:
    key, other = Tsk.generate(user_id="a"), Tsk.generate(user_id="b")
    machine.write("trusted.gpg", bytes(key.extract_certificate()))
    machine.write("trusted.gpg.d/b.asc", armor(bytes(other.extract_certificate()), ArmorKind.PublicKey))
    machine.write("trusted.gpg.d/readme.txt", "no key")
    machine.write("sources.list", "deb http://mirror.example/debian bookworm main\n")
    [source] = machine.find("bookworm")
    ours = [path for path in source.keyrings if machine.etc in path.parents]
    assert [path.name for path in ours] == ["trusted.gpg", "b.asc"]
    keyring = source.keyring()
    for wanted in (key, other):
        fingerprint = wanted.extract_certificate().fingerprint
        assert openpgp.restrict(keyring, [fingerprint], "k") == bytes(wanted.extract_certificate())


def test_signed_by_a_fingerprint_restricts_the_trusted_keys(machine: Machine) -> None:
    key, other = (Tsk.generate(user_id=name).extract_certificate() for name in "ab")
    machine.write("trusted.gpg", bytes(key) + bytes(other))
    machine.write(
        "sources.list", f"deb [signed-by={other.fingerprint.upper()}] http://m.example/debian bookworm main\n"
    )
    assert machine.find("bookworm")[0].keyring() == bytes(other)


def test_signed_by_a_key_in_the_text(machine: Machine) -> None:
    certificate = Tsk.generate(user_id="a").extract_certificate()
    lines = armor(bytes(certificate), ArmorKind.PublicKey).strip().split("\n")
    folded = "".join(f"\n {line or '.'}" for line in lines)
    text = f"Types: deb\nURIs: http://m.example/debian\nSuites: x\nComponents: main\nSigned-By:{folded}\n"
    machine.write("sources.list.d/a.sources", text)
    assert machine.find("x")[0].keyring() == bytes(certificate)


def test_keyrings_that_cannot_be_read_are_named(machine: Machine) -> None:
    [source] = machine.find("x", uris=("file:/srv",), keyring="none.gpg")
    with pytest.raises(ConfigError, match=r'cannot read keyring ".*none.gpg": No such file or directory'):
        source.keyring()
    machine.write("bad.gpg", b"\xff\xfenot a key")
    [source] = machine.find("x", uris=("file:/srv",), keyring="apt/bad.gpg")
    with pytest.raises(ConfigError, match=r'cannot read keyring ".*bad.gpg": it is not OpenPGP'):
        source.keyring()
    with pytest.raises(ConfigError, match=r"no keyring was found; write keyring = "):
        SuiteSource("x", ("file:/srv",), ()).keyring()
