"""Operations in words, for logs, events, errors and previews: one wording everywhere."""

from __future__ import annotations

from maglev.api import AddServer, AddVip, DeleteServer, DeleteVip, Operation, SetConf, SetWeight

_KINDS: dict[type, str] = {
    AddVip: "add-vip",
    DeleteVip: "delete-vip",
    AddServer: "add-server",
    DeleteServer: "delete-server",
    SetWeight: "set-weight",
    SetConf: "set-conf",
}


def kind_of(operation: Operation) -> str:
    """The kind of an operation as events and metrics name it (`set-weight`)."""
    return _KINDS[type(operation)]


def describe(operation: Operation) -> str:
    """One operation in words, naming VIP and server."""
    kind = kind_of(operation)
    match operation:
        case SetConf():
            return kind
        case AddVip() | DeleteVip():
            return f"{kind} {operation.vip}"
        case AddServer():
            return f"{kind} {operation.vip} {operation.server} weight {operation.weight}"
        case DeleteServer():
            return f"{kind} {operation.vip} {operation.server}{' flush' if operation.flush else ''}"
        case SetWeight():
            flush = " flush" if operation.flush else ""
            return f"{kind} {operation.vip} {operation.server} weight {operation.weight}{flush}"
