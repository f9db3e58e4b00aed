"""Messages by layouts of our own against pycapnp, which reads the schema itself: the same bytes mean the same."""

from __future__ import annotations

import importlib
from functools import cache

import capnp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from qpqcore.codegen.emit import field_name, snake
from qpqcore.codegen.schema import FILES, FOLDER, Reader
from qpqcore.model.errors import ErrorCode, Refusal
from qpqnative import Layout

READER = Reader()
STRUCTS = {(name, s.name): s for name in FILES for s in READER.file(name).structs}
BITS = {"uint8": 8, "uint16": 16, "uint32": 32, "uint64": 64}
TEXTS = some.text(some.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=12)


def made(name):
    """Return the generated class, and pycapnp's, of a struct."""
    file, python = name
    theirs = LOADED[file]
    for part in STRUCTS[name].path.split("."):
        theirs = getattr(theirs, part)
    return getattr(importlib.import_module(f"qpqcore.api.{file}"), python), theirs


PARSER = capnp.SchemaParser()
LOADED = {name: PARSER.load(str(FOLDER / f"{name}.capnp")) for name in FILES}


def named(python):
    return next(name for name in STRUCTS if name[1] == python)


def members(python):
    module = READER.module_of(python)
    return READER.file(module).enums[python], getattr(importlib.import_module(f"qpqcore.api.{module}"), python)


def values(t):
    """Return a strategy of (our value, pycapnp's) of a type."""
    if t.kind in BITS:
        return some.integers(0, 2 ** BITS[t.kind] - 1).map(lambda n: (n, n))
    if t.kind == "bool":
        return some.booleans().map(lambda b: (b, b))
    if t.kind == "data":
        return some.binary(max_size=20).map(lambda b: (b, b))
    if t.kind == "text":
        return TEXTS.map(lambda s: (s, s))
    if t.kind == "enum":
        names, ours = members(t.name)
        return some.integers(0, len(names) - 1).map(lambda n: (ours(n), names[n]))
    if t.kind == "struct":
        return structs(named(t.name))
    if t.kind == "list":
        items = some.lists(values(t.element), max_size=3)
        return items.map(lambda found: (tuple(a for a, _ in found), [b for _, b in found]))
    assert t.kind == "void"
    return some.just((None, None))


@cache
def structs(name):
    """Return a strategy of (our object, what pycapnp makes the same of) of a struct."""
    s, (ours, _) = STRUCTS[name], made(name)
    tagged = [f for f in s.fields if f.tag is not None]

    @some.composite
    def one(draw):
        mine, theirs = {}, {}
        fields = [f for f in s.fields if f.tag is None]
        if tagged:
            chosen = draw(some.sampled_from(tagged))
            mine["which"] = chosen.name
            fields.append(chosen)
        for f in fields:
            if f.type.kind == "struct" and f.tag is None and draw(some.booleans()):
                continue
            mine[field_name(f)], theirs[f.name] = draw(values(f.type))
        return ours(**mine), theirs

    return one()


@pytest.mark.parametrize("name", STRUCTS, ids=lambda name: f"{name[0]}.{snake(name[1])}")
@settings(max_examples=20)
@given(data=some.data())
def test_the_same_bytes_mean_the_same(name, data):
    ours, theirs = made(name)
    mine, given_to_them = data.draw(structs(name))
    assert ours.from_bytes(mine.to_bytes()) == mine
    assert ours.from_bytes(theirs.new_message(**given_to_them).to_bytes()) == mine
    with theirs.from_bytes(mine.to_bytes()) as read:
        assert ours.from_bytes(read.as_builder().to_bytes()) == mine


@given(data=some.data())
def test_what_was_changed_on_the_way_is_refused_or_means_what_it_means_to_pycapnp(data):
    name = data.draw(some.sampled_from(list(STRUCTS)))
    ours, theirs = made(name)
    mine, _ = data.draw(structs(name))
    bent = bytearray(mine.to_bytes())
    for _ in range(data.draw(some.integers(1, 4))):
        bent[data.draw(some.integers(0, len(bent) - 1))] = data.draw(some.integers(0, 255))
    bent = bytes(bent[: data.draw(some.integers(0, len(bent))) if data.draw(some.booleans()) else None])
    try:
        found = ours.from_bytes(bent)
    except Refusal as no:
        assert no.code is ErrorCode.MALFORMED
        return
    with theirs.from_bytes(bent) as read:
        assert ours.from_bytes(read.as_builder().to_bytes()) == found


@pytest.mark.parametrize("kind", ["data", "list data", "list uint16", "list struct"])
def test_a_list_of_nothing_that_claims_to_be_long_costs_nothing(kind):
    """Half a billion structs or bits of no size fit into two words: the words looked at are counted all the same."""
    of = Layout(0, 0, None, []) if kind == "list struct" else None
    layout = Layout(0, 1, None, [(kind, 0, None, of)])
    count = (1 << 29) - 1
    void_list = 1 | (count << 35)
    composite = 1 | (7 << 32)
    tag = count << 2
    for words in ((1 << 48, void_list), (1 << 48, composite, tag)):
        body = b"".join(word.to_bytes(8, "little") for word in words)
        data = (0).to_bytes(4, "little") + len(words).to_bytes(4, "little") + body
        with pytest.raises(ValueError, match="well-formed"):
            layout.decode(data)


def test_a_message_that_points_at_itself_ends():
    inner = Layout(0, 1, None, [("data", 0, None, None)])
    for _ in range(20):
        inner = Layout(0, 1, None, [("struct", 0, None, inner)])
    loop = (0).to_bytes(4, "little") + (2).to_bytes(4, "little") + (1 << 48).to_bytes(8, "little")
    with pytest.raises(ValueError, match="well-formed"):
        inner.decode(loop + ((1 << 48) | 0xFFFFFFFC).to_bytes(8, "little"))


@pytest.mark.parametrize(
    "shape",
    [
        (0, 0, None, [("uint8", 0, None, None)]),
        (1, 0, None, [("uint64", 1, None, None)]),
        (1, 0, None, [("uint32", 2, None, None)]),
        (1, 0, None, [("bool", 64, None, None)]),
        (1, 0, None, [("uint64", 2**63, None, None)]),
        (1, 1, None, [("data", 1, None, None)]),
        (1, 0, 4, []),
        (1, 0, None, [("uint8", 0, 0, None)]),
        (1, 1, None, [("struct", 0, None, None)]),
        (1, 1, None, [("float", 0, None, None)]),
    ],
)
def test_a_layout_that_contradicts_itself_is_none(shape):
    with pytest.raises(ValueError, match="contradicts"):
        Layout(*shape)


@pytest.mark.parametrize("values", [(), (1, 2), (256,), (-1,), (1 << 64,), (b"",), ("",), (1.5,), ((),)])
def test_values_that_do_not_fit_are_not_written(values):
    with pytest.raises((ValueError, TypeError), match="value"):
        Layout(1, 0, None, [("uint8", 0, None, None)]).encode(values)
