"""Turns the schema model into Python source: dataclasses, codecs, Protocols, the method table."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

from qpqcore.codegen.schema import (
    BY,
    CALLER,
    FILES,
    FRAME_BYTES,
    FRAME_BYTES_DEFAULT,
    IDEMPOTENT,
    KEYED,
    STREAMS,
    Reader,
)

if TYPE_CHECKING:
    from qpqcore.codegen.schema import Field, File, Interface, MethodDecl, Struct, Type

WIDTH = 96
SCALARS = {
    "void": ("None", "None"), "bool": ("bool", "False"), "text": ("str", '""'), "data": ("bytes", 'b""'),
    **dict.fromkeys(("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"), ("int", "0")),
}  # fmt: skip
HEADER = '"""{doc}\n\nGenerated from schemas/{file}.capnp by `make regenerate`: do not edit.\n"""\n\n'


def snake(name: str) -> str:
    """Turn camelCase into snake_case."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def python_type(t: Type) -> tuple[str, str]:
    """Return the annotation and the default of a field's type."""
    if t.kind == "list":
        assert t.element is not None
        return f"tuple[{python_type(t.element)[0].removesuffix(' | None')}, ...]", "()"
    if t.kind == "struct":
        return f"{t.name} | None", "None"
    if t.kind == "enum":
        return t.name, f"{t.name}(0)"
    return SCALARS[t.kind]


def layout_name(name: str) -> str:
    """Return the name of a struct's layout."""
    return snake(name).upper() + "_LAYOUT"


def emit_layout(s: Struct) -> list[str]:
    """Return the lines of a struct's layout: how it stands in a message."""
    fields = []
    for f in s.fields:
        kind, of = f.type.kind, f.type.name if f.type.kind == "struct" else ""
        if f.type.element is not None:
            kind, of = f"list {f.type.element.kind}", f.type.element.name
        fields.append(f'("{kind}", {f.offset}, {f.tag}, {layout_name(of) if of else None})')
    return [f"{layout_name(s.name)} = Layout({s.data_words}, {s.pointers}, {s.union_at}, [{', '.join(fields)}])"]


def in_order(structs: tuple[Struct, ...]) -> list[Struct]:
    """Return structs so that each stands behind those that it holds."""
    own = {s.name: s for s in structs}
    found: dict[str, Struct] = {}

    def visit(s: Struct) -> None:
        for f in s.fields:
            name = (f.type.element or f.type).name
            if name in own and name not in found:
                visit(own[name])
        found[s.name] = s

    for s in structs:
        visit(s)
    return list(found.values())


def read_value(t: Type, source: str) -> str:
    """Return the expression that makes a field's value of what a message holds."""
    if t.kind == "struct":
        return f"{t.name}.from_values({source})"
    if t.kind == "enum":
        return f"{t.name}({source})"
    if t.element is not None and t.element.kind == "struct":
        return f"tuple([{t.element.name}.from_values(x) for x in {source}])"
    return source


def write_value(t: Type, source: str) -> str:
    """Return the expression that makes what a message holds of a field's value."""
    if t.kind == "struct":
        return f"{source}.to_values()"
    if t.element is not None and t.element.kind == "struct":
        return f"tuple([x.to_values() for x in {source}])"
    if t.element is not None:
        return f"tuple({source})"
    return source


def field_name(f: Field) -> str:
    """Return the Python name of a field."""
    name = snake(f.name)
    return name + "_" if name in {"from", "import", "class", "del"} else name


def emit_from_values(s: Struct) -> list[str]:
    """Return the lines of `from_values`: from what a message holds to the dataclass."""
    out = ["    @classmethod", f"    def from_values(cls, v: tuple[Any, ...]) -> {s.name}:"]
    out += ['        """Make one of what a message holds, in the order of its layout."""']
    args = []
    for number, f in enumerate(s.fields):
        source = f"v[{number}]"
        value = read_value(f.type, source)
        if value != source and (f.type.kind == "struct" or f.tag is not None):
            value = f"None if {source} is None else {value}"
        args.append(f"            {field_name(f)}={value},")
    if s.union_at is not None:
        members, chosen = f"{layout_name(s.name)}_MEMBERS", f"v[{len(s.fields)}]"
        args.append(f"            which={members}[{chosen}] if {chosen} < len({members}) else str({chosen}),")
    if not args:
        return [*out, "        del v", "        return cls()"]
    return [*out, "        return cls(", *args, "        )"]


def emit_to_values(s: Struct) -> list[str]:
    """Return the lines of `to_values`: from the dataclass to what a message holds."""
    out = ["    def to_values(self) -> tuple[Any, ...]:", '        """Return what a message holds of it."""']
    values = []
    for f in s.fields:
        source = f"self.{field_name(f)}"
        value = write_value(f.type, source)
        if value != source and (f.type.kind == "struct" or f.tag is not None):
            value = f"None if {source} is None else {value}"
        values.append(value + ",")
    if s.union_at is not None:
        members = f"{layout_name(s.name)}_MEMBERS"
        values.append(f"{members}.index(self.which) if self.which in {members} else int(self.which or 0),")
    return [*out, f"        return ({' '.join(values)})"]


def emit_struct(s: Struct, doc: str) -> list[str]:
    """Return the source of one dataclass."""
    lines = ["@record", f"class {s.name}:", f'    """{doc}"""', ""]
    for f in s.fields:
        hint, default = python_type(f.type)
        if f.tag is not None:
            hint, default = hint.removesuffix(" | None") + ("" if hint == "None" else " | None"), "None"
        lines.append(f"    {field_name(f)}: {hint} = {default}")
        if f.comment:
            lines.append('    """' + shorten(f.comment) + '"""')
    if s.union_at is not None:
        lines.append('    which: str = ""')
        lines.append(
            '    """The set member of the union, by its name in the schema; its number if only a later schema has it."""'
        )
    lines += ["", *emit_to_values(s), "", *emit_from_values(s), ""]
    lines += [
        "    def to_bytes(self) -> bytes:",
        '        """Encode as one message."""',
        f"        return {layout_name(s.name)}.encode(self.to_values())",
        "",
        "    @classmethod",
        f"    def from_bytes(cls, data: bytes) -> {s.name}:",
        '        """Decode one message; Refusal(malformed)."""',
        f"        return decode({layout_name(s.name)}, data, cls.from_values)",
        "", "",
    ]  # fmt: skip
    return lines


def shorten(comment: str) -> str:
    """Escape a comment for a one-line docstring."""
    return comment.replace("\\", "\\\\").replace('"', "'").strip()


def emit_protocol(i: Interface, reader: Reader) -> list[str]:
    """Return the Protocol that a service, or a stub of it, fulfils."""
    del reader
    lines = [f"class {i.name}Api(Protocol):", f'    """What {i.name} offers; each method may refuse."""', ""]
    for m in i.methods:
        text = shorten(m.comment) or f"Number {number_of(i, m):#06x}; docs/spec has its rules."
        if STREAMS in m.annotations:
            lines.append(
                f"    async def {snake(m.name)}(self, call: CallContext, params: {m.params}, "
                f"send: Callable[[{m.result}], Awaitable[None]]) -> None:"
            )
        else:
            lines.append(f"    async def {snake(m.name)}(self, call: CallContext, params: {m.params}) -> {m.result}:")
        lines += textwrap.wrap(f'"""{text}"""', WIDTH, initial_indent="        ", subsequent_indent="        ")
        lines += [""]
    return [*lines, ""]


def number_of(i: Interface, m: MethodDecl) -> int:
    """Return a method's number on the wire."""
    return i.number << 8 | (0x80 if i.internal else 0) | m.ordinal


def emit_methods(f: File) -> list[str]:
    """Return the method table of one service."""
    lines = ["METHODS: tuple[Method, ...] = ("]
    for i in f.interfaces:
        for m in i.methods:
            caller = m.annotations.get(CALLER, "nobody")
            lines.append(
                f'    Method(number={number_of(i, m):#06x}, service="{f.name}", name="{m.name}", '
                f'caller=CallerClass("{caller}"), by={tuple(m.annotations.get(BY, "").split())!r}, streams={STREAMS in m.annotations}, '
                f"idempotent={IDEMPOTENT in m.annotations}, keyed={KEYED in m.annotations}, "
                f"frame_bytes_max={m.annotations.get(FRAME_BYTES, FRAME_BYTES_DEFAULT)}, "
                f"params={m.params}, result={m.result}),"
            )
    return [*lines, ")", ""]


def used_names(f: File) -> set[str]:
    """Return the struct and enum names that a file mentions."""
    names: set[str] = set()
    for s in f.structs:
        for x in s.fields:
            t: Type | None = x.type
            while t is not None:
                if t.name:
                    names.add(t.name)
                t = t.element
    for i in f.interfaces:
        for m in i.methods:
            names |= {m.params, m.result}
    return names


def emit_file(f: File, reader: Reader) -> str:
    """Return the source of one api module."""
    own = {s.name for s in f.structs} | set(f.enums)
    imports: dict[str, list[str]] = {}
    for name in sorted(used_names(f) - own):
        imports.setdefault(reader.module_of(name), []).extend((layout_name(name), name))
    lines = ["from __future__ import annotations", "", "import enum"]
    lines += ["from typing import TYPE_CHECKING, Any, Protocol", ""]
    for module, names in imports.items():
        lines.append(f"from qpqcore.api.{module} import {', '.join(names)}")
    lines += [
        "from qpqcore.model.method import CallerClass, Method",
        "from qpqcore.model.record import record",
        "from qpqcore.wire.message import Layout, decode",
        "",
    ]
    lines += ["if TYPE_CHECKING:", "    from collections.abc import Awaitable, Callable", ""]
    lines += ["    from qpqcore.model.call import CallContext", ""]
    for s in in_order(f.structs):
        lines += emit_layout(s)
        if s.union_at is not None:
            tagged = sorted((x for x in s.fields if x.tag is not None), key=lambda x: x.tag or 0)
            lines.append(f"{layout_name(s.name)}_MEMBERS = {tuple(x.name for x in tagged)!r}")
    lines += ["", ""]
    for name, members in f.enums.items():
        lines += [f"class {name}(enum.IntEnum):", f'    """{name} of the schema; numbers are wire format."""', ""]
        lines += [f"    {snake(m).upper()} = {n}" for n, m in enumerate(members)] + ["", ""]
    for s in f.structs:
        lines += emit_struct(s, f"`{s.path}` of schemas/{f.name}.capnp.")
    for i in f.interfaces:
        lines += emit_protocol(i, reader)
    if f.interfaces:
        lines += emit_methods(f)
    doc = f"The contract of {f.name}: its messages" + (", methods and Protocol." if f.interfaces else ".")
    return HEADER.format(doc=doc, file=f.name) + "\n".join(lines)


def emit_codes(reader: Reader) -> str:
    """Return the source of `qpqcore.model.codes`."""
    rows = reader.errors()
    lines = ["from __future__ import annotations", "", "import enum", "", "", "class ErrorCode(enum.IntEnum):"]
    lines += ['    """Why a call was refused."""', ""]
    lines += [f"    {snake(name).upper()} = {n}" for n, (name, _, _) in enumerate(rows)]
    lines += ["", "", "RETRYABLE = frozenset({"]
    lines += [f"    ErrorCode.{snake(name).upper()}," for name, again, _ in rows if again]
    lines += ["})", '"""The same call may succeed later, unchanged."""', "", "EXIT_CODES = {"]
    lines += [f"    ErrorCode.{snake(name).upper()}: {code}," for name, _, code in rows]
    lines += ["}", '"""The exit code of the command line for each error."""', ""]
    return HEADER.format(doc="Numbered error codes.", file="errors") + "\n".join(lines)


def emit_index(files: list[File]) -> str:
    """Return the source of `qpqcore.api.methods`: every service's table in one."""
    services = [f.name for f in files if f.interfaces]
    lines = ["from __future__ import annotations", "", f"from qpqcore.api import {', '.join(sorted(services))}"]
    lines += ["from qpqcore.model.method import Method", "", "METHODS: dict[int, Method] = {", "    m.number: m"]
    lines += [f"    for table in ({', '.join(f'{s}.METHODS' for s in services)})", "    for m in table", "}"]
    lines += ['"""Every method by its number."""', "", "SERVICES: dict[int, str] = {"]
    lines += [f'    {f.interfaces[0].number}: "{f.name}",' for f in files if f.interfaces]
    lines += ["}", '"""Every service by its number."""', ""]
    return HEADER.format(doc="The method table of all services.", file="*") + "\n".join(lines)


def generated_files() -> dict[str, str]:
    """Return every generated file: path below qpqcore -> formatted source."""
    from qpqcore.codegen.formatting import formatted

    reader = Reader()
    files = [reader.file(name) for name in FILES]
    out = {f"api/{f.name}.py": emit_file(f, reader) for f in files}
    out["api/methods.py"] = emit_index(files)
    out["api/__init__.py"] = '"""The contracts services offer each other and the edge, one module per service."""\n'
    out["model/codes.py"] = emit_codes(reader)
    return {name: formatted(text) for name, text in out.items()}
