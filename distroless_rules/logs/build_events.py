"""A build as events for other programs, a line of JSON each, written as they happen.

The names are those of Bazel's Build Event Protocol, so that what reads its ``--build_event_json_file`` reads this too;
numbers of 64 bits are texts, as the JSON mapping of protocol buffers has them. Source: ``build_event_stream.proto``.
Options and environment, among which secrets may be, are not told.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from distroless_rules import __version__
from distroless_rules.execution import events
from distroless_rules.outputs import Result

__all__ = ["BuildEvents"]

_EXITS = {0: "SUCCESS", 1: "BUILD_FAILURE", 2: "COMMAND_LINE_ERROR", 3: "INTERRUPTED"}
_TESTS_FAILED = {"name": "TESTS_FAILED", "code": 3}


class BuildEvents:
    """Writes what happens in a build.

    Args:
        write: takes a line, with its end; called from any thread, one at a time.
        verb: ``build``, ``run`` or ``test``.
        patterns: what is asked for.
        folder: that the user stands in.
    """

    def __init__(self, write: Callable[[str], object], verb: str, patterns: Sequence[str], folder: str) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._begun = time.monotonic()
        self._starts: dict[int, float] = {}
        self._completed: set[str] = set()
        self._configured: list[str] = []
        self._patterns = list(patterns)
        self._counted = False
        pattern = {"pattern": {"pattern": self._patterns}}
        started = {
            "uuid": str(uuid.uuid4()),
            "startTimeMillis": _millis(),
            "buildToolVersion": f"distroless-rules {__version__}",
            "command": verb,
            "workingDirectory": folder,
        }
        self._tell({"started": {}}, [pattern, {"buildMetrics": {}}, {"buildFinished": {}}], started=started)

    def listen(self, event: events.Event) -> None:
        """Tell of an event; called from any thread."""
        if isinstance(event, events.ActionStarted):
            self._starts[id(event.action)] = time.time()
        elif isinstance(event, events.ActionFinished):
            self._action(event)
        elif isinstance(event, events.Counts):
            self._metrics(event)
        elif isinstance(event, events.Configured):
            self._targets(event)

    def _targets(self, event: events.Configured) -> None:
        children = [{"targetConfigured": {"label": label}} for label, _ in event.targets]
        self._tell({"pattern": {"pattern": self._patterns}}, children, expanded={})
        for label, rule in event.targets:
            self._configured.append(label)
            child = {"targetCompleted": {"label": label}}
            self._tell({"targetConfigured": {"label": label}}, [child], configured={"targetKind": f"{rule} rule"})

    def completed(self, result: Result, folder: Path) -> None:
        """Tell that a target was made.

        Args:
            result: what it is.
            folder: the folder of outputs.
        """
        self._completed.add(result.label)
        files = [{"name": path, "uri": (folder / path).absolute().as_uri()} for path in result.paths]
        if result.digest and len(files) == 1:
            files[0] |= {"digest": result.digest.removeprefix("sha256:"), "length": str(result.size)}
        told: dict[str, Any] = {"success": True, "importantOutput": files}
        self._tell({"targetCompleted": {"label": result.label}}, completed=told)

    def tested(self, label: str, run: int, status: str, cached: bool, milliseconds: int, log: Path | None) -> None:
        """Tell how a run of a test ended; the meaning of each is that of ``testing.Tested``."""
        told: dict[str, Any] = {
            "status": "NO_STATUS" if log is None else status,
            "cachedLocally": cached,
            "testAttemptDurationMillis": str(milliseconds),
        }
        if log is not None and label not in self._completed:
            self._completed.add(label)
            self._tell({"targetCompleted": {"label": label}}, completed={"success": True})
        if log is not None:
            told["testActionOutput"] = [{"name": "test.log", "uri": log.absolute().as_uri()}]
        self._tell({"testResult": {"label": label, "run": run, "shard": 1, "attempt": 1}}, testResult=told)

    def finished(self, status: int, cause: str = "", *, tests: bool = False) -> None:
        """Tell that everything is over.

        Args:
            status: with which the program will exit.
            cause: why it is not 0.
            tests: whether everything was built, and a test failed.
        """
        for label in self._configured:
            if label not in self._completed:
                self._tell({"targetCompleted": {"label": label}}, completed={"success": False})
        if cause:
            reason = "USER_INTERRUPTED" if status == 3 else "LOADING_FAILURE" if status == 2 else "INCOMPLETE"
            self._tell({"unknown": {}}, aborted={"reason": reason, "description": cause})
        if not self._counted:  # nothing was looked up
            self._metrics(events.Counts(0, 0, 0, 0, 0, 0, 0))
        told = {
            "overallSuccess": status == 0,
            "exitCode": _TESTS_FAILED if tests and status else {"name": _EXITS.get(status, "UNKNOWN"), "code": status},
            "finishTimeMillis": _millis(),
        }
        self._tell({"buildFinished": {}}, finished=told, lastMessage=True)

    def _action(self, event: events.ActionFinished) -> None:
        action = event.action
        begun = self._starts.pop(id(action), None)
        outputs = [named.artifact.path for named in action.outputs]
        how = {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": event.ending.value}
        told: dict[str, Any] = {
            "success": event.ending is not events.Ending.FAILED,
            "type": action.mnemonic,
            "label": action.owner,
            "strategyDetails": [how],
        }
        if begun is not None:
            told |= {"startTime": _timestamp(begun), "endTime": _timestamp(time.time())}
        self._tell({"actionCompleted": {"primaryOutput": outputs[0], "label": action.owner}}, action=told)

    def _metrics(self, counts: events.Counts) -> None:
        self._counted = True
        hits = counts.same + counts.cached + counts.shared
        runners = {
            "total": counts.total,
            "up to date": counts.same,
            "disk cache hit": counts.cached,
            "remote cache hit": counts.shared,
            "remote": counts.remote,
            "local": counts.ran,
        }
        summary = {
            "actionsCreated": str(counts.total),
            "actionsExecuted": str(counts.ran + counts.remote + counts.failed),
            "runnerCount": [{"name": name, "count": count} for name, count in runners.items() if count],
            "actionCacheStatistics": {"hits": hits, "misses": counts.total - hits - counts.skipped},
        }
        wall = {"wallTimeInMs": str(round((time.monotonic() - self._begun) * 1000))}
        self._tell({"buildMetrics": {}}, buildMetrics={"actionSummary": summary, "timingMetrics": wall})

    def _tell(self, id_: dict[str, Any], children: Sequence[dict[str, Any]] = (), **told: Any) -> None:
        row = {"id": id_, **({"children": list(children)} if children else {}), **told}
        line = json.dumps(row, separators=(",", ":"))
        with self._lock:
            self._write(f"{line}\n")


def _millis() -> str:
    return str(time.time_ns() // 1_000_000)


def _timestamp(seconds: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03}Z"
