"""Secrets of a Kubernetes namespace: one Secret for each folder, qpq-NAME, made and completed, never replaced.

A Job does this with a service account that may do nothing else. Several at once, or one that dies half-way, leave what is
consistent: folders are pushed in one order, whoever comes second is refused by the API, and begins again with what is there.
"""

from __future__ import annotations

import base64
import json
import shutil
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qpqcore.net.certificates import write_secret

if TYPE_CHECKING:
    from collections.abc import Callable

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds what its service account may do."""
FOLDERS = (
    "ca", "postgres", "redis", "migrate", "auth", "keystore", "delivery", "blob", "federation", "gateway",
)  # fmt: skip
PREFIX = "qpq-"
TRIES_MAX = 8
"""Each is lost to somebody else who has got further."""
ANSWER_SECONDS_MAX = 20
PATCH = "application/merge-patch+json"


class ClusterError(Exception):
    """The API cannot be asked, or will not; the text says why."""


class Outrun(Exception):
    """Somebody else has written in between."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A Secret as the API has it."""

    version: str
    data: dict[str, bytes]


class Cluster:
    """The Secrets of one namespace."""

    def __init__(self, url: str, token: str, namespace: str, tls: ssl.SSLContext | None = None) -> None:
        self._url = f"{url}/api/v1/namespaces/{namespace}/secrets"
        self._token = token
        self._tls = tls

    def get(self, folder: str) -> Kept | None:
        """Return a folder's Secret. ClusterError."""
        answer = self._ask("GET", f"/{PREFIX}{folder}", None)
        if answer is None:
            return None
        data = {name: base64.b64decode(value) for name, value in (answer.get("data") or {}).items()}
        return Kept(answer["metadata"]["resourceVersion"], data)

    def put(self, folder: str, files: dict[str, bytes], known: Kept | None) -> None:
        """Write a folder's files over what was `known` of them. Outrun, ClusterError."""
        data = {name: base64.b64encode(value).decode() for name, value in files.items()}
        if known is None:
            meta = {"name": PREFIX + folder, "labels": {"app.kubernetes.io/part-of": "qpq"}}
            body = {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": "Opaque", "data": data}
            self._ask("POST", "", body)
        else:
            self._ask(
                "PATCH", f"/{PREFIX}{folder}", {"metadata": {"resourceVersion": known.version}, "data": data}
            )  # fmt: skip

    def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any] | None:
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Accept": "application/json",
            "Content-Type": PATCH if method == "PATCH" else "application/json",
        }
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, headers, method=method)  # noqa: S310 - of the environment
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS_MAX, context=self._tls) as answer:  # noqa: S310 - as above
                return json.load(answer)  # type: ignore[no-any-return]  # an object, by the API's definition
        except urllib.error.HTTPError as exc:
            if exc.code == HTTPStatus.NOT_FOUND and method == "GET":
                return None
            if exc.code == HTTPStatus.CONFLICT:
                raise Outrun from exc
            raise ClusterError(f"the API answers {exc.code} to {method} {path or 'of a new Secret'}") from exc
        except (OSError, ValueError) as exc:
            raise ClusterError(f"the API cannot be asked: {exc}") from exc


def of_this_pod(environment: dict[str, str], account: Path = ACCOUNT) -> Cluster:
    """Return the namespace of the pod that we run in. ClusterError."""
    try:
        host, port = environment["KUBERNETES_SERVICE_HOST"], environment["KUBERNETES_SERVICE_PORT"]
        token, namespace = ((account / name).read_text(encoding="utf-8").strip() for name in ("token", "namespace"))
        tls = ssl.create_default_context(cafile=str(account / "ca.crt"))
    except (KeyError, OSError) as exc:
        raise ClusterError(f"this is no pod with a service account: {exc}") from exc
    return Cluster(f"https://{f'[{host}]' if ':' in host else host}:{port}", token, namespace, tls)


def complete(cluster: Cluster, root: Path, make: Callable[[Path], object]) -> list[str]:
    """Complete the namespace's Secrets with what `make` finds missing in a folder; return which were written. ClusterError.

    `root` has to be of memory, and this process's own: the CA's key lies in it for a moment.
    """
    for turn in range(TRIES_MAX):
        folder = root / str(turn)
        if folder.exists():  # of a container that died here: what it made and did not push is nobody's
            shutil.rmtree(folder)
        known = {name: cluster.get(name) for name in FOLDERS}
        for name, kept in known.items():
            for file, value in kept.data.items() if kept else ():
                write_secret(folder / name / file, value)
        make(folder)
        try:
            return [name for name in FOLDERS if _push(cluster, folder / name, name, known[name])]
        except Outrun:
            continue
    raise ClusterError(f"somebody else was quicker {TRIES_MAX} times")


def _push(cluster: Cluster, folder: Path, name: str, known: Kept | None) -> bool:
    files = {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}
    had = known.data if known else {}
    changed = {file: value for file, value in files.items() if had.get(file) != value}
    if changed:
        cluster.put(name, changed, known)
    return bool(changed)
