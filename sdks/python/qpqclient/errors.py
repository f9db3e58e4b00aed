"""What can go wrong, for the SDK's users: each error has a name, a sentence and the exit code of the error table."""

from __future__ import annotations

from qpqcore.model.errors import EXIT_CODES, RETRYABLE, ErrorCode, Refusal

NO_SESSION = frozenset({ErrorCode.UNAUTHENTICATED, ErrorCode.DEVICE_UNKNOWN})
"""Answers that say nothing of what was asked: the session is over."""
UNDECIDED = RETRYABLE | NO_SESSION
"""Answers after which the call has to be repeated: an earlier try, whose answer was lost, may have been taken."""


class QpqError(Exception):
    """Anything the SDK reports."""

    name = "internal"
    exit_code = 10


class Refused(QpqError):
    """The server answered no; `code` says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.detail)
        self.code: ErrorCode = refusal.code
        self.retry_after_ms = refusal.retry_after_ms
        first, *rest = refusal.code.name.lower().split("_")
        self.name = first + "".join(word.title() for word in rest)
        self.exit_code = EXIT_CODES[refusal.code]

    @property
    def retryable(self) -> bool:
        """Whether the same may succeed later, unchanged."""
        return self.code in RETRYABLE


class Unreachable(QpqError):
    """The server does not answer, or a network in between drops UDP."""

    name = "unreachable"
    exit_code = EXIT_CODES[ErrorCode.UNAVAILABLE]


class KeyChanged(QpqError):
    """The server's key is not the pinned one: somebody may be in between. Nothing was sent."""

    name = "serverKeyChanged"
    exit_code = 14


class IdentityChanged(QpqError):
    """Somebody's identity key, or the account behind a name, is not the one known here: somebody may be in between.

    Nothing was sent to the new one. Compare safety numbers another way, then `Client.trust` takes it.
    """

    name = "identityChanged"
    exit_code = 16


class ServerBroke(QpqError):
    """The server answered what no server of this protocol answers."""

    name = "serverBroke"
    exit_code = EXIT_CODES[ErrorCode.INTERNAL]


class WrongPassword(QpqError):
    """The local database does not open with this password."""

    name = "loginFailed"
    exit_code = EXIT_CODES[ErrorCode.LOGIN_FAILED]


class FolderBusy(QpqError):
    """Another process uses this folder."""

    name = "folderBusy"
    exit_code = 15


class FileBusy(QpqError):
    """Another process, or another task of this one, downloads to the same place."""

    name = "fileBusy"
    exit_code = 15


class FolderUnusable(QpqError):
    """The folder's database is damaged, or a later version of this program wrote it."""

    name = "folderUnusable"
    exit_code = 31


class FileDamaged(QpqError):
    """A downloaded file is not what its sender named."""

    name = "fileDamaged"


class WrapsDamaged(QpqError):
    """The sealed account data does not open: another password, or a server that hands out something else."""

    name = "wrapsDamaged"


class DiskFull(QpqError):
    """This machine's disk is full: nothing was changed, and what was asked for can be tried again."""

    name = "storageFull"
    exit_code = EXIT_CODES[ErrorCode.STORAGE_FULL]


class TooLong(QpqError):
    """A message is longer than messages may be: nothing was sent. What is long goes as a file."""

    name = "tooLarge"
    exit_code = EXIT_CODES[ErrorCode.TOO_LARGE]


class AddressInvalid(QpqError):
    """What was given as a server's address is none: nothing was sent."""

    name = "addressInvalid"
    exit_code = 2


class NotEditable(QpqError):
    """A message that is a file has no text that could be another: nothing was sent. Delete it, and send another."""

    name = "notEditable"
    exit_code = 2


class PasswordEmpty(QpqError):
    """An account wants a password that is not empty: who has the name would have the account. Nothing was changed."""

    name = "passwordEmpty"
    exit_code = 2


class NotLoggedIn(QpqError):
    """This folder holds no account, or its session is over."""

    name = "unauthenticated"
    exit_code = EXIT_CODES[ErrorCode.UNAUTHENTICATED]


class NotFound(QpqError):
    """No such user, conversation or message."""

    name = "notFound"
    exit_code = EXIT_CODES[ErrorCode.NOT_FOUND]


class NotAllowed(QpqError):
    """In this conversation only its admins do that, and one is none of them: nothing was sent."""

    name = "forbidden"
    exit_code = EXIT_CODES[ErrorCode.FORBIDDEN]


class NotVerified(QpqError):
    """The setting is to send only to people whose key was compared, and some here are not: nothing was sent."""

    name = "notVerified"
    exit_code = 18


class ArchiveDamaged(QpqError):
    """An archive or backup is not as it was written, or not this account's."""

    name = "archiveDamaged"
    exit_code = 20


class LinkRefused(QpqError):
    """A code for linking a device is not one, is too old, was used, or what came for it is not what it should be."""

    name = "linkRefused"
    exit_code = 19


class SettingUnknown(QpqError):
    """There is no such setting, or it cannot be that."""

    name = "settingUnknown"
    exit_code = 2


class GroupBusy(QpqError):
    """Others change the group so fast that this change found no place; it may later."""

    name = "epochConflict"
    exit_code = EXIT_CODES[ErrorCode.EPOCH_CONFLICT]


class NotVouched(GroupBusy):
    """As the server shows a conversation, people are in it whom nobody has brought that was known in it: it is not entered."""

    name = "notVouched"
    exit_code = 18


class GroupUnusable(QpqError):
    """This device is not in the group any more, or cannot follow it."""

    name = "notMember"
    exit_code = EXIT_CODES[ErrorCode.NOT_MEMBER]


def check_password(password: str) -> None:
    """Refuse a password that an account may not get. PasswordEmpty.

    Who logs in with an old one is not asked: accounts of before have what they have.
    """
    if not password:
        raise PasswordEmpty("an empty password protects nothing: choose another one")
