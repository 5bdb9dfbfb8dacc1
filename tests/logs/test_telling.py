"""``--profile`` and ``--build_event_json_file``: what other programs are told, however a build ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import Commands

FILES = {
    "BUILD": """
        load("@distroless_rules//rules:defs.bzl", "distroless_image", "files")

        files(name = "app", srcs = {"/app/main": "main"})

        distroless_image(name = "image", contents = [":app"])
        """,
    "main": "program\n",
}
SECRET = "hunter2hunter2"


def events_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def kinds(events: list[dict[str, Any]]) -> list[str]:
    """Give what each event is about, and the label of those about a target; actions once."""
    found = [(next(iter(event["id"])), next(iter(event["id"].values()))) for event in events]
    return list(dict.fromkeys(f"{kind} {about.get('label', '')}".strip() for kind, about in found))


def check_trace(path: Path) -> list[dict[str, Any]]:
    """See that a trace is one (see "Trace Event Format"), and that what a lane shows lies side by side or nested."""
    events: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["traceEvents"]
    lanes: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    named = {event["tid"] for event in events if event["ph"] == "M" and event["name"] == "thread_name"}
    for event in events:
        assert event["ph"] in "MXC"
        assert isinstance(event["name"], str)
        if event["ph"] == "X":
            assert event["ts"] >= 0
            assert event["dur"] >= 0
            assert event["tid"] in named
            lanes[event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
        if event["ph"] == "C":
            assert all(value >= 0 for value in event["args"].values())
    for spans in lanes.values():
        open_: list[int] = []
        for begun, ended in sorted(spans, key=lambda span: (span[0], -span[1])):
            while open_ and open_[-1] <= begun:
                open_.pop()
            assert not open_ or ended <= open_[-1] + 2, "what is neither beside nor within cannot be drawn"
            open_.append(ended)
    return events


def test_a_build_that_is_good(tmp_path: Path) -> None:
    commands = Commands(tmp_path, FILES)
    told, profile = tmp_path / "events", tmp_path / "profile"
    ran = commands.run("build", "//...", f"--build_event_json_file={told}", f"--profile={profile}")
    assert ran.status == 0, ran.err
    events = events_of(told)
    assert kinds(events) == [
        "started",
        "pattern",
        "targetConfigured //:app",
        "targetConfigured //:image",
        "actionCompleted //:image",
        "buildMetrics",
        "targetCompleted //:app",
        "targetCompleted //:image",
        "buildFinished",
    ]
    assert events[-1]["lastMessage"]
    assert events[-1]["finished"]["exitCode"] == {"name": "SUCCESS", "code": 0}
    (metrics,) = (event["buildMetrics"] for event in events if "buildMetrics" in event)
    actions = [event["action"] for event in events if "action" in event]
    assert metrics["actionSummary"]["actionsExecuted"] == str(len(actions))
    assert all(action["success"] and action["startTime"] <= action["endTime"] for action in actions)
    (image,) = (e["completed"] for e in events if e["id"].get("targetCompleted", {}).get("label") == "//:image")
    assert image["importantOutput"][0]["uri"] == (commands.root / "distroless-out/image").as_uri()

    trace = check_trace(profile)
    spans = [event for event in trace if event["ph"] == "X"]
    assert sum(event["cat"] == "action" for event in spans) == len(actions)
    phases = [event["name"] for event in spans if event["cat"] == "phase"]
    every = ["look for changes", "lock", "load and configure", "analyse", "open the caches", "plan", "execute"]
    every.append("put in place")
    assert sorted(phases) == sorted(every)
    assert max(event["args"]["under way"] for event in trace if event["ph"] == "C") >= 1

    again = tmp_path / "again"
    assert commands.run("build", "//...", f"--build-event-json-file={again}", f"--profile={profile}").status == 0
    assert kinds(events_of(again))[-1] == "buildFinished"
    assert [event["name"] for event in check_trace(profile) if event["ph"] == "X"] == ["look for changes"]


@pytest.mark.parametrize(
    ("files", "status", "name", "reason"),
    [
        ({"BUILD": 'fail("not today")\n'}, 2, "COMMAND_LINE_ERROR", "LOADING_FAILURE"),
        (
            {
                "BUILD": 'load("//:r.bzl", "r")\nr(name = "bad")\n',
                "r.bzl": """
                def _r(ctx):
                    out = ctx.actions.declare_file("out")
                    ctx.actions.expand_template(output = out, template = ctx.file.src, substitutions = {})
                    return [DefaultInfo(files = depset([out]))]

                r = rule(implementation = _r, attrs = {"src": attr.label(default = "//:gone.txt")})
                """,
                "gone.txt/x": "",
            },
            2,
            "COMMAND_LINE_ERROR",
            "LOADING_FAILURE",
        ),
    ],
)
def test_a_build_that_fails(tmp_path: Path, files: dict[str, str], status: int, name: str, reason: str) -> None:
    commands = Commands(tmp_path, files)
    told, profile = tmp_path / "events", tmp_path / "profile"
    ran = commands.run("build", "//...", f"--build_event_json_file={told}", f"--profile={profile}")
    events = events_of(told)
    assert (ran.status, events[-1]["finished"]["exitCode"]) == (status, {"name": name, "code": status}), ran.err
    assert not events[-1]["finished"]["overallSuccess"]
    assert [event["aborted"]["reason"] for event in events if "aborted" in event] == [reason]
    check_trace(profile)


def test_a_build_that_is_interrupted(tmp_path: Path) -> None:
    commands = Commands(tmp_path, {"BUILD": "x = [i for j in range(3000) for i in range(100000)]\n"})
    told = tmp_path / "events"
    words = [sys.executable, "-m", "distroless_rules", "build", "--cache-dir", str(commands.cache), "//..."]
    process = subprocess.Popen(
        [*words, f"--build_event_json_file={told}"], cwd=commands.root, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    evaluating = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while not evaluating.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    assert process.wait(120) in (3, -signal.SIGINT), "Python itself ends so if it was making a data class just then"
    events = events_of(told)
    assert events[-1]["finished"]["exitCode"] == {"name": "INTERRUPTED", "code": 3}
    listed = commands.run("log")
    assert " interrupted " in listed.out, listed.out


def test_files_that_cannot_be_written(tmp_path: Path) -> None:
    commands = Commands(tmp_path, FILES)
    ran = commands.run("build", "//...", f"--profile={tmp_path}/none/file")
    assert (ran.status, ran.err) == (
        2,
        f"distroless: cannot write --profile {tmp_path}/none/file: no such file or directory\n",
    )
    ran = commands.run("build", "//:app", "--build_event_json_file=/dev/full")
    assert ran.status == 0
    assert "warning: cannot write --build-event-json-file /dev/full: no space left on device\n" in ran.err
    assert ran.err.count("warning") == 1


def test_nothing_secret_is_told(tmp_path: Path) -> None:
    commands = Commands(tmp_path, FILES)
    helper = tmp_path / "helper"
    helper.write_text(f'#!/bin/sh\necho \'{{"headers": {{"x-secret": ["{SECRET}3"]}}}}\'\n')
    helper.chmod(0o755)
    toml = f'[workspace]\nname = "w"\n\n[cache]\nremote = "http://127.0.0.1:1"\ncredential_helper = "{helper}"\n'
    commands.write({"distroless.toml": toml})
    before = dict(os.environ)
    os.environ["HELPER_KEY"] = f"{SECRET}2"
    try:
        ran = commands.run(
            *("build", "//...", f"--remote-header=authorization=Bearer {SECRET}1", "--remote-upload"),
            *(f"--build_event_json_file={tmp_path}/events", f"--profile={tmp_path}/profile"),
        )
    finally:
        os.environ.clear()
        os.environ.update(before)
    assert ran.status == 0, ran.err
    assert "warning" in ran.err, "the server was asked"
    said = ran.err + commands.run("log", "what-ran", "--all", "--json").out
    (log,) = (commands.cache / "state/logs").rglob("*.zst")
    from distroless_rules.logs.file import unpack

    said += unpack(log, "it").decode() + (tmp_path / "events").read_text() + (tmp_path / "profile").read_text()
    assert not re.search(SECRET, said)
