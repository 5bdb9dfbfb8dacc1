"""What is sent in the background: all of it has gone when a build ends, however many threads made it."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from distroless_rules.storage.connect import connect
from distroless_rules.storage.disk import DiskStore
from distroless_rules.storage.endpoint import Identity, parse
from distroless_rules.storage.store import ActionResult, copy_in
from distroless_rules.storage.uploads import Uploads
from distroless_rules.values.digest import Digest


def test_results_that_are_made_at_once_are_all_sent(tmp_path: Path) -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for turn in range(40):
            sent_at_once(tmp_path / str(turn))
    finally:
        sys.setswitchinterval(before)


def sent_at_once(folder: Path) -> None:
    (folder / "shared").mkdir(parents=True)
    remote = connect(parse(str(folder / "shared"), Identity()), 30)
    with DiskStore(folder / "local") as local:
        digest = copy_in(local, b"made")
        uploads = Uploads(remote, local, lambda *_: None)
        together = threading.Barrier(8)
        keys = [Digest.of(b"%d" % number) for number in range(8)]

        def make(key: Digest) -> None:
            together.wait()
            uploads.add(key, ActionResult({"out": digest}))

        threads = [threading.Thread(target=make, args=(key,)) for key in keys]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        uploads.finish(lambda: None)
        assert [key for key in keys if remote.find(key) is None] == []
        assert not [thread for thread in threading.enumerate() if thread.name == "cache-upload"]
