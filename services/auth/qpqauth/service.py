"""Auth's use cases: one method per call of the contract."""

from __future__ import annotations

import hmac
import secrets
from typing import TYPE_CHECKING

import structlog
import trio

import qpqnative
from qpqauth import rules
from qpqauth.jobs import DELETION, Jobs
from qpqauth.login_state import LoginRecord, LoginState, fake_record, login_record, seal, unseal
from qpqauth.store import Account, AccountState, Held, Session, UsedState
from qpqcore.api import auth as api
from qpqcore.bus.background import repeat
from qpqcore.bus.limits import enforce_all
from qpqcore.bus.notices import REVOKED, REVOKED_ACCOUNT, REVOKED_DEVICE, REVOKED_SESSION, revocation
from qpqcore.crypto.assertion import read_claims
from qpqcore.crypto.identity import DeviceList
from qpqcore.crypto.names import normalise_name
from qpqcore.crypto.signatures import verify
from qpqcore.model.call import Caller, CallerKind
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.ids import AccountId, DeviceId, make_id
from qpqcore.store.keyed import Keyed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from qpqauth.config import Config
    from qpqauth.store import ListChange, Store
    from qpqcore.api.blob import BlobInternalApi
    from qpqcore.api.delivery import DeliveryInternalApi
    from qpqcore.api.keystore import KeystoreInternalApi
    from qpqcore.bus.limits import Limiter, Rate, Taking
    from qpqcore.bus.notices import Notices
    from qpqcore.crypto.assertion import AssertionIssuer
    from qpqcore.model.call import CallContext
    from qpqcore.obs.metrics import Reading

log = structlog.get_logger()

TOKEN_BYTES = 32
REGISTER_FINISH = next(m.number for m in api.METHODS if m.name == "registerFinish")


class Auth:
    """Implements `qpqcore.api.auth.AuthApi` and `AuthInternalApi`."""

    def __init__(
        self, config: Config, store: Store, *, setups: Mapping[int, bytes], state_key: bytes,
        issuer: AssertionIssuer, keystore: KeystoreInternalApi, delivery: DeliveryInternalApi,
        blob: BlobInternalApi, notices: Notices, limiter: Limiter, clock_ms: Callable[[], int],
    ) -> None:  # fmt: skip
        self.config = config
        self._store = self.store = store
        self._setups = {n: qpqnative.OpaqueServerSetup.from_bytes(b) for n, b in setups.items()}
        self._setup_bytes = dict(setups)
        self._newest = max(setups)
        self._state_key = state_key
        self._issuer = issuer
        self._notices = notices
        self._limiter = limiter
        self._clock_ms = clock_ms
        self._jobs = self.jobs = Jobs(
            store, keystore=keystore, delivery=delivery, blob=blob, clock_ms=clock_ms,
            disguise=lambda name: self._disguise(self._newest, name),
        )  # fmt: skip
        self._nobody = fake_record(setups[self._newest])
        self._log_ins = dict.fromkeys(("ok", "wrong", "other"), 0)
        self._sessions = 0

    async def weigh(self) -> None:
        """Count the sessions, for `readings`."""
        self._sessions = await self._store.session_count()

    def readings(self) -> list[Reading]:
        """Return log-ins and sessions, as `qpqcore.obs.metrics` reads them."""
        return [
            ("qpq_log_ins_total", "Log-ins that came to their end.", "outcome", self._log_ins),
            ("qpq_sessions", "Sessions there are.", "", {"": self._sessions}),
        ]

    async def run(self) -> None:
        """Finish jobs that a crash left, or another service's absence, and collect what is over, for ever."""

        async def sweep() -> None:
            await self._store.sweep(self._clock_ms(), self.config.session_ms, self.config.name_held_ms)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(repeat, "auth", self.config.jobs_seconds, lambda: self._jobs.run(None))
            nursery.start_soon(repeat, "auth", self.config.sweep_seconds, sweep)

    # --- registration and log-in

    async def register_start(self, call: CallContext, params: api.RegisterStartParams) -> api.RegisterStartResult:
        name = normalise_name(params.name)
        if call.caller.kind is not CallerKind.ACCOUNT:
            await enforce_all(
                self._limiter, self._by_address(call, b"r", self.config.register_per_address), call.now_ms
            )
            entry = await self.store.entry(rules.sha256(params.token.encode()), call.now_ms)
            rules.check_entry(self.config, entry, params.token)
        try:
            response = qpqnative.opaque_registration_response(
                self._setups[self._newest], params.request, self._credential_id(self._newest, name)
            )
        except qpqnative.OpaqueError as exc:
            raise Refusal(ErrorCode.MALFORMED, "not an OPAQUE registration request") from exc
        return api.RegisterStartResult(response=response)

    async def register_finish(self, call: CallContext, params: api.RegisterFinishParams) -> api.RegisterFinishResult:
        name = normalise_name(params.name)
        rules.check_registration(self.config, params, name)
        try:
            record = qpqnative.opaque_registration_record(params.upload)
        except qpqnative.OpaqueError as exc:
            raise Refusal(ErrorCode.MALFORMED, "not an OPAQUE registration record") from exc
        fresh = Account(
            params.account, name, self._newest, self._credential_id(self._newest, name), record, params.identity_key,
            params.wraps, params.wrap_version, b"", AccountState.ACTIVE, call.now_ms,
        )  # fmt: skip
        caller = call.caller.account or rules.sha256(params.account)
        keyed = Keyed(caller, REGISTER_FINISH, call.idempotency_key, params.to_bytes(), call.now_ms)
        if call.caller.kind is CallerKind.ACCOUNT:
            return await self._change_password(call, fresh, keyed)
        # Whether the invitation holds is decided where it is used up: a repeated call finds it used, by itself.
        token_hash = rules.sha256(params.token.encode())
        entry = await self.store.entry(token_hash, call.now_ms)
        invite = token_hash if rules.needs_invite(self.config, entry, params.token) else b""
        if params.wrap_version != 1:
            raise Refusal(ErrorCode.VERSION_CONFLICT, "a new account begins with wrap version 1")
        reply = api.RegisterFinishResult(account=params.account, wrap_version=1)
        held = Held(
            tuple(self._disguise(number, name) for number in self._setups), call.now_ms - self.config.name_held_ms
        )
        done = await self._store.create_account(
            fresh, [("put_account", b"")], held, keyed, reply.to_bytes(), invite=invite
        )
        await self._jobs.run(params.account)
        log.info("account_registered")
        return api.RegisterFinishResult.from_bytes(done)

    async def _change_password(self, call: CallContext, fresh: Account, keyed: Keyed) -> api.RegisterFinishResult:
        stored = await self._live_account(call)
        if (stored.account, stored.name, stored.identity_key) != (fresh.account, fresh.name, fresh.identity_key):
            raise Refusal(ErrorCode.FORBIDDEN, "a session changes the password of its own account only")

        def reply(ended: int) -> bytes:
            return api.RegisterFinishResult(
                account=fresh.account, wrap_version=fresh.wrap_version, sessions_ended=ended
            ).to_bytes()

        done, ended = await self._store.change_password(fresh, call.caller.session, keyed, reply)
        self._revoke_sessions(ended)
        log.info("password_changed", sessions_ended=len(ended))
        return api.RegisterFinishResult.from_bytes(done)

    async def login_start(self, call: CallContext, params: api.LoginStartParams) -> api.LoginStartResult:
        name = normalise_name(params.name)
        takings = self._by_address(call, b"a", self.config.login_per_address)
        takings.append((b"n" + name.encode(), self.config.login_per_name))
        await enforce_all(self._limiter, takings, call.now_ms)
        # One way for known and unknown: both answers' ingredients are made, and one is taken (RFC 9807 §6.3.2.2).
        stranger = self._stranger(name)
        stored, known = await self._store.account_for_login(name, stranger.credential_id)
        owner = stranger if stored is None else login_record(stored)
        record = (stranger, owner)[known]
        try:
            response, opaque = qpqnative.opaque_login_response(
                self._setups[record.setup], record.record, params.request, record.credential_id
            )
        except qpqnative.OpaqueError as exc:
            raise Refusal(ErrorCode.MALFORMED, "not an OPAQUE log-in request") from exc
        state = LoginState(record.account, known, opaque, call.now_ms + self.config.login_state_ms)
        return api.LoginStartResult(response=response, state=seal(self._state_key, state))

    async def login_finish(self, call: CallContext, params: api.LoginFinishParams) -> api.LoginFinishResult:
        outcome = "other"
        try:
            result = await self._login_finish(call, params)
            outcome = "ok"
        except Refusal as no:
            outcome = "wrong" if no.code is ErrorCode.LOGIN_FAILED else "other"
            raise
        finally:
            self._log_ins[outcome] += 1
        return result

    async def _login_finish(self, call: CallContext, params: api.LoginFinishParams) -> api.LoginFinishResult:
        state = unseal(self._state_key, params.state, call.now_ms)
        used = UsedState(rules.sha256(params.state), state.expires_ms)
        if not self._proven(state, params.finalization):
            await self._store.use_login_state(used)
            raise Refusal(ErrorCode.LOGIN_FAILED, "wrong name or password")

        def decide(stored: Account | None) -> Account:
            if not state.known or stored is None or stored.state is AccountState.DELETING:
                raise Refusal(ErrorCode.LOGIN_FAILED, "wrong name or password")
            if stored.state is AccountState.SUSPENDED:
                raise Refusal(ErrorCode.ACCOUNT_SUSPENDED, "the operator has suspended this account")
            if params.device:
                self._check_device(
                    stored, params.device, params.device_signature, rules.LOGIN_LABEL, call.challenge, used.state_hash
                )
            return stored

        token = secrets.token_bytes(TOKEN_BYTES)
        session = Session(rules.sha256(token), state.account, params.device, call.now_ms)
        stored, ended = await self._store.begin_session(session, used, self.config.sessions_max, decide)
        self._revoke_sessions(ended)
        self._assert(call, session)
        return api.LoginFinishResult(
            account=stored.account, session=token, expires_ms=call.now_ms + self.config.session_ms,
            identity_key=stored.identity_key, wraps=stored.wraps, wrap_version=stored.wrap_version,
            device_list=stored.device_list,
        )  # fmt: skip

    async def resume(self, call: CallContext, params: api.ResumeParams) -> api.ResumeResult:
        token_hash = rules.sha256(params.session)
        session, stored = await self._touch(token_hash, call.now_ms)
        if not session.device or session.device != params.device:
            raise Refusal(ErrorCode.UNAUTHENTICATED, "the session is not this device's: log in")
        self._check_device(stored, params.device, params.signature, rules.RESUME_LABEL, call.challenge, token_hash)
        self._assert(call, session)
        version = DeviceList.from_bytes(stored.device_list).version if stored.device_list else 0
        return api.ResumeResult(
            account=stored.account, expires_ms=call.now_ms + self.config.session_ms, device_list_version=version
        )

    async def logout(self, call: CallContext, params: api.LogoutParams) -> api.LogoutResult:
        only = None if params.everywhere else call.caller.session
        ended = await self._store.end_sessions(call.caller.account, only)
        self._revoke_sessions(ended)
        call.outcome.assertion = b""
        return api.LogoutResult(sessions_ended=len(ended))

    # --- devices and the account

    async def register_device(self, call: CallContext, params: api.RegisterDeviceParams) -> api.RegisterDeviceResult:
        if len(params.label) > self.config.label_bytes_max:
            raise Refusal(ErrorCode.TOO_LARGE, f"a label has at most {self.config.label_bytes_max} bytes")
        await self._touch(call.caller.session, call.now_ms)
        if params.session_hash:
            return await self._link_device(call, params)
        change = await self._advance(call, params.device_list, register=params.device, label=params.label)
        self._assert(call, Session(call.caller.session, call.caller.account, params.device, call.now_ms))
        return api.RegisterDeviceResult(version=change.fresh.version)

    async def _link_device(self, call: CallContext, params: api.RegisterDeviceParams) -> api.RegisterDeviceResult:
        """Add a device by another one's session, and begin a session of its own, whose token only that device has."""
        if len(params.session_hash) != rules.HASH_BYTES:
            raise Refusal(ErrorCode.MALFORMED, f"a session's hash has {rules.HASH_BYTES} bytes")
        session = Session(params.session_hash, call.caller.account, params.device, call.now_ms)
        change = await self._advance(
            call, params.device_list, register=params.device, label=params.label, session=session.token_hash
        )
        self._revoke_sessions(await self._store.add_session(session, self.config.sessions_max))
        return api.RegisterDeviceResult(version=change.fresh.version)

    async def list_devices(self, call: CallContext, params: api.ListDevicesParams) -> api.ListDevicesResult:
        del params
        stored = await self._live_account(call)
        rows = await self._store.devices(stored.account)
        return api.ListDevicesResult(
            devices=tuple(
                api.DeviceInfo(
                    device=r.device, label=r.label, registered_ms=r.registered_ms, last_seen_ms=r.last_seen_ms,
                    current=r.device == call.caller.device,
                )
                for r in rows
            ),
            device_list=stored.device_list,
        )  # fmt: skip

    async def revoke_device(self, call: CallContext, params: api.RevokeDeviceParams) -> api.RevokeDeviceResult:
        await self._live_account(call)
        change = await self._advance(call, params.device_list, register=b"", label=b"")
        return api.RevokeDeviceResult(version=change.fresh.version, revoked=change.removed)

    async def _advance(
        self, call: CallContext, offered: bytes, *, register: bytes, label: bytes, session: bytes = b""
    ) -> ListChange:
        account = call.caller.account

        def decide(stored: Account) -> DeviceList:
            if offered and offered == stored.device_list:
                return DeviceList.from_bytes(offered)
            return rules.next_list(self.config, account, stored.identity_key, stored.device_list, offered)

        change = await self._store.advance_list(
            account,
            offered,
            decide,
            register=register,
            label=label,
            session=session or call.caller.session,
            now_ms=call.now_ms,
        )
        for device in change.removed:
            self._revoke(REVOKED_DEVICE, device)
        self._revoke_sessions(change.sessions_ended)
        await self._jobs.run(account)
        return change

    async def delete_account(self, call: CallContext, params: api.DeleteAccountParams) -> api.DeleteAccountResult:
        stored = await self._live_account(call)
        genuine = verify(stored.identity_key, params.signature, rules.DELETE_LABEL, stored.account, call.challenge)
        if params.account != stored.account or not genuine:
            raise Refusal(ErrorCode.SIGNATURE_INVALID, "not signed by the account's identity key")
        await self._store.begin_deletion(stored.account, call.now_ms, DELETION)
        self._revoke(REVOKED_ACCOUNT, stored.account)
        call.outcome.assertion = b""
        await self._jobs.run(stored.account)
        log.info("account_deleted")
        return api.DeleteAccountResult()

    # --- for other services

    async def renew_assertion(self, call: CallContext, params: api.RenewAssertionParams) -> api.RenewAssertionResult:
        claims = read_claims(params.assertion)
        session, _ = await self._touch(claims.caller.session, call.now_ms)
        self._assert(call, session)
        return api.RenewAssertionResult()

    async def current_device_list(
        self, call: CallContext, params: api.CurrentDeviceListParams
    ) -> api.CurrentDeviceListResult:
        del call
        stored = await self._store.account(params.account)
        return api.CurrentDeviceListResult(device_list=stored.device_list if stored else b"")

    # --- steps

    def _credential_id(self, number: int, name: str) -> bytes:
        return hmac.digest(rules.sha256(b"qpq credential id" + self._setup_bytes[number]), name.encode(), "sha256")

    def _stranger(self, name: str) -> LoginRecord:
        """Return what a log-in of an unknown name is answered from."""
        account = make_id(secrets.token_bytes(16), self.config.domain)
        return LoginRecord(account, self._newest, self._credential_id(self._newest, name), self._nobody)

    def _disguise(self, number: int, name: str) -> str:
        """Return what stands for a held name whose account is gone: no name looks so, and none can be read from it."""
        key = rules.sha256(b"qpq held name" + self._setup_bytes[number])
        return "@" + hmac.digest(key, name.encode(), "sha256").hex()

    @staticmethod
    def _by_address(call: CallContext, prefix: bytes, rate: Rate) -> list[Taking]:
        return [(prefix + call.address.encode(), rate)] if call.address else []

    def _assert(self, call: CallContext, session: Session) -> None:
        caller = Caller(CallerKind.ACCOUNT, AccountId(session.account), DeviceId(session.device), session.token_hash)
        call.outcome.assertion = self._issuer.issue(caller, call.now_ms)

    async def _touch(self, token_hash: bytes, now_ms: int) -> tuple[Session, Account]:
        found = await self._store.touch_session(token_hash, now_ms, now_ms - self.config.session_ms)
        if found is None:
            raise Refusal(ErrorCode.UNAUTHENTICATED, "the session is over: log in again")
        return found

    async def _live_account(self, call: CallContext) -> Account:
        """Return the caller's account, its session checked in the store: these calls are rare and weighty."""
        _, stored = await self._touch(call.caller.session, call.now_ms)
        return stored

    @staticmethod
    def _proven(state: LoginState, finalization: bytes) -> bool:
        try:
            qpqnative.opaque_login_finish(state.opaque, finalization)
        except qpqnative.OpaqueError:
            return False
        return True

    @staticmethod
    def _check_device(
        stored: Account, device: bytes, signature: bytes, label: str, challenge: bytes, hashed: bytes
    ) -> None:
        listed = DeviceList.from_bytes(stored.device_list) if stored.device_list else None
        key = listed.key_of(device) if listed else None
        if key is None:
            raise Refusal(
                ErrorCode.DEVICE_UNKNOWN, "this device was revoked: log in from an empty folder, or link it there"
            )
        if not challenge or not verify(key, signature, label, challenge, hashed, device):
            raise Refusal(ErrorCode.SIGNATURE_INVALID, "not signed by the device's key")

    def _revoke_sessions(self, ended: Iterable[bytes]) -> None:
        for token_hash in ended:
            self._revoke(REVOKED_SESSION, token_hash)

    def _revoke(self, kind: int, ident: bytes) -> None:
        self._notices.publish(REVOKED, revocation(kind, ident, self._clock_ms()))
