"""Writes the page's types, `page/src/messages.ts`, from the `.proto` of maglev-grpc.

The types are those of the JSON that `maglev_grpc.convert.JsonWriter` makes of messages: names are the `.proto`'s, an
optional field may be `null`, a member of a `oneof` may be missing, an enumeration is the short names of its values (a
constant holds them too). The build calls this before it builds the page; what it writes is not committed.
"""

# ruff: noqa: INP001  (a script of the build, in no package)

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

PROTOS = Path(__file__).resolve().parent.parent / "maglev_grpc/src/maglev_grpc/proto"
PROTO = PROTOS / "maglev/v1/maglev.proto"
_HEAD = "// Made from maglev/v1/maglev.proto by page_types.py: change it there.\n"
_MESSAGES, _FIELDS, _ENUMS = 4, 2, 5
"""Numbers of fields in descriptor.proto, which the paths of comments are made of."""


def write(target: Path) -> None:
    """Write the types, unless they are there already.

    Args:
        target: The file.

    Raises:
        RuntimeError: The `.proto` does not compile; what is wrong is on stderr.
        ImportError: There is no compiler: grpcio-tools is not installed.
    """
    made = types()
    if not target.exists() or target.read_text(encoding="utf-8") != made:
        target.write_text(made, encoding="utf-8")


def types() -> str:
    """The types, as TypeScript. Raises as `write`."""
    file = _compiled()
    comments = {tuple(one.path): " ".join(one.leading_comments.split()) for one in file.source_code_info.location}
    parts = [_HEAD]
    for number, enum in enumerate(file.enum_type):
        prefix = enum.value[0].name.removesuffix("UNSPECIFIED")
        names = ", ".join(f'"{value.name.removeprefix(prefix).lower()}"' for value in enum.value[1:])
        parts.append(f"/** {comments[_ENUMS, number]} */\nexport const {enum.name}s = [{names}] as const;")
        parts.append(f"export type {enum.name} = (typeof {enum.name}s)[number];\n")
    for number, message in enumerate(file.message_type):
        parts.append(f"/** {comments[_MESSAGES, number]} */\nexport interface {message.name} {{")
        parts += _fields(message, [comments[_MESSAGES, number, _FIELDS, at] for at in range(len(message.field))])
        parts.append("}\n")
    return "\n".join(parts)


def _fields(message: Any, comments: list[str]) -> Iterator[str]:
    for field, comment in zip(message.field, comments, strict=True):
        plain = _type(field, message)
        yield f"  /** {comment} */"
        if field.HasField("oneof_index") and not field.proto3_optional:
            yield f"  {field.name}?: {plain};"
        else:
            yield f"  {field.name}: {plain}{' | null' if field.proto3_optional else ''};"


def _type(field: Any, message: Any) -> str:
    name = field.type_name.rpartition(".")[2]
    entry = next((nested for nested in message.nested_type if nested.name == name), None)
    if entry is not None:
        return f"Record<string, {_single(entry.field[1])}>"
    return f"{_single(field)}[]" if field.label == field.LABEL_REPEATED else _single(field)


def _single(field: Any) -> str:
    if field.type_name == ".google.protobuf.Struct":
        return "Record<string, unknown>"
    if field.type_name:
        name: str = field.type_name.rpartition(".")[2]
        return name
    return {field.TYPE_STRING: "string", field.TYPE_BOOL: "boolean"}.get(field.type, "number")


def _compiled() -> Any:
    # Only here: a source distribution, in which the types are made already, needs no compiler.
    from google.protobuf.descriptor_pb2 import FileDescriptorSet  # noqa: PLC0415
    from grpc_tools import protoc  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "set"
        includes = [f"-I{PROTOS}", f"-I{files('grpc_tools') / '_proto'}"]
        if protoc.main(["protoc", *includes, "--include_source_info", f"--descriptor_set_out={out}", str(PROTO)]):
            raise RuntimeError(f"{PROTO} does not compile")
        (file,) = FileDescriptorSet.FromString(out.read_bytes()).file
    return file
