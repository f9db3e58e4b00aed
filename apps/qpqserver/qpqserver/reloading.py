"""What a running server reads again, on SIGHUP and by itself: the edge's certificate, and settings that may change under way.

Nothing here touches a connection that stands. What cannot be read leaves what is in use, and is said once each time.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import structlog
import trio

from qpqcore.config.settings import Settings, registration_of
from qpqcore.net import certificates
from qpqcore.net.certificates import CertificateUnreadable
from trio_quic import ServerTls

if TYPE_CHECKING:
    from pathlib import Path

    from qpqcore.bus.admission import Admission
    from qpqgateway.service import Gateway
    from trio_quic import QuicEndpoint

log = structlog.get_logger()

LOOK_SECONDS = 30.0
"""So often renewed certificates are looked for, by a `stat` of each file; a signal does it at once."""
UNDER_WAY = frozenset(
    {"registration", "auth_token", "allow_insecure_auth", "shed_delay_us", "shed_stay_ms", "retry_from_half_open"}
)
"""Settings that a running server takes; all others wait for its next start."""
SECRET = frozenset({"auth_token"})


class EdgeCertificate:
    """The certificate that clients are shown, and the files it is of."""

    def __init__(self, cert: Path, key: Path) -> None:
        """Read it. CertificateUnreadable."""
        self._paths = (cert, key)
        self._seen: tuple[tuple[int, int], ...] = ()
        self.tls, self._seen = self._read()

    @property
    def pin(self) -> bytes:
        """Return what clients have pinned."""
        return certificates.spki_sha256(self.tls.chain_pem)

    @property
    def ends_s(self) -> float:
        """Return when it ends, in seconds since 1970."""
        return certificates.ends_s(self.tls.chain_pem)

    def _stat(self) -> tuple[tuple[int, int], ...]:
        try:
            return tuple((s.st_mtime_ns, s.st_ino) for s in (path.stat() for path in self._paths))
        except OSError as exc:
            raise CertificateUnreadable(str(exc)) from exc

    def _read(self) -> tuple[ServerTls, tuple[tuple[int, int], ...]]:
        seen = self._stat()
        chain = certificates.chain_pem(self._paths[0])
        return ServerTls(chain_pem=chain, key_pem=certificates.key_pem(self._paths[1])), seen

    def reload(self, endpoint: QuicEndpoint) -> bool:
        """Show new clients what the files have now, if they have changed; tell whether they had. CertificateUnreadable.

        Where only one of the two is new yet they do not fit, which is refused; the next look finds both.
        """
        if self._stat() == self._seen:
            return False
        tls, seen = self._read()
        try:
            endpoint.set_certificate(tls)
        except ValueError as exc:
            raise CertificateUnreadable(f"{self._paths[0]} and {self._paths[1].name}: {exc}") from exc
        before, self.tls, self._seen = self.pin, tls, seen
        if self.pin != before:
            log.error("edge_key_changed", told="clients that have pinned the key before refuse this one")
        return True


class Reloading:
    """The parts of a process that can be told something new."""

    def __init__(
        self, settings: Settings, *, edge: EdgeCertificate | None = None, endpoint: QuicEndpoint | None = None,
        gateway: Gateway | None = None, admissions: tuple[Admission, ...] = (), auth: Any = None,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._edge, self._endpoint, self._gateway = edge, endpoint, gateway
        self._admissions = admissions
        self._auth = auth

    def look(self) -> None:
        """Read the edge's certificate again where it has changed."""
        if self._edge is None or self._endpoint is None:
            return
        try:
            if self._edge.reload(self._endpoint):
                log.info("edge_certificate_reloaded")
        except CertificateUnreadable as exc:
            log.warning("edge_certificate_unreadable", reason=str(exc))

    async def keep_looking(self) -> None:
        """Look, for ever."""
        while True:
            await trio.sleep(LOOK_SECONDS)
            self.look()

    def take(self, settings: Settings) -> None:
        """Take what has changed and may change under way; say what has to wait for the next start."""
        before, self._settings = self._settings, settings
        changed = {f.name for f in fields(Settings) if getattr(before, f.name) != getattr(settings, f.name)}
        for name in sorted(changed):
            value = "" if name in SECRET else getattr(settings, name)
            log.info("setting_taken" if name in UNDER_WAY else "setting_waits_for_restart", setting=name, value=value)
        for admission in self._admissions:
            admission.delay_seconds_max = settings.shed_delay_us / 1_000_000
            admission.stay_seconds = settings.shed_stay_ms / 1_000
        if self._gateway is not None:
            self._gateway.set_registration(registration_of(settings))
        if self._endpoint is not None:
            self._endpoint.engine.set_retry(settings.retry_from_half_open)
        if self._auth is not None:
            self._auth.config = replace(
                self._auth.config, registration=registration_of(settings), registration_token=settings.auth_token
            )
