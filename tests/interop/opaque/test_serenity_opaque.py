"""A live log-in against npm's @serenity-kit/opaque, both ways: their client with our server, our client with theirs."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qpqnative import (
    OpaqueError,
    OpaqueLogin,
    OpaqueRegistration,
    OpaqueServerSetup,
    opaque_login_finish,
    opaque_login_response,
    opaque_registration_record,
    opaque_registration_response,
)

HERE = Path(__file__).resolve().parent
TESTS = 5
STRETCHING = {"argon2id-custom": {"iterations": 2, "memory": 19 * 1024, "parallelism": 1}}
NAME, PASSWORD = "ada@example.org", "correct horse battery staple"


def text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def raw(value: str) -> bytes:
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))


class Peer:
    """A node process that makes one call of the package at a time."""

    def __init__(self, folder: Path) -> None:
        """Starts it with the package installed in ``folder``."""
        self.process = subprocess.Popen(
            ["node", str(HERE / "peer.mjs"), str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def call(self, side: str, name: str, params: dict[str, Any] | str | None) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"side": side, "call": name, "params": params}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        assert "error" not in answer, answer
        return answer["result"]

    def client(self, name: str, **params: Any) -> Any:
        return self.call("client", name, params)

    def server(self, name: str, **params: Any) -> Any:
        return self.call("server", name, params)

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


def installed() -> Path:
    """The folder with the locked package, filled once by ``npm ci``."""
    lock = (HERE / "package-lock.json").read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    folder = cache / "qpq" / f"interop-opaque-{hashlib.sha256(lock).hexdigest()[:16]}"
    if not (folder / "node_modules" / "@serenity-kit" / "opaque" / "package.json").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder / name)
        done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"{TESTS} OPAQUE interoperability tests not run: npm ci failed: {done.stderr[-300:]}")
    return folder


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip(f"{TESTS} OPAQUE interoperability tests not run: no node")
    peer = Peer(installed())
    yield peer
    peer.close()


def their_registration(peer: Peer, setup: OpaqueServerSetup) -> tuple[bytes, bytes]:
    """Their client registers with our server; the record and the client's export key."""
    started = peer.client("startRegistration", password=PASSWORD)
    response = opaque_registration_response(setup, raw(started["registrationRequest"]), NAME.encode())
    done = peer.client(
        "finishRegistration", password=PASSWORD, registrationResponse=text(response), keyStretching=STRETCHING,
        clientRegistrationState=started["clientRegistrationState"],
    )  # fmt: skip
    assert raw(done["serverStaticPublicKey"]) == setup.public_key
    return opaque_registration_record(raw(done["registrationRecord"])), raw(done["exportKey"])


def their_login(peer: Peer, setup: OpaqueServerSetup, record: bytes | None, password: str) -> tuple[Any, bytes]:
    """Their client logs in at our server; its result, None when it failed, and our state."""
    started = peer.client("startLogin", password=password)
    response, state = opaque_login_response(setup, record, raw(started["startLoginRequest"]), NAME.encode())
    done = peer.client(
        "finishLogin", password=password, loginResponse=text(response), keyStretching=STRETCHING,
        clientLoginState=started["clientLoginState"],
    )  # fmt: skip
    return done, state


def test_their_client_with_our_server(peer: Peer) -> None:
    setup = OpaqueServerSetup.new()
    record, export_key = their_registration(peer, setup)
    done, state = their_login(peer, setup, record, PASSWORD)
    assert opaque_login_finish(state, raw(done["finishLoginRequest"])) == raw(done["sessionKey"])
    assert raw(done["exportKey"]) == export_key


def test_their_client_with_a_wrong_password_at_our_server(peer: Peer) -> None:
    setup = OpaqueServerSetup.new()
    record, _ = their_registration(peer, setup)
    done, _ = their_login(peer, setup, record, "wrong")
    assert done is None


def test_their_client_unknown_at_our_server(peer: Peer) -> None:
    done, _ = their_login(peer, OpaqueServerSetup.new(), None, PASSWORD)
    assert done is None


def our_registration(peer: Peer, setup: str) -> tuple[str, bytes]:
    """Our client registers with their server; the record and the client's export key."""
    registration = OpaqueRegistration()
    request = registration.start(PASSWORD.encode())
    answer = peer.server(
        "createRegistrationResponse", serverSetup=setup, userIdentifier=NAME, registrationRequest=text(request)
    )
    upload, export_key, public = registration.finish(PASSWORD.encode(), raw(answer["registrationResponse"]))
    assert text(public) == peer.call("server", "getPublicKey", setup)
    return text(upload), export_key


def test_our_client_with_their_server(peer: Peer) -> None:
    setup = peer.call("server", "createSetup", None)
    record, registered_key = our_registration(peer, setup)
    login = OpaqueLogin()
    request = login.start(PASSWORD.encode())
    answer = peer.server(
        "startLogin", serverSetup=setup, registrationRecord=record, startLoginRequest=text(request), userIdentifier=NAME
    )
    finalization, session_key, export_key, _ = login.finish(PASSWORD.encode(), raw(answer["loginResponse"]))
    done = peer.server(
        "finishLogin", serverLoginState=answer["serverLoginState"], finishLoginRequest=text(finalization)
    )
    assert raw(done["sessionKey"]) == session_key
    assert export_key == registered_key


def test_our_client_with_a_wrong_password_at_their_server(peer: Peer) -> None:
    setup = peer.call("server", "createSetup", None)
    record, _ = our_registration(peer, setup)
    login = OpaqueLogin()
    request = login.start(b"wrong")
    answer = peer.server(
        "startLogin", serverSetup=setup, registrationRecord=record, startLoginRequest=text(request), userIdentifier=NAME
    )
    with pytest.raises(OpaqueError) as refused:
        login.finish(b"wrong", raw(answer["loginResponse"]))
    assert refused.value.kind == "invalid_login"
