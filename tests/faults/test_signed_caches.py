"""Shared caches that anybody writes to, where results must be signed: what no trusted key has signed never counts."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from distroless_rules.storage import signatures, wire
from distroless_rules.storage.messages import ActionResult, AnyMessage, ExecutedActionMetadata, Property, Timestamp
from distroless_rules.storage.results import signatures as found_in
from distroless_rules.storage.services import GetActionResultRequest
from distroless_rules.storage.signatures import Signer
from distroless_rules.storage.store import ActionResult as Result
from distroless_rules.tools.tool import Tool, Workbench
from distroless_rules.values.digest import Digest
from distroless_rules.values.signing_key import PublicKey, SecretKey
from tests.support.liar import Liar
from tests.support.workshop import Build, Workshop, action, out

CI, EVE, OLD = (signatures.generate(name) for name in ("ci-1", "eve", "ci-0"))
CHAIN = [
    action("one", parameters={"text": "1"}),
    action("two", inputs={"1": out("one")}, parameters={"text": "2"}),
    action("three", inputs={"2": out("two")}, parameters={"text": "3"}),
]
OWNERS = ["one", "two", "three"]
PROPERTY = "type.googleapis.com/build.bazel.remote.execution.v2.Platform.Property"


@pytest.fixture
def server() -> Iterator[Liar]:
    with Liar() as made:
        yield made


@pytest.fixture
def filled(server: Liar, tmp_path: Path) -> Liar:
    assert fill(server, tmp_path / "ci", CI).ran == OWNERS
    return server


def fill(server: Liar, folder: Path, key: SecretKey | None, poison: str = "") -> Build:
    """Have a builder fill the cache with results, whose tool writes more than it should if that is asked for."""

    def poisoned(bench: Workbench) -> None:
        with bench.output("out") as sink:
            for file in bench.inputs.values():
                sink.write(file.path.read_bytes())
            sink.write(f"{bench.parameters['text']}{poison}".encode())

    return Workshop(folder, {"Join": Tool("Join", "1", poisoned)}, remote=server.address, upload=True, key=key).build(
        CHAIN, out("three")
    )


def trusting(folder: Path, server: Liar, *keys: PublicKey, accept: bool = True) -> Workshop:
    return Workshop(folder, remote=server.address, trusted=keys, accept=accept)


def built_here(shop: Workshop, refused: int = 3) -> str:
    """Build, see that nothing of what others made counts and that all is right; give what the only warning says."""
    built = shop.build(CHAIN, out("three"))
    assert built.endings == dict.fromkeys(OWNERS, "ran")
    assert shop.read(built, out("three")) == b"123"
    (warning,) = shop.warnings
    said = re.fullmatch(
        r'warning: cannot use (\d) results? that others made: \1 (is|are) (.*); see "trusted_keys" in \[cache\]',
        warning,
    )
    assert said, warning
    assert int(said[1]) == refused
    return said[3]


def with_signatures(result: ActionResult, *values: str) -> ActionResult:
    """Give a result with these signatures and no others."""
    metadata = result.execution_metadata or ExecutedActionMetadata()
    rest = tuple(each for each in metadata.auxiliary_metadata if each.type_url != PROPERTY)
    named = tuple(AnyMessage(PROPERTY, wire.encode(Property("distroless-rules signature", value))) for value in values)
    return replace(result, execution_metadata=replace(metadata, auxiliary_metadata=rest + named))


def test_what_a_trusted_key_signed_is_used(filled: Liar, tmp_path: Path) -> None:
    for keys in ([CI.public], [EVE.public, CI.public, OLD.public]):
        shop = trusting(tmp_path / str(len(keys)), filled, *keys)
        built = shop.build(CHAIN, out("three"))
        assert built.endings == dict.fromkeys(OWNERS, "shared")
        assert shop.read(built, out("three")) == b"123"
        assert not shop.warnings
        assert shop.build(CHAIN, out("three")).endings == dict.fromkeys(OWNERS, "cached"), "it is kept with its signer"


def test_signed_results_serve_those_who_ask_for_no_signature(filled: Liar, tmp_path: Path) -> None:
    shop = Workshop(tmp_path / "anybody", remote=filled.address)
    assert shop.build(CHAIN, out("three")).endings == dict.fromkeys(OWNERS, "shared")


@pytest.mark.parametrize(("key", "cause"), [(None, "not signed"), (EVE, 'signed by "eve"')])
def test_a_writer_who_is_not_trusted_causes_misses_only(
    server: Liar, tmp_path: Path, key: SecretKey | None, cause: str
) -> None:
    fill(server, tmp_path / "eve", key, "poison")
    assert built_here(trusting(tmp_path / "release", server, CI.public), 1) == cause


def test_nobody_is_trusted_where_the_list_is_empty(filled: Liar, tmp_path: Path) -> None:
    assert built_here(trusting(tmp_path / "release", filled)) == 'signed by "ci-1"'


Lie = Callable[[Liar], None]


def each(change: Callable[[Digest, ActionResult], ActionResult]) -> Lie:
    def lie(server: Liar) -> None:
        server.results = {key: change(key, result) for key, result in server.results.items()}

    return lie


def resigned(change: Callable[[str], str]) -> Lie:
    return each(lambda _, result: with_signatures(result, *(change(value) for value in found_in(result))))


def other_bytes(server: Liar) -> Lie:
    """Name other bytes as what the actions made."""
    digest = Digest.of(b"poison")
    server.blobs[digest] = b"poison"
    return each(lambda _, r: replace(r, output_files=(replace(r.output_files[0], digest=digest),)))


def rotated(server: Liar) -> None:
    """Give each action the signature of another one's result."""
    values = [found_in(result) for result in server.results.values()]
    pairs = zip(server.results.items(), values[1:] + values[:1], strict=True)
    server.results = {key: with_signatures(result, *value) for (key, result), value in pairs}


def swapped(server: Liar) -> None:
    """Give each action another one's signed result, and say that it is its own."""
    keys, results = list(server.results), list(server.results.values())
    server.results = {}
    for key, result in zip(keys, results[1:] + results[:1], strict=True):
        metadata = result.execution_metadata
        assert metadata is not None
        own = wire.encode(GetActionResultRequest(action_digest=key))
        told = tuple(
            AnyMessage(a.type_url, own) if a.type_url.endswith("GetActionResultRequest") else a
            for a in metadata.auxiliary_metadata
        )
        server.results[key] = replace(result, execution_metadata=replace(metadata, auxiliary_metadata=told))


def with_name(name: str) -> Callable[[str], str]:
    return lambda value: f"{name}:{value.partition(':')[2]}"


def with_bytes(change: Callable[[bytes], bytes]) -> Callable[[str], str]:
    def changed(value: str) -> str:
        name, _, rest = value.partition(":")
        return f"{name}:{base64.b64encode(change(base64.b64decode(rest))).decode()}"

    return changed


ORDER = 2**252 + 27742317777372353535851937790883648493  # of the group: RFC 8032, section 5.1


def malleable(data: bytes) -> bytes:
    """Add the group's order to a signature's second half, which lax verifiers do not see."""
    return data[:32] + (int.from_bytes(data[32:], "little") + ORDER).to_bytes(32, "little")


NOT_WHAT = 'not what "ci-1" signed'
LIES: dict[str, tuple[Lie, str]] = {
    "the signatures taken away": (each(lambda _, r: with_signatures(r)), "not signed"),
    "an empty signature": (resigned(lambda _: ""), "signed by a name that none can have"),
    "a name and no signature": (resigned(lambda _: "ci-1"), NOT_WHAT),
    "a signature of no bytes": (resigned(lambda _: "ci-1:"), NOT_WHAT),
    "no base64": (resigned(lambda value: f"{value}!"), NOT_WHAT),
    "base64 with blanks": (resigned(lambda value: f"{value[:20]} {value[20:]}"), NOT_WHAT),
    "a signature cut short": (resigned(with_bytes(lambda data: data[:-1])), NOT_WHAT),
    "a signature too long": (resigned(with_bytes(lambda data: data + b"\0")), NOT_WHAT),
    "a signature of zeros": (resigned(with_bytes(lambda data: bytes(64))), NOT_WHAT),
    "a bit flipped": (resigned(with_bytes(lambda data: bytes([data[0] ^ 1]) + data[1:])), NOT_WHAT),
    "a signature that is written otherwise": (resigned(with_bytes(malleable)), NOT_WHAT),
    "the signature of another key under the trusted name": (
        each(lambda key, r: with_signatures(r, with_name("ci-1")(Signer(EVE, "sign").sign(key, loaded(r))))),
        NOT_WHAT,
    ),
    "a name that a terminal would obey": (
        resigned(with_name("\x1b[31mci-1")),
        "signed by a name that none can have",
    ),
    "the signature of another action's result": (rotated, NOT_WHAT),
    "another action's signed result": (swapped, NOT_WHAT),
    "a right signature behind too many others": (
        each(lambda _, r: with_signatures(r, *[f"x{n}:AAAA" for n in range(signatures.MOST)], *found_in(r))),
        f'signed by "x{signatures.MOST - 1}"',
    ),
    "another time": (
        each(
            lambda _, r: replace(
                r,
                execution_metadata=replace(
                    r.execution_metadata or ExecutedActionMetadata(),
                    execution_completed_timestamp=Timestamp(1 << 20),
                ),
            )
        ),
        NOT_WHAT,
    ),
    "something printed": (each(lambda _, r: replace(r, stdout_digest=r.output_files[0].digest)), NOT_WHAT),
}


def loaded(result: ActionResult) -> Result:
    """Give the result that a message keeps, as its signature would be over it."""
    digest = result.output_files[0].digest
    assert digest is not None
    metadata = result.execution_metadata
    assert metadata is not None
    assert metadata.execution_completed_timestamp is not None
    ended = metadata.execution_completed_timestamp
    spent = ended.seconds * 1000 + ended.nanos // 1_000_000
    return Result({"out": digest}, spent, "1")


@pytest.mark.parametrize("lie", LIES)
def test_no_lie_about_a_signature_is_taken(filled: Liar, tmp_path: Path, lie: str) -> None:
    change, cause = LIES[lie]
    change(filled)
    assert built_here(trusting(tmp_path / "release", filled, CI.public)) == cause


def test_a_signature_is_of_the_bytes_that_were_made(filled: Liar, tmp_path: Path) -> None:
    other_bytes(filled)(filled)
    assert built_here(trusting(tmp_path / "release", filled, CI.public)) == NOT_WHAT


def test_a_right_signature_among_wrong_ones_counts(filled: Liar, tmp_path: Path) -> None:
    each(lambda _, r: with_signatures(r, "eve:AAAA", "ci-1:AAAA", *found_in(r)))(filled)
    shop = trusting(tmp_path / "release", filled, CI.public)
    assert shop.build(CHAIN, out("three")).endings == dict.fromkeys(OWNERS, "shared")
    assert not shop.warnings


def test_a_key_that_is_trusted_no_more_signs_nothing_here_either(server: Liar, tmp_path: Path) -> None:
    fill(server, tmp_path / "old", OLD, "poison")
    shop = trusting(tmp_path / "release", server, OLD.public, CI.public)
    built = shop.build(CHAIN, out("three"))
    assert built.endings == dict.fromkeys(OWNERS, "shared")
    assert shop.read(built, out("three")) == b"1poison2poison3poison", "its holder could do that"
    later = trusting(tmp_path / "release", server, CI.public)
    assert built_here(later, 1) == 'signed by "ci-0"'
    alone = Workshop(tmp_path / "release", trusted=[CI.public])
    assert alone.build(CHAIN, out("three")).endings == dict.fromkeys(OWNERS, "cached"), "what was made here stays"


def test_another_key_of_the_same_name_is_another_key(filled: Liar, tmp_path: Path) -> None:
    shop = trusting(tmp_path / "release", filled, CI.public)
    assert shop.build(CHAIN, out("three")).endings == dict.fromkeys(OWNERS, "shared")
    renewed = signatures.generate("ci-1")
    assert built_here(trusting(tmp_path / "release", filled, renewed.public)) == NOT_WHAT


def test_what_was_kept_before_keys_were_named_does_not_count(server: Liar, tmp_path: Path) -> None:
    fill(server, tmp_path / "eve", None, "poison")
    careless = Workshop(tmp_path / "release", remote=server.address)
    assert careless.read(careless.build(CHAIN, out("three")), out("three")) == b"1poison2poison3poison"
    server.results.clear()
    alone = Workshop(tmp_path / "release", trusted=[CI.public])
    assert built_here(alone, 1) == "kept here from builds that trusted others"


def test_what_others_made_counts_for_nothing_where_that_is_said(server: Liar, tmp_path: Path) -> None:
    fill(server, tmp_path / "eve", None, "poison")
    careless = Workshop(tmp_path / "it", remote=server.address)
    assert careless.build(CHAIN, out("three")).endings == dict.fromkeys(OWNERS, "shared")
    shop = Workshop(tmp_path / "it", remote=server.address, accept=False)
    built = shop.build(CHAIN, out("three"))
    assert built.endings == dict.fromkeys(OWNERS, "ran")
    assert shop.read(built, out("three")) == b"123"
    assert not shop.warnings, "it is what was asked for"
    assert shop.build(CHAIN, out("three")).endings == dict.fromkeys(OWNERS, "cached")


def test_a_trusted_builder_puts_right_what_others_have_written(server: Liar, tmp_path: Path) -> None:
    fill(server, tmp_path / "eve", EVE, "poison")
    ci = Workshop(tmp_path / "ci", remote=server.address, upload=True, key=CI, trusted=[CI.public])
    assert ci.build(CHAIN, out("three")).endings == dict.fromkeys(OWNERS, "ran")
    shop = trusting(tmp_path / "release", server, CI.public)
    built = shop.build(CHAIN, out("three"))
    assert built.endings == dict.fromkeys(OWNERS, "shared")
    assert shop.read(built, out("three")) == b"123"


def test_a_builder_signs_nothing_that_others_made(server: Liar, tmp_path: Path) -> None:
    fill(server, tmp_path / "eve", None, "poison")
    first = list(server.results)[:1]
    server.results = {key: server.results[key] for key in first}
    ci = Workshop(tmp_path / "ci", remote=server.address, upload=True, key=CI)
    assert sorted(ci.build(CHAIN, out("three")).endings.values()) == ["ran", "ran", "shared"]
    assert not found_in(server.results[first[0]])
    shop = trusting(tmp_path / "release", server, CI.public)
    built = shop.build(CHAIN, out("three"))
    assert shop.read(built, out("three")) == b"123", "results of poisoned inputs are of other actions"
    assert built.endings["one"] == "ran"


def test_an_old_result_of_the_same_action_is_one_that_was_signed(server: Liar, tmp_path: Path) -> None:
    fill(server, tmp_path / "ci", CI)
    before = dict(server.results)
    fill(server, tmp_path / "ci again", CI)
    server.results = before
    shop = trusting(tmp_path / "release", server, CI.public)
    built = shop.build(CHAIN, out("three"))
    assert built.endings == dict.fromkeys(OWNERS, "shared")
    assert shop.read(built, out("three")) == b"123"
