"""What an engine remembers, anybody may have put there: where others' results do not count, it has to run commands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from distroless_rules.storage.faults import RemoteError
from distroless_rules.storage.messages import ActionResult
from distroless_rules.storage.signatures import generate
from distroless_rules.storage.store import HERE, NOBODY, copy_in
from distroless_rules.values.digest import Digest
from tests.execution.test_remote import INPUTS, OUT, ROOT_TREE, TOP, Everything, what
from tests.support.commands import made, run, tree
from tests.support.hostile_engine import Engine, serving
from tests.support.workshop import Workshop


@pytest.fixture
def engine() -> Iterator[Engine]:
    with serving() as made_:
        yield made_


@pytest.mark.parametrize("why", ["nothing of others counts", "only signed results count"])
def test_what_an_engine_remembers_does_not_count_where_others_results_do_not(
    engine: Engine, tmp_path: Path, why: str
) -> None:
    keys = [generate("ci-1").public] if why.startswith("only") else None
    shop = Workshop(tmp_path, engine=engine.address, trusted=keys, accept=keys is not None)
    shop.root.mkdir(parents=True)
    engine.remembered = Everything(ActionResult((), (engine.folder(TOP, out=b"poison"),)))
    engine.answer = lambda _: [engine.done(ActionResult((), (engine.folder(TOP, out=b"made"),)))]
    with shop.open() as opened:
        copy_in(opened.store, ROOT_TREE)
        result = opened.executor.execute(what(), INPUTS)
        assert (result.outputs, result.voucher) == ({OUT: Digest.of(b"made")}, HERE)
        assert ("GetActionResult" in engine.calls, engine.executions()) == (False, 1)
        engine.answer = lambda _: [
            engine.done(ActionResult((), (engine.folder(TOP, out=b"poison"),)), cached=True),
        ]
        with pytest.raises(RemoteError, match="it gives a result that it remembers, and was asked to run the action"):
            opened.executor.execute(run("a", "false", tree(ROOT_TREE), (), [made("a")]), INPUTS)


def test_what_an_engine_remembers_is_kept_as_somebody_elses(engine: Engine, tmp_path: Path) -> None:
    engine.remembered = Everything(ActionResult((), (engine.folder(TOP, out=b"poison"),)))
    shop = Workshop(tmp_path, engine=engine.address)
    shop.root.mkdir(parents=True)
    with shop.open() as opened:
        copy_in(opened.store, ROOT_TREE)
        assert opened.executor.execute(what(), INPUTS).voucher == NOBODY
    engine.answer = lambda _: [engine.done(ActionResult((), (engine.folder(TOP, out=b"made"),)))]
    later = Workshop(tmp_path, engine=engine.address, trusted=[generate("ci-1").public])
    with later.open() as opened:
        assert opened.executor.lookup(what(), INPUTS) is None
        assert opened.executor.execute(what(), INPUTS).outputs == {OUT: Digest.of(b"made")}
    with later.open() as opened:
        assert opened.executor.lookup(what(), INPUTS) is not None
