"""What a listener hears, and in what order."""

from __future__ import annotations

from pathlib import Path

from distroless_rules.execution import events
from tests.support.workshop import Workshop, action, locked, out

DEB = locked("a.deb", b"deb")
ACTIONS = [action("unpack", inputs={"deb": DEB}), action("use", inputs={"in": out("unpack")})]


def _heard(shop: Workshop) -> list[str]:
    log = shop.build(ACTIONS, out("use")).log
    return [f"{type(event).__name__} {_about(event)}".strip() for event in log]


def _about(event: events.Event) -> str:
    if isinstance(event, events.ActionStarted | events.ActionEnded):
        return event.action.owner
    if isinstance(event, events.ActionFinished):
        return f"{event.action.owner} {event.ending.name.lower()}"
    if isinstance(event, events.FetchStarted | events.FetchFinished):
        return event.artifact.path
    if isinstance(event, events.Phase):
        return event.name
    return ""


def test_a_first_build_and_a_second(tmp_path: Path) -> None:
    shop = Workshop(tmp_path, mirror={"a.deb": b"deb"})
    assert _heard(shop) == [
        "Phase plan",
        "BuildStarted",
        "FetchStarted a.deb",
        "FetchFinished a.deb",
        "ActionStarted unpack",
        "ActionEnded unpack",
        "ActionFinished unpack ran",
        "ActionStarted use",
        "ActionEnded use",
        "ActionFinished use ran",
        "Counts",
    ]
    assert _heard(shop) == [
        "Phase plan",
        "BuildStarted",
        "ActionFinished unpack cached",
        "ActionFinished use cached",
        "Counts",
    ]


def test_counts(tmp_path: Path) -> None:
    shop = Workshop(tmp_path, mirror={"a.deb": b"deb"})
    built = shop.build(ACTIONS, out("use"))
    assert built.log[1] == events.BuildStarted(2)
    assert built.log[-1] == built.outcome.counts == events.Counts(2, 0, 2, 0, 0, fetched=1, fetched_bytes=3)
    assert shop.build(ACTIONS, out("use")).outcome.counts == events.Counts(2, 2, 0, 0, 0, 0, 0)


def test_a_download_that_fails_is_finished_too(tmp_path: Path) -> None:
    assert _heard(Workshop(tmp_path)) == [
        "Phase plan",
        "BuildStarted",
        "FetchStarted a.deb",
        "FetchFinished a.deb",
        "ActionFinished unpack failed",
        "Counts",
    ]
