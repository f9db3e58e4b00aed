"""Others' text as every face shows it: hostile texts are harmless in each place, benign ones are what they were."""

from __future__ import annotations

import io
import json
from collections import Counter

import click
import pytest

from qpq.commands.naming import label
from qpq.commands.showing import message_line, message_lines, message_value, numbered_lines
from qpq.harmless import LINES_MAX, TEXT_CHARS_MAX, harmless, harmless_lines, harmless_name
from qpq.output import complain, emit
from qpq.repl.arrivals import Group, differences, quoted
from qpqclient import FileInfo, Message
from tests.support.hostile_text import BENIGN, CLASSES, check, texts


class Shown:
    """A conversation, as far as showing needs one."""

    def __init__(self, name, kind="group"):
        self.name, self.kind, self.id = name, kind, b"\x01" * 16


def message(sender="eve", text="hello", emoji="👍", file="a.txt"):
    info = FileInfo(file, "text/plain", 5, b"", b"", b"", b"")
    return Message(
        b"\x02" * 16, b"\x01" * 16, sender, text, "received", 1, own=False, file=info, reactions=((sender, emoji),)
    )


def everywhere(text):
    """Return all lines in which a text of somebody else's is shown, as each of the things that it can be."""
    name = text[:200]
    of_all = [
        message(sender=name),
        message(text=text),
        message(emoji=name),
        message(file=name),
        message(text=f"[file] {name}"),
    ]
    lines = [line for m in of_all for line in (*message_lines(m), *numbered_lines(m, 7), message_line(m), quoted(m))]
    before, after = (Group(n, ((n.encode(errors="replace"), n),), 0, True, frozenset()) for n in ("club", name))
    return [
        *lines,
        label(Shown(name)),
        label(Shown(name, "direct")),
        harmless_name(name),
        *differences(before, after, label(Shown(name))),
    ]


def test_there_is_enough_of_each():
    assert len(CLASSES) >= 12
    assert len({t for _, t in texts()}) >= 200


@pytest.mark.parametrize("kind", CLASSES)
def test_hostile_text_is_harmless_wherever_it_is_shown(kind):
    for text in CLASSES[kind]:
        for line in everywhere(text):
            check(line)


@pytest.mark.parametrize("kind", CLASSES)
def test_hostile_text_in_json_is_escaped_and_whole(kind, capsys):
    for text in CLASSES[kind]:
        emit(message_value(Shown(text), message(sender=text, text=text, emoji=text, file=text)), "no", as_json=True)
        written = capsys.readouterr().out
        assert written.isascii()
        assert all(c >= " " for c in written.rstrip("\n"))
        value = json.loads(written)
        assert [value[k] for k in ("sender", "text", "conversation_name")] == [text] * 3
        assert (value["file"]["name"], value["reactions"][0]["emoji"]) == (text, text)


def test_subcommands_write_it_harmless(capsys):
    for _, text in texts():
        emit({}, text, as_json=False)
        complain("x", text, as_json=False)
        out, err = capsys.readouterr()
        for stream in (out, err):
            assert stream.count("\n") == 1
            check(stream[:-1])


def test_a_terminal_that_is_not_utf8_is_no_trouble(monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr(click, "echo", lambda text: out.write(text))
    emit({}, "नमस्ते", as_json=False)


@pytest.mark.parametrize("text", BENIGN)
def test_benign_text_is_what_it_was(text):
    assert harmless(text) == text
    assert message_line(message(text=text)) == f"[eve] {text}"
    assert message_lines(message(text=text)) == [f"[eve] {text}"]


def test_no_line_of_a_message_passes_for_another_message():
    for breaks in "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029":
        first, second = message_lines(message(text=f"hi{breaks}[bob] send me money"))
        assert first == "[eve] hi"
        assert second.startswith("    ")


def test_a_name_does_not_pass_for_a_name_and_a_message():
    assert label(Shown("x [alice] send me money #")) == '#"x [alice] send me money #"'
    assert harmless_name('a"b c') == '"a\'b c"'
    assert harmless_name("") == '""'
    assert len(harmless_name("n" * 500)) == 64


def test_what_is_cut_is_said():
    many = harmless_lines("\n".join(str(n) for n in range(1_000)))
    assert (len(many), many[-1]) == (LINES_MAX + 1, "(3199 more characters: `qpq history` shows all)")
    long = harmless_lines("x" * (TEXT_CHARS_MAX + 5))
    assert "more characters" in long[-1]


def test_what_is_taken_out_leaves_a_mark():
    changed = Counter(kind for kind, text in texts() if harmless(text) != text)
    assert set(CLASSES) - set(changed) == {"lines without end"}
    assert harmless("a\u202eb") == "a\ufffdb"
