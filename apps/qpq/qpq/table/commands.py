"""All commands. The first 26 with their aliases, argument forms and defaults are the reference's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qpq.commands import account, chatting, contacts, conversations, files, groups, linking, messages, records, timeline
from qpq.table.model import Argument, Command, Face, Kind, Needs

if TYPE_CHECKING:
    from collections.abc import Iterable

HISTORY_DEFAULT = 20

PERSON = Argument("name", Kind.PERSON, help="a user name, with or without @")
INDEX = Argument("index", Kind.MESSAGE, help="a number of /history; -1 is the newest")
NEWEST = Argument("index", Kind.MESSAGE, default="", help="a number of /history; without one, the newest that fits")
TRANSCRIPT = Argument(
    "transcript-password",
    Kind.SECRET,
    default="",
    option="--",
    environment="QPQ_TRANSCRIPT_PASSWORD",
    help="better asked for",
)

TABLE: tuple[Command, ...] = (
    Command(
        "dm", "Talk to one person", conversations.dm,
        (PERSON, Argument("text", Kind.TEXT, default="", many=True, help="a message to send at once")), fresh=False, leads=True,
    ),
    Command(
        "create-group", "Make a group", groups.create_group,
        (
            Argument("name", Kind.GROUP), Argument("people", Kind.PERSON, default=(), many=True, help="who is in it from the start"),
            Argument("post-quantum", Kind.FLAG, default=False, option="--", help="agree on its keys by X-Wing (X25519 and ML-KEM-768)"),
        ),
        ("cg",), subcommand="group create", leads=True,
    ),
    Command("invite", "Add a person to the group", groups.invite, (PERSON,), needs=Needs.CONVERSATION),
    Command("remove", "Remove a person from the group", groups.remove, (PERSON,), needs=Needs.CONVERSATION),
    Command(
        "join", "Take up a pending invitation", groups.join,
        (Argument("group", Kind.CONVERSATION, default="", help="which one; without, all that wait"),), fresh=False, leads=True,
    ),
    Command("leave", "Leave the conversation; what was received stays here", groups.leave, needs=Needs.CONVERSATION, leads=True),
    Command("switch", "Open a conversation", conversations.switch, (Argument("conversation", Kind.CONVERSATION),), faces=Face.CHAT, leads=True),
    Command("list", "List all conversations", conversations.list_, aliases=("ls",)),
    Command("members", "Show who is in the conversation", conversations.members, needs=Needs.CONVERSATION),
    Command("group-info", "Show its kind, members, MLS epoch and settings", conversations.group_info, (), ("gi",), Needs.CONVERSATION),
    Command(
        "rename", "Give the conversation another name, for everybody in it", conversations.rename,
        (Argument("name", Kind.TEXT, many=True),), needs=Needs.CONVERSATION, settles=True,
    ),
    Command(
        "history", "Show the last messages, with their numbers", conversations.history,
        (Argument("count", Kind.COUNT, default=HISTORY_DEFAULT, option="-n"),), ("hist",), Needs.CONVERSATION, fresh=False,
    ),
    Command(
        "react", "React to a message with an emoji", messages.react,
        (Argument("emoji", Kind.EMOJI), NEWEST, Argument("remove", Kind.FLAG, default=False, option="--", help="take it back")), needs=Needs.CONVERSATION,
    ),
    Command("typing", "Tell the others that you are typing", messages.typing, needs=Needs.CONVERSATION),
    Command("typing-notify", "Show or hide that others are typing", messages.typing_notify, (Argument("switch", Kind.SWITCH),), faces=Face.CHAT),
    Command(
        "edit", "Replace the text of a message of yours", messages.edit, (INDEX, Argument("text", Kind.TEXT, many=True)),
        needs=Needs.CONVERSATION,
    ),
    Command("delete", "Delete a message of yours, for everybody", messages.delete, (INDEX,), needs=Needs.CONVERSATION),
    Command(
        "send-file", "Encrypt and send a file; sent again, it goes on where it stopped", files.send_file, (Argument("path", Kind.FILE),),
        ("sf",), Needs.CONVERSATION, begins=True,
    ),
    Command(
        "download", "Download a file, checked against its hash", files.download,
        (NEWEST, Argument("to", Kind.FOLDER, default=Path(), option="--", help="the folder, where it replaces nothing, or the file")), ("dl",), Needs.CONVERSATION,
    ),
    Command(
        "disappear", "Let later messages vanish, everywhere", conversations.disappear, (Argument("duration", Kind.DURATION),),
        needs=Needs.CONVERSATION, begins=True, settles=True,
    ),
    Command(
        "verify", "Compare the 60-digit safety number with a person", account.verify,
        (PERSON, Argument("answer", Kind.WORD, default="", help="yes: it was equal; no: it was not")), fresh=False,
    ),
    Command(
        "rehome", "Let the group go on at your own server, where its own has gone for good", groups.rehome,
        needs=Needs.CONVERSATION,
    ),
    Command("update-key", "Rotate your key material: a new MLS epoch", groups.update_key, (), ("rotate-key",), Needs.CONVERSATION),
    Command(
        "delete-account", "Delete the account for ever, on the server and here", account.delete_account,
        (
            Argument("confirm", Kind.WORD, default="", option="--", help="the account's name"),
            Argument("yes", Kind.FLAG, default=False, option="--", help="do not ask"),
        ),
        fresh=False,
    ),
    Command("whoami", "Show who you are here, and how your groups stand", account.whoami, fresh=False),
    Command("help", "Show all commands, or one in full", chatting.help_, (Argument("command", Kind.COMMAND, default=""),), faces=Face.CHAT | Face.RPC),
    Command("quit", "End; what waits to be sent stays stored", chatting.quit_, faces=Face.CHAT),
    # what the reference has no slash command for
    Command(
        "reply", "Answer a message", messages.reply, (INDEX, Argument("text", Kind.TEXT, many=True)), needs=Needs.CONVERSATION,
    ),
    Command(
        "pin", "Pin a message for everybody; show what is pinned", timeline.pin,
        (Argument("index", Kind.MESSAGE, default="", help="a number of /history"), Argument("remove", Kind.FLAG, default=False, option="--", help="take the pin out")),
        needs=Needs.CONVERSATION,
    ),
    Command("mark-read", "Mark all that has come as read", timeline.mark_read, needs=Needs.CONVERSATION),
    Command(
        "search", "Find messages of this device, newest first; works offline", timeline.search,
        (
            Argument("text", Kind.TEXT, many=True, help="words that are all in it; a word matches from its beginning"),
            Argument("within", Kind.CONVERSATION, default="", option="--", help="only there"),
            Argument("count", Kind.COUNT, default=HISTORY_DEFAULT, option="--"),
        ),
        fresh=False,
    ),
    Command(
        "roles", "Show or set who is admin, and what the others may do", contacts.roles,
        (
            Argument("admin", Kind.PERSON, default=(), many=True, option="--", help="who is admin; may be given several times"),
            Argument("everybody", Kind.FLAG, default=False, option="--", help="no admins: everybody does everything"),
            Argument("let", Kind.WORD, default=(), many=True, option="--", choices=contacts.RIGHTS, help="what members do who are none"),
        ),
        needs=Needs.CONVERSATION,
    ),
    Command(
        "requests", "List, accept or decline what unknown people began", contacts.requests,
        (
            Argument("action", Kind.WORD, default="list", choices=("list", "accept", "decline")),
            Argument("conversation", Kind.CONVERSATION, default=""),
        ),
    ),
    Command(
        "strangers", "Show or let in whom the server shows in the conversation and nobody has brought", contacts.strangers,
        (Argument("action", Kind.WORD, default="list", choices=("list", "accept")),), needs=Needs.CONVERSATION, fresh=False,
    ),
    Command(
        "block", "Drop what a person sends from now on; list who is blocked", contacts.block,
        (Argument("name", Kind.PERSON, default=""), Argument("undo", Kind.FLAG, default=False, option="--", help="let it come again")), fresh=False,
    ),
    Command(
        "mute", "Want no signs of new messages here for so long, or for good", contacts.mute, (Argument("duration", Kind.DURATION, default=None),),
        needs=Needs.CONVERSATION, fresh=False,
    ),
    Command(
        "settings", "Show or change the settings of this device", contacts.settings,
        (Argument("name", Kind.WORD, default=""), Argument("value", Kind.WORD, default="")), fresh=False,
    ),
    Command(
        "export-transcript", "Write the conversation into an encrypted, hash-chained file", records.export_transcript, (Argument("path", Kind.FILE), TRANSCRIPT),
        needs=Needs.CONVERSATION, fresh=False,
    ),
    Command(
        "verify-transcript", "Check every link of a transcript; needs no account", records.verify_transcript,
        (Argument("path", Kind.FILE), TRANSCRIPT, Argument("show", Kind.FLAG, default=False, option="--", help="show the messages too")),
        needs=Needs.NOTHING, fresh=False,
    ),
    Command(
        "export-data", "Write all of one's own data into a new folder, readable by anybody", records.export_data,
        (Argument("folder", Kind.FOLDER), Argument("no-files", Kind.FLAG, default=False, option="--", help="not the files that were sent")), fresh=False,
    ),
    Command(
        "link", "Make this empty folder a device of an account, by a code", linking.link,
        (Argument("no-history", Kind.FLAG, default=False, option="--", help="do not ask for what was said before"),),
        needs=Needs.FOLDER, faces=Face.SHELL, fresh=False, confirm=True,
    ),
    Command(
        "link-device", "Take the device that shows a code into the account", linking.link_device,
        (
            Argument("code", Kind.WORD, many=True), Argument("label", Kind.WORD, default="", option="--", help="a name for it, for your eyes alone"),
            Argument("wait", Kind.COUNT, default=linking.HISTORY_SECONDS, option="--", help="seconds to stay for its history"),
            Argument("yes", Kind.FLAG, default=False, option="--", help="do not ask"),
        ),
        fresh=False,
    ),
    Command("recovery-code", "Make the code that alone opens your backups; shown once", linking.recovery_code, fresh=False),
    Command(
        "backup", "Back the messages up, sealed under the recovery code", linking.backup,
        (Argument("to", Kind.FILE, default=None, option="--", help="into a file, not to the server"),), fresh=False,
    ),
    Command(
        "restore-backup", "Bring messages back out of a backup; what is here stays", linking.restore_backup,
        (
            Argument("path", Kind.FILE, default=None, option="--", help="a file, not the server"),
            Argument("recovery-code", Kind.SECRET, default="", option="--", environment="QPQ_RECOVERY_CODE", help="better asked for"),
        ),
    ),
    Command("doctor", "Look this device over and say what to do; names nobody", linking.doctor, needs=Needs.FOLDER, fresh=False),
    Command("trust", "Take the key that a person has now, after a warning", account.trust, (PERSON,), fresh=False),
    Command(
        "devices", "List your devices, or cut one off", account.devices,
        (Argument("revoke", Kind.WORD, default="", option="--", help="the device whose id begins so"),), fresh=False,
    ),
    Command(
        "passwd", "Change the password; every other session ends", account.passwd,
        (Argument("new-password", Kind.SECRET, default="", option="--", environment="QPQ_NEW_PASSWORD", help="better asked for"),), fresh=False,
    ),
    Command(
        "send", "Send a text to @person or #group", messages.send,
        (
            Argument("conversation", Kind.CONVERSATION, default=""),
            Argument("text", Kind.TEXT, default="", many=True, help="in a shell, - is standard input"),
            Argument("all", Kind.FLAG, default=False, option="--", help="to every conversation; every word is text then"),
        ),
        faces=Face.SHELL | Face.RPC,
    ),
    Command(
        "recv", "Show the messages that have come since the last time", messages.recv,
        (
            Argument("wait", Kind.WORD, default="0", option="--", help="seconds to wait for a first message"),
            Argument("follow", Kind.FLAG, default=False, option="--", help="go on until interrupted"),
        ),
        faces=Face.SHELL, fresh=False,
    ),
    Command(
        "discover", "List the servers of the local network that announce themselves", account.discover,
        (Argument("seconds", Kind.WORD, default="2", option="--", help="how long to listen"),),
        needs=Needs.NOTHING, faces=Face.SHELL, fresh=False,
    ),
    Command("ping", "Ask the server whether it is there; needs no account", account.ping, needs=Needs.NOTHING, fresh=False),
    Command(
        "register", "Make an account, with this folder as its first device", account.register,
        (Argument("name", Kind.PERSON, default=""), Argument("token", Kind.WORD, default="", option="--", help="where the server asks for one")),
        needs=Needs.FOLDER, faces=Face.SHELL, fresh=False, confirm=True,
    ),
    Command(
        "login", "Log in; in an empty folder the password restores the account", account.login,
        (Argument("name", Kind.PERSON, default=""),), needs=Needs.FOLDER, faces=Face.SHELL, fresh=False,
    ),
)  # fmt: skip


def by_name(commands: Iterable[Command]) -> dict[str, Command]:
    """Return commands under their names and aliases."""
    return {name: command for command in commands for name in (command.name, *command.aliases)}


CHAT = by_name(c for c in TABLE if Face.CHAT in c.faces)
RPC = by_name(c for c in TABLE if Face.RPC in c.faces)
