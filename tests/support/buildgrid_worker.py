"""A worker of BuildGrid around ``buildbox-run``: the leases of a bot, performed one at a time by each of some threads.

    python buildgrid_worker.py BUILDGRID CAS BUILDBOX_RUN SLOTS

Run by BuildGrid's own Python, whose stubs it needs. It speaks to the service of bots at host:port ``BUILDGRID`` and
runs ``buildbox-run`` beside the casd at ``CAS``, which brings inputs from BuildGrid and sends outputs there. SIGTERM
ends what runs and says that the bots are gone. Source: ``google/devtools/remoteworkers/v1test2/bots.proto``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import grpc
from buildgrid._protos.build.bazel.remote.execution.v2 import remote_execution_pb2 as execution
from buildgrid._protos.build.bazel.remote.execution.v2 import remote_execution_pb2_grpc as services
from buildgrid._protos.google.devtools.remoteworkers.v1test2 import bots_pb2 as bots
from buildgrid._protos.google.devtools.remoteworkers.v1test2 import bots_pb2_grpc as bot_services
from buildgrid._protos.google.rpc import code_pb2

POLL = 30  # seconds for which the service is asked for work at once; it waits for 0.8 of them
DURING = 4.0  # seconds between two looks at whether a lease was cancelled
KILLED = 137  # the exit code of what buildbox-run has ended
END = threading.Event()


class Slot(threading.Thread):
    """A bot that performs one lease at a time."""

    def __init__(self, number: int, grid: grpc.Channel, cas: str, runner: str) -> None:
        super().__init__(name=f"bot-{number}")
        self._bots = bot_services.BotsStub(grid)
        self._blobs = services.ContentAddressableStorageStub(grid)
        self._cas, self._runner = cas, runner
        worker = bots.google_dot_devtools_dot_remoteworkers_dot_v1test2_dot_worker__pb2.Worker()
        device = worker.devices.add(handle=f"slot-{number}")
        device.properties.add(key="OSFamily", value="linux")
        self._session = bots.BotSession(bot_id=f"bot-{number}", status=bots.OK, worker=worker)

    def run(self) -> None:
        """Work until the end."""
        self._session = self._bots.CreateBotSession(
            bots.CreateBotSessionRequest(bot_session=self._session), timeout=POLL
        )
        while not END.is_set():
            for lease in self._session.leases:
                self._perform(lease)
            self._update(POLL)
        self._session.status = bots.BOT_TERMINATING
        self._update(POLL)

    def _update(self, seconds: float) -> None:
        name = self._session.name
        request = bots.UpdateBotSessionRequest(name=name, bot_session=self._session)
        try:
            self._session = self._bots.UpdateBotSession(request, timeout=seconds)
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
                print(error, file=sys.stderr)
                END.wait(0.2)

    def _perform(self, lease: bots.Lease) -> None:
        if lease.state == bots.CANCELLED:
            return
        lease.state = bots.ACTIVE
        with tempfile.TemporaryDirectory() as folder:
            file, result = Path(folder, "action"), Path(folder, "result")
            action = self._action(lease)
            file.write_bytes(action.SerializeToString())
            command = [self._runner, f"--remote={self._cas}", f"--action={file}", f"--action-result={result}"]
            command += ["--staging-mode=copy-or-link", "--log-level=warning"]
            process = subprocess.Popen(command, start_new_session=True)
            begun = looked = time.monotonic()
            while process.poll() is None:
                END.wait(0.02)
                if END.is_set():
                    os.killpg(process.pid, signal.SIGTERM)
                elif time.monotonic() - looked > DURING:
                    looked = time.monotonic()
                    self._update(1)  # with less than three seconds it is not held back for new work
                    if not any(each.id == lease.id for each in self._session.leases):
                        os.killpg(process.pid, signal.SIGTERM)
                        process.wait()
                        return
            limit = action.timeout.seconds
            late = 0 < limit <= time.monotonic() - begun
            self._complete(lease.id, process.returncode, result, late)

    def _complete(self, name: str, status: int, file: Path, late: bool) -> None:
        """Say how a lease ended; ``late``: not before the time that the action has."""
        for lease in self._session.leases:
            if lease.id != name:
                continue
            lease.state = bots.COMPLETED
            if file.exists():
                result = execution.ActionResult.FromString(file.read_bytes())
                lease.result.Pack(result)
                lease.status.code = code_pb2.DEADLINE_EXCEEDED if late and result.exit_code == KILLED else code_pb2.OK
            else:
                lease.status.code = code_pb2.INTERNAL
                lease.status.message = f"buildbox-run ended with exit status {status}"

    def _action(self, lease: bots.Lease) -> execution.Action:
        action, digest = execution.Action(), execution.Digest()
        if lease.payload.Unpack(action):
            return action
        lease.payload.Unpack(digest)
        answer = self._blobs.BatchReadBlobs(execution.BatchReadBlobsRequest(digests=[digest]), timeout=POLL)
        return execution.Action.FromString(answer.responses[0].data)


def main(grid: str, cas: str, runner: str, slots: str) -> None:
    """Work until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: END.set())
    channel = grpc.insecure_channel(grid)
    threads = [Slot(number, channel, cas, runner) for number in range(int(slots))]
    for thread in threads:
        thread.daemon = True
        thread.start()
    while not END.wait(0.2):
        pass
    for thread in threads:
        thread.join(2)


if __name__ == "__main__":
    main(*sys.argv[1:])
