"""Downloads: chunks asked for ahead, decrypted as they come; after a death, or another day, they go on (docs/spec/content.md#files).

What has come lies beside the target as `NAME.part`: the plaintext's segments in their places, and from where the plaintext
will end the tag that each came with. What is there is checked, never believed: a segment counts if, encrypted anew under the
file's key and its number, it has its tag. From the first that has not, the file is fetched, but for chunks that had come before
their turn: they are written as they come, whole segments each. The hash of the whole is checked at the end all the same. So a torn
write, another file of that name or a change by somebody else costs a transfer, no more; a kill costs the chunk that comes just then.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import hmac
import os
from typing import TYPE_CHECKING, Self

import trio
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from qpqclient.blobs import AAD, CHUNK_BYTES, SEGMENT_BYTES, TAG_BYTES, no_progress, nonce, safe_name, segments_of
from qpqclient.errors import DiskFull, FileBusy, FileDamaged, QpqError
from qpqcore.api.blob import DownloadBlobParams, DownloadBlobResult

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from qpqclient.core import Core
    from qpqclient.model import Progress
    from qpqcore.api.content import ContentFile

AHEAD = 5
"""Chunks of a download asked for at a time: over a long way each takes some round trips."""
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS})
"""Said by file systems that know no second name of a file (FAT)."""
NUMBER_MAX = 1_000
"""Files of one name in a folder."""
PART = ".part"
"""What stands behind the name of a file that is not complete."""
SEALED_BYTES = SEGMENT_BYTES + TAG_BYTES
STRIDE_BYTES = CHUNK_BYTES // SEALED_BYTES * SEALED_BYTES
"""What is asked for at a time: as many whole segments as a chunk has room for, so that each chunk can be kept by itself."""
FILE_BYTES_MAX = 1 << 40
"""A thousand times what any server takes: a longer one is a sender's lie, and no place in a file."""


def part_of(target: Path) -> Path:
    """Return where what has come of a file lies until it is complete."""
    return target.with_name(target.name + PART)


def sealed_bytes(plain_bytes: int) -> int:
    """Return the length of a file's ciphertext: a tag for each segment, and at least one segment."""
    return plain_bytes + TAG_BYTES * segments_of(plain_bytes)


async def download(core: Core, file: ContentFile, to: Path, progress: Progress = no_progress) -> Path:
    """Download and decrypt a file into a folder or to a path; checked against its hash before it has its name. Return where it is.

    What is at that path is replaced. In a folder nothing is, for its name there is the sender's choice: `NAME (1)` is what it is
    called where NAME is another file, and where it is there already it is not fetched again.
    Goes on where an earlier try, or process, stopped. FileBusy, FileDamaged, DiskFull.
    """
    is_folder = to.is_dir()
    target = to / safe_name(file.name) if is_folder else to
    if is_folder and (found := await trio.to_thread.run_sync(_found, target, file)) is not None:
        return found
    path = part_of(target)
    try:
        with Part(path, file) as part:
            await trio.to_thread.run_sync(part.check)
            await _fetch(core, file, part, progress)
            await trio.to_thread.run_sync(part.finish)
            target = _named(path, target) if is_folder else path.replace(target)
    except OSError as exc:
        if exc.errno not in NO_ROOM:
            raise
        path.unlink(missing_ok=True)
        raise DiskFull("this machine's disk is full: make room, then download it again") from exc
    except FileDamaged:
        path.unlink(missing_ok=True)
        raise
    return target


def _names(target: Path) -> Iterator[Path]:
    """Yield the names that a file may have in its folder: its own, then numbered ones."""
    yield target
    for number in range(1, NUMBER_MAX + 1):
        yield target.with_name(f"{target.stem} ({number}){target.suffix}")


def _found(target: Path, file: ContentFile) -> Path | None:
    """Return where the file is in its folder already, whole. Reads those of its length: for a thread."""
    for name in _names(target):
        if not os.path.lexists(name):
            return None
        if name.is_file() and name.stat().st_size == file.total_bytes:
            with name.open("rb") as there:
                if hashlib.file_digest(there, "sha256").digest() == file.sha256:
                    return name
    return None


def _named(part: Path, target: Path) -> Path:
    """Give what is complete the first name that nothing has, and return it. FileBusy, OSError.

    A link, unlike a renaming, never replaces what somebody else has put there meanwhile.
    """
    for name in _names(target):
        try:
            os.link(part, name)
        except FileExistsError:
            continue
        except OSError as exc:
            if exc.errno not in NO_LINKS:
                raise
            if os.path.lexists(name):
                continue
            part.rename(name)
            return name
        part.unlink()
        return name
    raise FileBusy(f"{NUMBER_MAX} files in {target.parent} are called {target.name} and the like: name another place")


class Part:
    """What has come of a file, and what is still to come; one process has it open at a time."""

    def __init__(self, path: Path, file: ContentFile) -> None:
        self._path, self._file = path, file
        if file.total_bytes > FILE_BYTES_MAX:
            raise FileDamaged("no file is as long as its sender said")
        try:
            self._aead = AESGCM(file.key)
        except ValueError as exc:
            raise FileDamaged("the file's key is none") from exc
        self._segments = segments_of(file.total_bytes)
        self._next = 0
        """The first segment that is not there."""
        self._plain = hashlib.sha256()
        self._sealed = b""
        """Of that segment, what has come."""
        self._written: set[int] = set()
        """Of later ones, those that are on disk already: at most what is asked for ahead."""

    def __enter__(self) -> Self:
        """Open it; FileBusy."""
        while True:
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as exc:
                os.close(self._fd)
                raise FileBusy(f"{self._path.name} is being downloaded already") from exc
            if self._is_in_place():
                return self
            os.close(self._fd)  # who had it open has just completed it, or given it up

    def __exit__(self, *exc: object) -> None:
        """Close it; what has come stays."""
        os.close(self._fd)

    def _is_in_place(self) -> bool:
        opened = os.fstat(self._fd)
        try:
            if not os.path.samestat(opened, self._path.stat()):
                return False
        except FileNotFoundError:
            return False
        # Who died in `_named` has left two names: the file is complete, and is not to be written to.
        if opened.st_nlink > 1:
            self._path.unlink()
            return False
        return True

    @property
    def there_bytes(self) -> int:
        """How much of the ciphertext has come."""
        return min(self._next * SEALED_BYTES, sealed_bytes(self._file.total_bytes)) + len(self._sealed)

    def check(self) -> None:
        """Find out what of the file is there. Reads all of it: for a thread."""
        if os.fstat(self._fd).st_size == self._file.total_bytes:
            self._check_whole()
        while self._next < self._segments:
            segment = os.pread(self._fd, self._length(self._next), self._next * SEGMENT_BYTES)
            tag = os.pread(self._fd, TAG_BYTES, self._place_of_tag(self._next))
            sealed = self._aead.encrypt(nonce(self._next, self._segments), segment, AAD)
            if not hmac.compare_digest(sealed[-TAG_BYTES:], tag):
                return
            self._plain.update(segment)
            self._next += 1

    def _check_whole(self) -> None:
        """Find out whether it was complete: who died between cutting the tags off and giving it its name leaves it so."""
        digest = hashlib.sha256()
        for number in range(self._segments):
            digest.update(os.pread(self._fd, self._length(number), number * SEGMENT_BYTES))
        if digest.digest() == self._file.sha256:
            self._next, self._plain = self._segments, digest

    def _length(self, number: int) -> int:
        return min(SEGMENT_BYTES, self._file.total_bytes - number * SEGMENT_BYTES)

    def _place_of_tag(self, number: int) -> int:
        return self._file.total_bytes + number * TAG_BYTES

    def take(self, piece: bytes) -> None:
        """Decrypt and keep the next piece of the ciphertext; FileDamaged, OSError."""
        self._sealed += piece
        while self._next < self._segments and len(self._sealed) >= (of := self._length(self._next) + TAG_BYTES):
            sealed, self._sealed = self._sealed[:of], self._sealed[of:]
            try:
                segment = self._aead.decrypt(nonce(self._next, self._segments), sealed, AAD)
            except InvalidTag as exc:
                raise FileDamaged("the file does not decrypt: it is not what was sent") from exc
            self._plain.update(segment)
            if self._next not in self._written:
                self._write(self._next, segment, sealed[-TAG_BYTES:])
            self._written.discard(self._next)
            self._next += 1

    def keep(self, offset: int, chunk: bytes) -> None:
        """Write what a chunk has of whole segments, before it has its turn; what is no segment is left for `take`. OSError."""
        for number, sealed in self._segments_of(offset, chunk):
            try:
                segment = self._aead.decrypt(nonce(number, self._segments), sealed, AAD)
            except InvalidTag:
                return
            self._write(number, segment, sealed[-TAG_BYTES:])
            self._written.add(number)

    def _write(self, number: int, segment: bytes, tag: bytes) -> None:
        write(self._fd, segment, number * SEGMENT_BYTES)
        write(self._fd, tag, self._place_of_tag(number))

    def kept(self, offset: int, count: int) -> bytes:
        """Return the ciphertext of that many bytes if all its segments are there, else nothing."""
        sealed = b""
        first = offset // SEALED_BYTES
        for number in range(first, min(self._segments, first + -(-count // SEALED_BYTES))):
            segment = os.pread(self._fd, self._length(number), number * SEGMENT_BYTES)
            tag = os.pread(self._fd, TAG_BYTES, self._place_of_tag(number))
            one = self._aead.encrypt(nonce(number, self._segments), segment, AAD)
            if not hmac.compare_digest(one[-TAG_BYTES:], tag):
                return b""
            sealed += one
        return sealed

    def _segments_of(self, offset: int, chunk: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield the number and the ciphertext of each whole segment of a chunk that begins with one."""
        number, rest = divmod(offset, SEALED_BYTES)
        at = 0
        while not rest and number < self._segments and at + (of := self._length(number) + TAG_BYTES) <= len(chunk):
            yield number, chunk[at : at + of]
            number, at = number + 1, at + of

    def finish(self) -> None:
        """Let nothing but the plaintext be in it, on disk; FileDamaged for another than was sent. For a thread."""
        if self._next < self._segments or self._plain.digest() != self._file.sha256:
            raise FileDamaged("the file's hash is not the one that was sent")
        os.ftruncate(self._fd, self._file.total_bytes)
        os.fsync(self._fd)


def write(fd: int, data: bytes, at: int) -> None:
    """Write all of it."""
    done = 0
    while done < len(data):
        done += os.pwrite(fd, data[done:], at + done)


async def _fetch(core: Core, file: ContentFile, part: Part, progress: Progress) -> None:
    """Fetch what is not there yet; FileDamaged when it is not what its sender named, its length included."""
    total = sealed_bytes(file.total_bytes)

    def take(chunk: bytes) -> None:
        part.take(chunk)
        progress(part.there_bytes, total)

    begin = part.there_bytes

    async def fetch(offset: int, count: int) -> bytes:
        # What an earlier process kept before its turn lies no further ahead than it asked.
        if offset < begin + AHEAD * STRIDE_BYTES and (kept := part.kept(offset, count)):
            return kept
        params = DownloadBlobParams(blob=file.blob, secret=file.secret, offset=offset, max_bytes=count)
        chunk = (await core.call(params, DownloadBlobResult)).chunk
        part.keep(offset, chunk)
        return chunk

    offset, stride = begin, STRIDE_BYTES
    while offset < total:
        offset, stride = await Window(fetch, offset, stride, total).run(take)


class Window:
    """Chunks of one length, some asked for ahead, handed on in their order."""

    def __init__(self, fetch: Callable[[int, int], Awaitable[bytes]], offset: int, stride: int, total: int) -> None:
        self._fetch, self._stride, self._total = fetch, stride, total
        self._next, self._asked = offset, offset
        self._came: dict[int, bytes | QpqError | OSError] = {}
        self._arrived = trio.Event()

    async def run(self, take: Callable[[bytes], None]) -> tuple[int, int]:
        """Hand on chunks until all have come, or one has another length; return where to go on, and that length.

        FileDamaged for a file of another length; whatever a call, or `take`, raises.
        """
        problem: Exception | None = None
        async with trio.open_nursery() as nursery:
            try:
                while self._next < self._total and await self._step(nursery, take):
                    pass
            except Exception as exc:  # noqa: BLE001 - raised again below, outside of the nursery's group
                problem = exc
            nursery.cancel_scope.cancel()
        if problem is not None:
            raise problem
        return self._next, self._stride

    async def _step(self, nursery: trio.Nursery, take: Callable[[bytes], None]) -> bool:
        """Ask ahead, and hand on one chunk; tell whether the next ones are thought to be as long."""
        while self._asked < min(self._total, self._next + AHEAD * self._stride):
            nursery.start_soon(self._ask, self._asked)
            self._asked += self._stride
        while self._next not in self._came:
            self._arrived = trio.Event()
            await self._arrived.wait()
        chunk = self._came.pop(self._next)
        if isinstance(chunk, Exception):
            raise chunk
        if not chunk or self._next + len(chunk) > self._total:
            raise FileDamaged("the file is not as long as its sender said")
        take(chunk)
        self._next += len(chunk)
        same, self._stride = len(chunk) == self._stride, len(chunk)
        return same

    async def _ask(self, offset: int) -> None:
        try:
            self._came[offset] = await self._fetch(offset, self._stride)
        except (QpqError, OSError) as exc:
            self._came[offset] = exc
        self._arrived.set()
