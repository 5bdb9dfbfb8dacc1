"""Answers: JSON by orjson, which is compiled, signed by itsdangerous, which is not."""

import platform
from pathlib import Path

import orjson
from itsdangerous import Signer

GREETING = Path(__file__).with_name("greeting.txt").read_text().strip()


def answer(path):
    """Give the body of the answer to a request for `path`."""
    signed = Signer("example").sign(path).decode()
    return orjson.dumps(
        {"hello": GREETING, "path": path, "signed": signed, "python": platform.python_version()},
        option=orjson.OPT_APPEND_NEWLINE,
    )
