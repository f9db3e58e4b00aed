"""The aioquic engine rests on names that aioquic does not promise: this fails when a new version drops one."""

from __future__ import annotations

import inspect
from importlib.metadata import version

import pytest
from aioquic import tls
from aioquic.quic.connection import QuicConnection
from aioquic.quic.stream import QuicStreamReceiver, QuicStreamSender

from trio_quic.aio.bounds import PRIVATE_NAMES, PRIVATE_TLS_NAMES


def test_the_version_is_the_one_that_was_read() -> None:
    assert version("aioquic") == "1.7.2"


@pytest.mark.parametrize("name", PRIVATE_NAMES)
def test_connection(name: str) -> None:
    assert hasattr(QuicConnection, name) or f"self.{name}" in inspect.getsource(QuicConnection.__init__)


@pytest.mark.parametrize("name", PRIVATE_TLS_NAMES)
def test_tls(name: str) -> None:
    assert hasattr(tls.Context, name) or f"self.{name}" in inspect.getsource(tls.Context.__init__)


def test_streams() -> None:
    assert hasattr(QuicStreamReceiver(0, True), "_ranges")
    sender = QuicStreamSender(0, True)
    assert hasattr(sender, "_buffer")
    assert hasattr(sender, "_buffer_fin")
