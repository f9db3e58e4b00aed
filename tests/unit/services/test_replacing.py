"""Workers are replaced one after another, each once the one before serves, with a page to ask and without one."""

from __future__ import annotations

import signal
import socket
import sys

import pytest
import trio

from qpqcore.config.settings import Settings
from qpqserver.workers import READY_SECONDS_MAX, Workers, handover_folder
from trio_quic.handover import is_there

WORKER = """
import os, signal, socket, sys

where = os.path.join(sys.argv[1], os.environ["QPQ_WORKER"] + ".sock")
if os.path.exists(where):
    os.unlink(where)
serving = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
serving.bind(where)
signal.pause()
"""
"""What a gateway does, as far as those who replace it can see, where it has no page."""


@pytest.mark.parametrize("given", [{"metrics_enabled": False}, {"metrics_listen": "127.0.0.1:0"}])
async def test_where_there_is_no_page_to_ask_nobody_waits_for_one(tmp_path, given):
    settings = Settings(data_dir=str(tmp_path), workers=2, **given)
    folder = handover_folder(settings)
    folder.mkdir()
    workers = Workers(settings, [sys.executable, "-c", WORKER, str(folder)])
    send, receive = trio.open_memory_channel(1)

    async def until_serving():
        while not all(is_there(folder, number) for number in range(2)):
            await trio.sleep(0.01)

    with trio.fail_after(READY_SECONDS_MAX / 2):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(workers.run, receive)
            await until_serving()
            before = {number: process.pid for number, process in workers._running.items()}
            await workers._replace_each()
            await until_serving()
            assert {before[n] != p.pid for n, p in workers._running.items()} == {True}
            await send.send(signal.SIGTERM)


def test_the_file_of_a_worker_that_is_gone_is_no_worker(tmp_path):
    assert not is_there(tmp_path / "nowhere", 0)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as serving:
        serving.bind(str(tmp_path / "0.sock"))
        assert is_there(tmp_path, 0)
    assert (tmp_path / "0.sock").exists()
    assert not is_there(tmp_path, 0)
