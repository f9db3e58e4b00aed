"""The client's database: SQLCipher, one process, each step one transaction.

It is used from Trio's thread itself: a person's writes are few and small, and a transaction that cannot be
interrupted by a cancellation is worth more here than a free millisecond. The database's key is random and lies
beside it, sealed under Argon2id of the password, so that a new password re-seals 32 bytes.
"""

from __future__ import annotations

import fcntl
import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import qpqnative
from qpqclient.errors import DiskFull, FolderBusy, FolderUnusable, Refused, WrongPassword
from qpqcore.net.certificates import write_secret
from qpqcore.store.connection import STORE_ERRORS, connect, emptied_log, is_disk_full
from qpqcore.store.errors import DatabaseError
from qpqcore.store.migrations import migrate, migrations_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from qpqcore.store.connection import Connection

SALT_BYTES = 16
NONCE_BYTES = 12
KEY_BYTES = 32
ARGON_KIB, ARGON_PASSES, ARGON_LANES = 64 * 1024, 3, 1
AAD = b"qpq client key v1"
DISK_FULL = "this machine's disk is full: make room, then it goes on"
SEALED, SEALED_NEXT = "key", "key.next"
"""Files: the database's key under the password, and under one that is being given."""
GROUP_ENTRIES = (b"s/", b"e/", b"t/")
"""Beginnings of keys: the state, past epochs, the tree (qpqnative's `Group.take_changes`)."""
DATABASE = "client.db"
ERASE = "erase"
"""Stands in `meta` while pages may hold what was deleted: set by the triggers that delete."""
ASIDE = b"aside/"
ASIDE_BYTES = len(ASIDE) + 7
"""Length of a place: the beginning, six digits, a slash."""


def _wrapping_key(password: str, salt: bytes) -> bytes:
    return qpqnative.argon2id(password.encode(), salt, ARGON_KIB, ARGON_PASSES, ARGON_LANES, KEY_BYTES)


def seal_key(folder: Path, key: bytes, password: str, name: str = SEALED) -> None:
    """Write the database's key, sealed under the password; whole or not at all."""
    salt, nonce = secrets.token_bytes(SALT_BYTES), secrets.token_bytes(NONCE_BYTES)
    sealed = salt + nonce + AESGCM(_wrapping_key(password, salt)).encrypt(nonce, key, AAD)
    write_secret(folder / name, sealed)


def open_key(folder: Path, password: str) -> bytes:
    """Return the database's key, made at first use; WrongPassword."""
    if not (folder / SEALED).exists():
        key = secrets.token_bytes(KEY_BYTES)
        seal_key(folder, key, password)
        return key
    for path in (folder / SEALED, folder / SEALED_NEXT):
        with suppress(InvalidTag, FileNotFoundError):
            return _opened_key(path.read_bytes(), password)
    raise WrongPassword("this folder does not open with this password")


def _opened_key(sealed: bytes, password: str) -> bytes:
    salt, nonce, box = sealed[:SALT_BYTES], sealed[SALT_BYTES:][:NONCE_BYTES], sealed[SALT_BYTES + NONCE_BYTES :]
    return AESGCM(_wrapping_key(password, salt)).decrypt(nonce, box, AAD)


@contextmanager
def next_password(folder: Path, key: bytes, password: str) -> Iterator[None]:
    """Give the folder another password if the block succeeds; the old one stays alone if the server refuses.

    Whoever dies in between does not know which of the two the account has: until the next change the folder opens with both.
    """
    seal_key(folder, key, password, SEALED_NEXT)
    try:
        yield
    except Refused:
        (folder / SEALED_NEXT).unlink()
        raise
    (folder / SEALED_NEXT).replace(folder / SEALED)


class _Rows:
    """A connection whose full disk is a typed error; what was open then is undone."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """Run a statement; DiskFull."""
        return self._run(self.connection.execute, sql, values)

    def executemany(self, sql: str, values: Sequence[Sequence[Any]]) -> Any:
        """Run a statement for each row; DiskFull."""
        return self._run(self.connection.executemany, sql, values)

    def _run(self, run: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return run(*arguments)
        except Exception as exc:
            if not is_disk_full(exc):
                raise
            raise DiskFull(DISK_FULL) from exc

    def undo(self) -> None:
        """Undo the open transaction, unless the driver has."""
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


class Store:
    """The open database of one folder."""

    def __init__(self, folder: Path, key: bytes) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder = folder
        self.key = key
        self._lock = (folder / "lock").open("ab")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            self._lock.close()
            raise FolderBusy(
                f"{folder} is in use by another process, an open chat or daemon perhaps: type there, or end it"
            ) from exc
        path = folder / DATABASE
        try:
            connection = connect(path, key)
            migrate(connection, migrations_of("qpqclient"), path)
        except DatabaseError as exc:
            self._lock.close()
            if isinstance(exc.__cause__, Exception) and is_disk_full(exc.__cause__):
                raise DiskFull(DISK_FULL) from exc
            raise FolderUnusable(f"{exc}: nothing in it was changed") from exc
        self.db = _Rows(connection)

    @property
    def is_open(self) -> bool:
        """Tell whether the database has not been closed yet."""
        return not self._lock.closed

    def close(self) -> None:
        """Close the database and leave the folder."""
        self.db.close()
        self._lock.close()

    @contextmanager
    def transaction(self) -> Iterator[_Rows]:
        """One transaction: all of the block, or nothing; DiskFull."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield self.db
            self.db.execute("COMMIT")
        except BaseException:
            self.db.undo()
            raise

    def clear(self) -> None:
        """Delete every row of every table; inside a transaction. The index of words follows the messages by itself."""
        for (table,) in self.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'search%'"):
            self.db.execute(f"DELETE FROM {table}")  # noqa: S608 - the schema's own names
        self.put({ERASE: b"\1"})

    @property
    def erase_due(self) -> bool:
        """Whether something was deleted of which the files may still hold copies."""
        return self.get(ERASE) is not None

    @property
    def size_bytes(self) -> int:
        """How large the database is."""
        pages, page_bytes = (int(self.rows(f"PRAGMA {of}")[0][0]) for of in ("page_count", "page_size"))
        return pages * page_bytes

    def erase(self) -> bool:
        """Leave nothing in the files of what was deleted: all pages are written anew, and the log is emptied.

        `secure_delete` wipes a row where it stands; of rows that were moved while a tree was balanced SQLite leaves copies.
        Copies of the database from before a migration go too: they hold what has vanished since. False if a full disk was in
        the way: it is tried again. Takes some 10 ms per MB, and nothing else runs meanwhile.
        """
        for copy in self.folder.glob(f"{DATABASE}.before-*"):
            copy.unlink()
        try:
            self.db.connection.execute("VACUUM")
        except STORE_ERRORS:
            return False
        if not emptied_log(self.db.connection):
            return False
        self.db.execute("DELETE FROM meta WHERE name = ?", (ERASE,))
        return True

    # --- single values

    def get(self, name: str) -> bytes | None:
        """Return a stored value."""
        row = self.db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def put(self, values: dict[str, bytes]) -> None:
        """Store values."""
        self.db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", list(values.items()))

    def number(self, name: str) -> int:
        """Return a stored number, 0 where there is none."""
        value = self.get(name)
        return int.from_bytes(value, "big") if value else 0

    def put_number(self, name: str, value: int) -> None:
        """Store a number."""
        self.put({name: value.to_bytes(8, "big")})

    def note(self, name: str) -> None:
        """Note, once more, that something is to be done."""
        self.put_number(name, self.number(name) + 1)

    def note_done(self, name: str, noted: int) -> None:
        """Forget that something was to be done, unless it was noted again since it had been `noted` times."""
        if self.number(name) == noted:
            self.put_number(name, 0)

    # --- MLS state

    def write_mls(self, changes: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Apply changes that qpqnative handed over; inside a transaction."""
        for key, value in changes:
            if value is None:
                self.db.execute("DELETE FROM mls WHERE key = ?", (key,))
            else:
                self.db.execute("INSERT OR REPLACE INTO mls VALUES (?, ?)", (key, value))

    def mls(self, prefix: bytes) -> list[tuple[bytes, bytes]]:
        """Return the entries whose key begins with `prefix`."""
        rows = self.db.execute("SELECT key, value FROM mls WHERE key >= ? AND key < ?", (prefix, prefix + b"\xff" * 40))
        return [(k, v) for k, v in rows if k.startswith(prefix)]

    def group_entries(self, gid: bytes, place: bytes = b"") -> tuple[list[tuple[bytes, bytes]], bytes]:
        """Return a group's state entries and its tree, or those set aside at `place`; nothing where there are none."""
        state, past, tree = (
            [(key[len(place) :], value) for key, value in self.mls(place + kind + gid)] for kind in GROUP_ENTRIES
        )
        return [*state, *past], tree[0][1] if tree else b""

    def asides(self, gid: bytes) -> list[bytes]:
        """Return the places where a group's earlier states were set aside, oldest first."""
        kind = GROUP_ENTRIES[0]
        places = {key[:ASIDE_BYTES] for key, _ in self.mls(ASIDE) if key[ASIDE_BYTES:].startswith(kind + gid)}
        return sorted(places)

    def groups_aside(self, begin: bytes) -> set[bytes]:
        """Return the ids, of those that begin so, of which an earlier state was set aside."""
        kind = GROUP_ENTRIES[0]
        rests = (
            key[ASIDE_BYTES:]
            for (key,) in self.rows("SELECT key FROM mls WHERE key >= ? AND key < ?", ASIDE, ASIDE + b"\xff")
        )
        return {rest[len(kind) :] for rest in rests if rest.startswith(kind + begin)}

    def set_group_aside(self, gid: bytes) -> None:
        """Keep a group's entries apart; inside a transaction."""
        self.move_group(gid, b"", self.place_aside(gid))

    def place_aside(self, gid: bytes) -> bytes:
        """Return where another earlier state of a group can be kept."""
        last = max((int(place[len(ASIDE) : -1]) for place in self.asides(gid)), default=0)
        return ASIDE + b"%06d/" % (last + 1)

    def move_group(self, gid: bytes, place: bytes, to: bytes) -> None:
        """Move a group's entries from one place to another; inside a transaction."""
        for kind in GROUP_ENTRIES:
            for key, value in self.mls(place + kind + gid):
                self.write_mls([(to + key[len(place) :], value), (key, None)])

    def forget_group(self, gid: bytes, place: bytes = b"") -> None:
        """Drop a group's entries, or what of it was set aside at `place`; inside a transaction."""
        for kind in GROUP_ENTRIES:
            self.write_mls((key, None) for key, _ in self.mls(place + kind + gid))

    # --- rows

    def rows(self, sql: str, *values: Any) -> list[Any]:
        """Return the rows of a query."""
        return list(self.db.execute(sql, values))
