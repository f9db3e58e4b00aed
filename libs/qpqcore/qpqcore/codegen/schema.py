"""Reads the schema files into a plain model: structs, enums, interfaces with their annotations.

pycapnp's loaded schema has names, types and annotations; the comments behind a declaration are
taken from the file's text, since they become the documentation of what is generated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import capnp

FOLDER = Path(__file__).parent.parent / "schemas"
FRAME_BYTES_DEFAULT = 2 * 1024 * 1024
FILES = (
    "rpc", "gateway", "auth", "keystore", "delivery", "blob", "federation", "content",
)  # fmt: skip

SERVICE = 0xD1C0A5C3F0B84E01
INTERNAL = 0xD1C0A5C3F0B84E02
CALLER = 0xD1C0A5C3F0B84E03
BY = 0xD1C0A5C3F0B84E0A
STREAMS = 0xD1C0A5C3F0B84E04
IDEMPOTENT = 0xD1C0A5C3F0B84E05
KEYED = 0xD1C0A5C3F0B84E06
FRAME_BYTES = 0xD1C0A5C3F0B84E07
RETRYABLE = 0xD1C0A5C3F0B84E08
EXIT = 0xD1C0A5C3F0B84E09

NO_TAG = 0xFFFF
"""A field that is in no union (schema.capnp, `Field.noDiscriminant`)."""


@dataclass(frozen=True)
class Type:
    """A field's type: a scalar by its Cap'n Proto name, or a struct, enum, or list of one."""

    kind: str
    name: str = ""
    element: Type | None = None


@dataclass(frozen=True)
class Field:
    """One field of a struct; `tag` is its number in the struct's union, `offset` is in units of its own size."""

    name: str
    type: Type
    tag: int | None
    offset: int
    comment: str


@dataclass(frozen=True)
class Struct:
    """One struct with its Python name."""

    path: str
    name: str
    data_words: int
    pointers: int
    union_at: int | None
    """Where the union's number stands, in units of 2 bytes."""
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class MethodDecl:
    """One method of an interface, with its annotations."""

    name: str
    ordinal: int
    params: str
    result: str
    annotations: dict[int, Any]
    comment: str


@dataclass(frozen=True)
class Interface:
    """One interface of a service."""

    name: str
    number: int
    internal: bool
    methods: tuple[MethodDecl, ...]


@dataclass(frozen=True)
class File:
    """One schema file."""

    name: str
    comment: str
    structs: tuple[Struct, ...]
    enums: dict[str, tuple[str, ...]]
    interfaces: tuple[Interface, ...]


def comment_of(text: str, declaration: str) -> str:
    """Return the comment on or right below the line that holds `declaration`."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if re.match(rf"\s*{declaration}", line):
            found = [line.split("#", 1)[1].strip()] if "#" in line else []
            for below in lines[number + 1 :]:
                if not below.strip().startswith("#"):
                    break
                found.append(below.strip().removeprefix("#").strip())
            return " ".join(found)
    return ""


class Reader:
    """Loads every file and resolves type ids to the file and Python name they stand under."""

    def __init__(self) -> None:
        self._parser = capnp.SchemaParser()
        self._modules = {f: self._parser.load(str(FOLDER / f"{f}.capnp")) for f in FILES}
        self._errors = self._parser.load(str(FOLDER / "errors.capnp"))
        self.names: dict[int, tuple[str, str]] = {}
        self._schemas: dict[int, tuple[str, Any]] = {}
        for file, module in self._modules.items():
            self._index(file, module, module.schema.node.nestedNodes, "", "")

    def _index(self, file: str, owner: Any, nested: Any, prefix: str, path: str) -> None:
        for node in nested:
            thing = getattr(owner, node.name)
            full = f"{path}.{node.name}" if path else node.name
            self.names[node.id] = (file, prefix + node.name)
            self._schemas[node.id] = (full, thing)
            inner = getattr(thing, "schema", None)
            if inner is not None and hasattr(inner, "node"):
                self._index(file, thing, inner.node.nestedNodes, prefix + node.name, full)

    def type_of(self, raw: Any) -> Type:
        """Turn a schema type into ours."""
        kind = str(raw.which())
        if kind == "list":
            return Type("list", element=self.type_of(raw.list.elementType))
        if kind in {"struct", "enum"}:
            return Type(kind, name=self.names[getattr(raw, kind).typeId][1])
        return Type(kind)

    def _struct(self, ident: int, text: str) -> Struct:
        path, thing = self._schemas[ident]
        shape = thing.schema.node.struct
        fields = []
        for f in thing.schema.fields_list:
            raw = f.proto
            name = str(raw.name)
            comment = comment_of(text, rf".*\b{name} @{raw.ordinal.explicit} ")
            tag = None if raw.discriminantValue == NO_TAG else int(raw.discriminantValue)
            if raw.slot.hadExplicitDefault:
                raise ValueError(f"{path}.{name} has a default of its own: no reader of ours knows it")
            fields.append(Field(name, self.type_of(raw.slot.type), tag, int(raw.slot.offset), comment))
        union_at = int(shape.discriminantOffset) if shape.discriminantCount else None
        return Struct(
            path, self.names[ident][1], int(shape.dataWordCount), int(shape.pointerCount), union_at, tuple(fields)
        )

    def file(self, name: str) -> File:
        """Read one schema file."""
        text = (FOLDER / f"{name}.capnp").read_text()
        structs, enums, interfaces = [], {}, []
        for ident, (file, python) in self.names.items():
            if file != name:
                continue
            _, thing = self._schemas[ident]
            node = thing.schema.node
            kind = str(node.which())
            if kind == "struct":
                structs.append(self._struct(ident, text))
            elif kind == "enum":
                enums[python] = tuple(str(e.name) for e in node.enum.enumerants)
            elif kind == "interface":
                interfaces.append(self._interface(python, node, text))
        heading = [ln[1:].strip() for ln in text.splitlines()[1:4] if ln.startswith("#")]
        return File(name, " ".join(heading), tuple(structs), enums, tuple(interfaces))

    def _interface(self, name: str, node: Any, text: str) -> Interface:
        marks = {a.id: a.value for a in node.annotations}
        methods = []
        for ordinal, m in enumerate(node.interface.methods):
            notes = {a.id: getattr(a.value, str(a.value.which())) for a in m.annotations}
            methods.append(
                MethodDecl(
                    str(m.name), ordinal, self.names[m.paramStructType][1],
                    self.names[m.resultStructType][1], notes,
                    comment_of(text, rf"{m.name} @{ordinal} "),
                )
            )  # fmt: skip
        return Interface(name, int(marks[SERVICE].uint8), INTERNAL in marks, tuple(methods))

    def module_of(self, python_name: str) -> str:
        """Return the schema file in which a struct or enum stands."""
        return next(f for f, p in self.names.values() if p == python_name)

    def errors(self) -> list[tuple[str, bool, int]]:
        """Return name, retryable and exit code of every error, in the order of their numbers."""
        rows = []
        for e in self._errors.ErrorCode.schema.node.enum.enumerants:
            marks = {a.id: a.value for a in e.annotations}
            rows.append((str(e.name), RETRYABLE in marks, int(marks[EXIT].uint8)))
        return rows
