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


def read_value(t: Type, source: str) -> str:
    """Return the expression that reads a value of type `t` from pycapnp."""
    if t.kind == "list":
        assert t.element is not None
        if t.element.kind == "struct":
            return f"tuple([{t.element.name}.read(x) for x in structs({source})])"
        return f"tuple({source})"
    if t.kind == "enum":
        return f"{t.name}({source}.raw)"
    return source


def write_lines(f: Field, indent: str) -> list[str]:
    """Return the statements that write field `f` of `self` into `m`."""
    name, value = f.name, f"self.{field_name(f)}"
    if f.type.kind == "struct":
        return [f"{indent}if {value} is not None:", f'{indent}    {value}.write(m.init("{name}"))']
    if f.type.kind == "list" and f.type.element is not None and f.type.element.kind == "struct":
        return [
            f"{indent}if {value}:",
            f'{indent}    items = m.init("{name}", len({value}))',
            f"{indent}    for i, item in enumerate({value}):",
            f"{indent}        item.write(items[i])",
        ]
    if f.type.kind == "list":
        return [f"{indent}if {value}:", f"{indent}    m.{name} = list({value})"]
    if f.type.kind == "enum":
        return [f"{indent}m.{name} = int({value})"]
    if f.type.kind in {"text", "data"}:
        return [f"{indent}if {value}:", f"{indent}    m.{name} = {value}"]
    return [f"{indent}m.{name} = {value}"]


def field_name(f: Field) -> str:
    """Return the Python name of a field."""
    name = snake(f.name)
    return name + "_" if name in {"from", "import", "class", "del"} else name


def emit_read(s: Struct) -> list[str]:
    """Return the lines of `read`: from a pycapnp reader to the dataclass."""
    plain = [f for f in s.fields if not f.tag]
    tagged = [f for f in s.fields if f.tag]
    out = ["    @classmethod", f"    def read(cls, m: Any) -> {s.name}:", '        """Read from a message."""']
    if not s.fields:
        return [*out, "        return cls()"]
    args = []
    for f in plain:
        value = read_value(f.type, f"m.{f.name}")
        if f.type.kind == "struct":
            value = f'{f.type.name}.read(m.{f.name}) if m._has("{f.name}") else None'
        args.append(f"            {field_name(f)}={value},")
    if tagged:
        out.append("        which = str(m.which())")
        for f in tagged:
            value = read_value(f.type, f"m.{f.name}")
            if f.type.kind == "struct":
                value = f"{f.type.name}.read(m.{f.name})"
            default = "None"
            args.append(f'            {field_name(f)}={value} if which == "{f.name}" else {default},')
        args.append("            which=which,")
    return [*out, "        return cls(", *args, "        )"]


def emit_write(s: Struct) -> list[str]:
    """Return the lines of `write`: from the dataclass into a pycapnp builder."""
    out = ["    def write(self, m: Any) -> None:", '        """Write into a message."""']
    body: list[str] = []
    for f in s.fields:
        if not f.tag:
            body += write_lines(f, "        ")
    for number, f in enumerate(x for x in s.fields if x.tag):
        word = "if" if number == 0 else "elif"
        body.append(f'        {word} self.which == "{f.name}":')
        value = f"self.{field_name(f)}"
        if f.type.kind == "struct":
            body += [f"            assert {value} is not None", f'            {value}.write(m.init("{f.name}"))']
        elif f.type.kind == "list" and f.type.element is not None and f.type.element.kind == "struct":
            body += [
                f'            items = m.init("{f.name}", len({value} or ()))',
                f"            for i, item in enumerate({value} or ()):",
                "                item.write(items[i])",
            ]
        else:
            body.append(f"            m.{f.name} = {value}")
    return [*out, *(body or ["        del m"])]


def emit_struct(s: Struct, doc: str) -> list[str]:
    """Return the source of one dataclass."""
    lines = ["@dataclass(frozen=True, slots=True, kw_only=True)", f"class {s.name}:", f'    """{doc}"""', ""]
    for f in s.fields:
        hint, default = python_type(f.type)
        if f.tag:
            hint, default = hint.removesuffix(" | None") + ("" if hint == "None" else " | None"), "None"
        lines.append(f"    {field_name(f)}: {hint} = {default}")
        if f.comment:
            lines.append('    """' + shorten(f.comment) + '"""')
    if any(f.tag for f in s.fields):
        lines.append('    which: str = ""')
        lines.append('    """The set member of the union, by its name in the schema."""')
    lines += ["", *emit_write(s), "", *emit_read(s), ""]
    lines += [
        "    def to_bytes(self) -> bytes:",
        '        """Encode as one message."""',
        f"        message = _file.{s.path}.new_message()",
        "        self.write(message)",
        "        data: bytes = message.to_bytes()",
        "        return data",
        "",
        "    @classmethod",
        f"    def from_bytes(cls, data: bytes) -> {s.name}:",
        '        """Decode one message; Refusal(malformed)."""',
        f"        return decode(_file.{s.path}, data, cls.read)",
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
    lists = any(x.type.element is not None and x.type.element.kind == "struct" for s in f.structs for x in s.fields)
    needed = ["decode", "schema", *(["structs"] if lists else [])]
    imports: dict[str, list[str]] = {}
    for name in sorted(used_names(f) - own):
        imports.setdefault(reader.module_of(name), []).append(name)
    lines = ["from __future__ import annotations", "", "import enum", "from dataclasses import dataclass"]
    lines += ["from typing import TYPE_CHECKING, Any, Protocol", ""]
    for module, names in imports.items():
        lines.append(f"from qpqcore.api.{module} import {', '.join(names)}")
    lines += [
        "from qpqcore.model.method import CallerClass, Method",
        f"from qpqcore.wire.message import {', '.join(needed)}",
        "",
    ]
    lines += ["if TYPE_CHECKING:", "    from collections.abc import Awaitable, Callable", ""]
    lines += ["    from qpqcore.model.call import CallContext", "", f'_file = schema("{f.name}")', "", ""]
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
