"""Whose a handler's exceptions are: faults go to the hook, cancellation goes on, both out of one group as well."""

from __future__ import annotations

import pytest
import trio

from trio_quic import ClientTls, QuicConfiguration, ServerTls, serve_quic
from trio_quic.faults import run_handler
from trio_quic.testing import Certificates


async def raising(exc: BaseException) -> None:
    raise exc


async def test_a_handler_that_succeeds() -> None:
    faults: list[Exception] = []
    assert await run_handler(trio.lowlevel.checkpoint(), faults.append)
    assert faults == []


async def test_a_handlers_fault_is_the_hooks() -> None:
    faults: list[Exception] = []
    fault = ValueError("the handler's")
    assert not await run_handler(raising(fault), faults.append)
    assert not await run_handler(raising(ExceptionGroup("nursery", [fault])), faults.append)
    assert faults[0] is fault
    assert isinstance(faults[1], ExceptionGroup)


async def test_what_is_no_fault_goes_on_out_of_a_group_with_one() -> None:
    faults: list[Exception] = []
    both = BaseExceptionGroup("nursery", [ValueError("the handler's"), KeyboardInterrupt()])
    with pytest.raises(BaseExceptionGroup) as gone_on:
        await run_handler(raising(both), faults.append)
    assert [type(e) for e in gone_on.value.exceptions] == [KeyboardInterrupt]
    assert len(faults) == 1


async def test_cancellation_beside_a_fault_ends_the_handler_and_its_caller() -> None:
    faults: list[Exception] = []

    async def handler() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fails_when_cancelled)
            nursery.start_soon(trio.sleep_forever)

    async def fails_when_cancelled() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("at the end")

    with trio.CancelScope() as scope:
        scope.cancel()
        await run_handler(handler(), faults.append)
    assert scope.cancelled_caught
    assert len(faults) == 1


async def test_a_server_without_a_certificate_or_with_both_kinds_of_handlers_is_not_begun(
    certificates: Certificates,
) -> None:
    async def on_stream(stream: object) -> None: ...

    where = {"host": "127.0.0.1", "port": 0}
    client = QuicConfiguration(alpn=(b"x",), client=ClientTls(first_use=True))
    with pytest.raises(ValueError, match="certificate"):
        await serve_quic(None, client, on_stream=on_stream, **where)
    tls = ServerTls(chain_pem=certificates.server.chain_pem, key_pem=certificates.server.key_pem)
    with pytest.raises(ValueError, match="on_call or on_stream"):
        await serve_quic(None, QuicConfiguration(alpn=(b"x",), server=tls), **where)
