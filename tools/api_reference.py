"""Writes the reference of the gRPC API, `docs/reference/api.md`, from the comments of the `.proto`.

    python -m tools.api_reference

A test compares what this makes with what is there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "plugins/maglev_grpc/src/maglev_grpc/proto"
PROTO = "maglev/v1/maglev.proto"
PAGE = ROOT / "docs/reference/api.md"

HEAD = """# gRPC API

<!-- Written by `python -m tools.reference` from `maglev/v1/maglev.proto`: change it there. -->

"""

_MESSAGES, _SERVICES, _ENUMS, _SYNTAX = 4, 6, 5, 12
"""Numbers of the fields of FileDescriptorProto, which the paths of comments are made of."""
_FIELDS, _METHODS, _VALUES = 2, 2, 2
"""Likewise of DescriptorProto, ServiceDescriptorProto and EnumDescriptorProto."""

Path_ = tuple[int, ...]


class Comments:
    """The comments of one file, by the path of what they stand before."""

    def __init__(self, file: FileDescriptorProto) -> None:
        locations = file.source_code_info.location
        self._leading = {tuple(location.path): location.leading_comments for location in locations}
        syntax = next(location for location in locations if tuple(location.path) == (_SYNTAX,))
        self.file = _text(syntax.leading_comments)

    def before(self, *path: int) -> str:
        """The comment before something, as one paragraph."""
        return " ".join(self._leading.get(path, "").split())


def _text(comment: str) -> str:
    return "\n".join(line.removeprefix(" ") for line in comment.strip("\n").splitlines())


def compiled() -> FileDescriptorProto:
    """The `.proto`, with its comments.

    Raises:
        RuntimeError: It does not compile.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "set"
        includes = [f"-I{PROTOS}", f"-I{files('grpc_tools') / '_proto'}"]
        if protoc.main(["protoc", *includes, "--include_source_info", f"--descriptor_set_out={out}", PROTO]):
            raise RuntimeError(f"{PROTO} does not compile")
        (file,) = FileDescriptorSet.FromString(out.read_bytes()).file
    return file


def page() -> str:
    """The whole reference, in Markdown."""
    file = compiled()
    comments = Comments(file)
    parts = [HEAD + comments.file, *_services(file, comments), *_messages(file, comments), *_enums(file, comments)]
    return "\n\n".join(parts) + "\n"


def _services(file: FileDescriptorProto, comments: Comments) -> Iterator[str]:
    for number, service in enumerate(file.service):
        yield f"## Service {file.package}.{service.name}\n\n{comments.before(_SERVICES, number)}"
        lines = ["| call | request | answer | |", "|---|---|---|---|"]
        for index, method in enumerate(service.method):
            answer = _link(method.output_type, file)
            stream = f"stream of {answer}" if method.server_streaming else answer
            what = comments.before(_SERVICES, number, _METHODS, index)
            lines.append(f"| `{method.name}` | {_link(method.input_type, file)} | {stream} | {_cell(what)} |")
        yield "\n".join(lines)


def _messages(file: FileDescriptorProto, comments: Comments) -> Iterator[str]:
    yield "## Messages"
    for number, message in enumerate(file.message_type):
        yield f"### {message.name}\n\n{comments.before(_MESSAGES, number)}"
        if message.field:
            lines = ["| field | type | |", "|---|---|---|"]
            for index, field in enumerate(message.field):
                what = comments.before(_MESSAGES, number, _FIELDS, index)
                lines.append(f"| `{field.name}` | {_type(field, message, file)} | {_cell(what)} |")
            yield "\n".join(lines)


def _enums(file: FileDescriptorProto, comments: Comments) -> Iterator[str]:
    yield "## Enumerations"
    for number, enum in enumerate(file.enum_type):
        yield f"### {enum.name}\n\n{comments.before(_ENUMS, number)}"
        yield _values(enum, [comments.before(_ENUMS, number, _VALUES, index) for index in range(len(enum.value))])


def _values(enum: EnumDescriptorProto, comments: Sequence[str]) -> str:
    rows = [
        f"| `{value.name}` | {value.number} | {_cell(what)} |" for value, what in zip(enum.value, comments, strict=True)
    ]
    return "\n".join(["| value | number | |", "|---|---|---|", *rows])


def _type(field: FieldDescriptorProto, message: DescriptorProto, file: FileDescriptorProto) -> str:
    entry = next((nested for nested in message.nested_type if field.type_name.endswith(f".{nested.name}")), None)
    if entry is not None and entry.options.map_entry:
        key, value = entry.field
        return f"map of {_plain(key, file)} to {_plain(value, file)}"
    plain = _plain(field, file)
    if field.label == FieldDescriptorProto.LABEL_REPEATED:
        return f"list of {plain}"
    if field.proto3_optional:
        return f"optional {plain}"
    return f"one of: {plain}" if field.HasField("oneof_index") else plain


def _plain(field: FieldDescriptorProto, file: FileDescriptorProto) -> str:
    if field.type_name:
        return _link(field.type_name, file)
    return FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()


def _link(type_name: str, file: FileDescriptorProto) -> str:
    ours = f".{file.package}."
    name = type_name.removeprefix(ours)
    return f"[{name}](#{name.lower()})" if type_name.startswith(ours) else f"`{type_name.removeprefix('.')}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    """Write the page."""
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
