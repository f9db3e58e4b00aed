"""Asking another domain: its refusal is passed on, and what it says counts only if it can be read."""

from __future__ import annotations

import pytest

from qpqcore.api.blob import DownloadBlobParams, DownloadBlobResult
from qpqcore.api.federation import CallPeerResult
from qpqcore.bus.abroad import ask_peer
from qpqcore.model.call import CallContext, Caller, CallerKind
from qpqcore.model.errors import ErrorCode, Refusal

SELF = Caller(CallerKind.SERVICE, name="blob")
CALL = CallContext(deadline_s=7.0, idempotency_key=b"k" * 16, now_ms=5)


class Federation:
    """Answers with what it is told to."""

    def __init__(self, answer):
        self.answer = answer

    async def call_peer(self, call, params):
        self.asked = call, params
        if isinstance(self.answer, Refusal):
            raise self.answer
        return CallPeerResult(result=self.answer)


def ask(federation):
    return ask_peer(federation, SELF, CALL, "b.example", 10, DownloadBlobParams(offset=3), DownloadBlobResult)


async def test_an_answer_is_read_and_the_call_is_the_callers():
    federation = Federation(DownloadBlobResult(chunk=b"x", total_bytes=1).to_bytes())
    assert (await ask(federation)).chunk == b"x"
    call, params = federation.asked
    assert (call.caller, call.deadline_s, call.idempotency_key, call.now_ms) == (SELF, 7.0, b"k" * 16, 5)
    assert (params.domain, params.method, DownloadBlobParams.from_bytes(params.params).offset) == ("b.example", 10, 3)


@pytest.mark.parametrize(("federation", "code"), [
    (None, ErrorCode.UNAVAILABLE), (Federation(b"rubbish"), ErrorCode.UNAVAILABLE),
    (Federation(Refusal(ErrorCode.BLOB_SECRET, "no")), ErrorCode.BLOB_SECRET),
])  # fmt: skip
async def test_what_cannot_be_had_or_read_is_a_refusal(federation, code):
    with pytest.raises(Refusal) as no:
        await ask(federation)
    assert no.value.code is code
