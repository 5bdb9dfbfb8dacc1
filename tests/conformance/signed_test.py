"""Signed results must come back as they were kept, whichever server keeps them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distroless_rules.storage import results, signatures
from distroless_rules.storage.connect import connect
from distroless_rules.storage.endpoint import Identity, parse
from distroless_rules.storage.remote import Remote
from distroless_rules.storage.signatures import Signer, Verifier, statement
from distroless_rules.storage.store import NOBODY, ActionResult, dump_result, load_result
from distroless_rules.storage.trust import Trust
from distroless_rules.values.digest import EMPTY, Digest
from tests.conformance.remote_test import REMOTES, SLOW_TO_START, put
from tests.support.workshop import Workshop, action, out

KEY = signatures.generate("ci-1")
TRUST = Trust([KEY.public])
CHAIN = [
    action("one", outputs=("a", "b/c"), parameters={"outputs": ["a", "b/c"], "text": "1"}),
    action("two", inputs={"1": out("one", "a")}, parameters={"text": "2"}),
]


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.long if name in SLOW_TO_START else ()) for name in REMOTES],
)
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    make: Callable[[Path], AbstractContextManager[str]] = REMOTES[request.param]
    with make(tmp_path_factory.mktemp("engine") / "data") as found:
        yield found


@pytest.fixture
def remote(address: str) -> Iterator[Remote]:
    made = connect(parse(address, Identity()), seconds=30)
    yield made
    made.close()


@pytest.mark.parametrize("milliseconds", [0, 1, 999, 1000, 123_456_789])
def test_a_signed_result_comes_back_signed(remote: Remote, tmp_path: Path, milliseconds: int) -> None:
    blobs = put(remote, tmp_path, b"text of %d" % milliseconds, b"printed")
    result = ActionResult({"z": blobs[0], "a/b ü": EMPTY}, milliseconds, "gzip 1;python 3", blobs[1])
    key = Digest.of(b"%d %s" % (milliseconds, remote.shown.encode()))
    remote.keep(key, results.dump(key, result, Signer(KEY, "sign")))
    message = remote.find(key)
    assert message is not None
    found = results.load(key, message, list(result.outputs), "use it")
    assert TRUST.judged(key, found, results.signatures(message)) == ActionResult(
        result.outputs, milliseconds, "gzip 1;python 3", blobs[1], voucher=str(KEY.public)
    )
    remote.keep(key, results.dump(key, result))
    message = remote.find(key)
    assert message is not None
    assert TRUST.judged(key, found, results.signatures(message)) is None
    assert Trust().judged(key, found, results.signatures(message)) is not None


def test_a_builder_and_one_who_trusts_it(address: str, tmp_path: Path) -> None:
    wanted = (out("two"), out("one", "b/c"))
    ci = Workshop(tmp_path / "ci", remote=address, upload=True, key=KEY, trusted=[KEY.public])
    assert not ci.build(CHAIN, *wanted).errors
    release = Workshop(tmp_path / "release", remote=address, trusted=[KEY.public])
    built = release.build(CHAIN, *wanted)
    assert set(built.endings.values()) == {"shared"}
    assert release.read(built, out("two")) == b"12"
    assert not release.warnings
    other = Workshop(tmp_path / "other", remote=address, trusted=[signatures.generate("other").public])
    assert set(other.build(CHAIN, *wanted).endings.values()) == {"ran"}
    (warning,) = other.warnings
    assert 'cannot use 2 results that others made: 2 are signed by "ci-1"' in warning


digests = st.builds(Digest.of, st.binary(max_size=3))
whole = st.builds(
    ActionResult,
    st.dictionaries(st.text("ab/.", min_size=1, max_size=5), digests, max_size=3),
    st.integers(0, 1 << 40),
    st.text(max_size=5),
    st.none() | digests,
)


@given(digests, whole, digests, whole)
def test_two_results_share_no_statement(key: Digest, one: ActionResult, other_key: Digest, other: ActionResult) -> None:
    assert (statement(key, one) == statement(other_key, other)) == (key == other_key and one == other)


@given(digests, whole)
def test_the_order_of_outputs_does_not_count(key: Digest, result: ActionResult) -> None:
    turned = replace(result, outputs=dict(list(result.outputs.items())[::-1]), voucher="whoever")
    assert statement(key, turned) == statement(key, result)


def test_the_statement_is_what_is_documented() -> None:
    made = ActionResult({"b": Digest.of(b"1"), "a": EMPTY}, 12, "7", None)
    assert statement(EMPTY, made).decode().splitlines() == [
        "9 46 statementthe result of an action of distroless-rules, 1",
        f"6 66 action{EMPTY}",
        "11 1 exit status0",
        f"8 66 output/a{EMPTY}",
        f"8 66 output/b{Digest.of(b'1')}",
        "7 0 printed",
        "12 2 milliseconds12",
        "4 1 code7",
    ]


@given(digests, whole, st.lists(st.text(max_size=120), max_size=4))
def test_any_text_may_stand_for_a_signature(key: Digest, result: ActionResult, values: list[str]) -> None:
    verifier = Verifier([KEY.public])
    signer, cause = verifier.signer(key, result, values)
    assert signer is None
    assert cause.isprintable()
    right = Signer(KEY, "sign").sign(key, result)
    assert verifier.signer(key, result, [*values, right]) == (KEY.public, "")


@given(whole)
def test_who_vouches_is_kept(result: ActionResult) -> None:
    for voucher in ("", NOBODY, str(KEY.public)):
        kept = replace(result, voucher=voucher)
        assert load_result("k", dump_result("k", kept)) == kept
