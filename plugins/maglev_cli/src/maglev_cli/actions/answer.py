"""What an action comes back with, and how most get it: one call, one view."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import attrs

from maglev_cli.views.model import View
from maglev_grpc.client import Client
from maglev_grpc.convert import from_message
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb

T = TypeVar("T")


@attrs.frozen
class Answer:
    """The answer to one command.

    Args:
        message: The API's message, for JSON.
        view: Makes what a person reads.
        errors: What went wrong although there is an answer: each is written as an error, and the exit status says so.
    """

    message: Any
    view: Callable[[], View]
    errors: tuple[str, ...] = ()


async def read(client: Client, call: str, **fields: object) -> Any:
    """Ask maglevd something; returns the message that it answers with.

    Args:
        client: Asks it.
        call: The name of the call, as `GetBackend`.
        fields: The request's fields.
    """
    return await client.read(call, getattr(pb, f"{call}Request")(**fields))


async def one(client: Client, call: str, kind: type[T], view: Callable[[T], View], **fields: object) -> Answer:
    """Ask for one value; the arguments are those of `read`, the value's class, and what shows the value."""
    message = await read(client, call, **fields)
    return Answer(message, lambda: view(from_message(kind, message)))


async def many(client: Client, call: str, kind: type[T], view: Callable[[Sequence[T]], View]) -> Answer:
    """Ask for all values of a kind; the arguments are those of `one`."""
    message = await read(client, call)
    (field,) = message.DESCRIPTOR.fields
    return Answer(message, lambda: view([from_message(kind, each) for each in getattr(message, field.name)]))
