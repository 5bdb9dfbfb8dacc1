"""What a build tells other programs: a trace (``--profile``) and events (``--build_event_json_file``).

Both are written however the build ends; where a file cannot be written any more that is a warning, as the build is good
without. A build that nobody asked this of pays for none of it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from distroless_rules.cli.common import Flags, note
from distroless_rules.errors import DistrolessError, RequestError

if TYPE_CHECKING:
    from distroless_rules.build import Built
    from distroless_rules.execution import events
    from distroless_rules.logs.build_events import BuildEvents
    from distroless_rules.logs.recorder import Recorder
    from distroless_rules.testing import Tests

__all__ = ["Telling"]


class Telling:
    """Follows a verb that builds, as a context manager around it.

    Args:
        flags: say what is to be told, and where.
        verb: ``build``, ``run`` or ``test``.
        patterns: what is asked for.

    Raises:
        RequestError: if a file cannot be written.
    """

    def __init__(self, flags: Flags, verb: str, patterns: Sequence[str]) -> None:
        self._patterns = patterns
        self._recorder: Recorder | None = None
        self._events: BuildEvents | None = None
        self._profile = _File("--profile", flags.profile) if flags.profile else None
        self._lines = _File("--build-event-json-file", flags.events) if flags.events else None
        self._listener: events.Listener | None = None
        self._tests_failed = False
        if self._profile is not None:
            from distroless_rules.logs.recorder import Recorder

            self._recorder = Recorder(self._pass_on, closely=True)
        if self._lines is not None:
            from distroless_rules.logs.build_events import BuildEvents

            self._events = BuildEvents(self._lines.write, verb, patterns, os.getcwd())

    def listening(self, listener: events.Listener) -> events.Listener:
        """Give a listener that tells what it hears to whoever asked, and to ``listener``."""
        if self._recorder is None and self._events is None:
            return listener
        self._listener = listener
        return self._recorder.listen if self._recorder is not None else self._pass_on

    def _pass_on(self, event: events.Event, /) -> None:
        if self._events is not None:
            self._events.listen(event)
        if self._listener is not None:
            self._listener(event)

    def built(self, built: Built, folder: Path) -> None:
        """Tell what was built.

        Args:
            built: how the build ended.
            folder: the folder of outputs.
        """
        if self._events is not None:
            for result in built.results:
                self._events.completed(result, folder)

    def tested(self, tests: Tests) -> None:
        """Tell how tests ended."""
        self._tests_failed = not tests.passed
        if self._events is not None:
            for each in tests.tested:
                verdict = each.verdict.value
                self._events.tested(each.label, each.run, verdict, each.cached, each.milliseconds, each.log)

    def __enter__(self) -> Telling:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if self._events is not None and self._lines is not None:
            cause = str(error) if isinstance(error, DistrolessError) else ""
            status = error.status if isinstance(error, DistrolessError) else 3 if error else int(self._tests_failed)
            self._events.finished(status, cause, tests=self._tests_failed)
            self._lines.close()
        if self._recorder is not None and self._profile is not None:
            from distroless_rules.logs.trace import trace

            self._profile.write(trace(self._recorder))
            self._profile.close()


class _File:
    """A file that is written to the end, or with one warning not.

    Raises:
        RequestError: if it cannot be opened.
    """

    def __init__(self, option: str, path: str) -> None:
        self._doing = f"write {option} {path}"
        self._file: TextIO | None
        try:
            self._file = open(path, "w", encoding="utf-8", errors="backslashreplace", buffering=1)  # noqa: SIM115
        except OSError as error:
            raise RequestError(self._doing, (error.strerror or str(error)).lower()) from error

    def write(self, text: str) -> None:
        """Write a text."""
        if self._file is None:
            return
        try:
            self._file.write(text)
        except OSError as error:
            self._give_up(error)

    def close(self) -> None:
        """Write what is not written yet."""
        if self._file is not None:
            try:
                self._file.close()
            except OSError as error:
                self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        file, self._file = self._file, None
        with suppress(OSError):
            if file is not None:
                file.close()
        note(f"warning: cannot {self._doing}: {(error.strerror or str(error)).lower()}")
