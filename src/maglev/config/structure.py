"""Turns plain data into typed values, strictly, and reports everything that does not fit at once.

cattrs dispatches on types; the hooks are our own, so that nothing is coerced (5 is no string, "10" no number, `true` no
1) and the messages of options' validators reach the person who wrote the file.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from datetime import timedelta
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import attrs
import cattrs

from maglev.config.describe import describe_type, describe_value, is_list, is_mapping
from maglev.config.faults import Fault, MisfitError, misfit
from maglev.config.fields import Maker
from maglev.config.values import Address, parse_duration, seconds_to_duration
from maglev.domain.names import Speller

Hook = Callable[[Any, Any], Any]


class Structurer:
    """Makes values of types. One per load: its speller bounds the work spent on hints.

    Types: str, bytes, int, float, bool, `timedelta`, addresses, `Path`, enums, `Literal`, unions, lists and mappings of
    those, and attrs classes of `maglev.api.option` fields; `Any` takes all; others are left to cattrs.
    """

    def __init__(self) -> None:
        self.speller = Speller()
        self._converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=False)
        factories: list[tuple[Callable[[Any], bool], Callable[[Any], Hook]]] = [
            (is_mapping, self._mapping_hook),
            (is_list, self._list_hook),
            (lambda t: get_origin(t) is Literal or (isinstance(t, type) and issubclass(t, Enum)), _choice_hook),
            (lambda t: get_origin(t) in (Union, types.UnionType), self._union_hook),
            (lambda t: attrs.has(get_origin(t) or t), lambda t: Maker(t, self.structure, self.speller)),
        ]
        for predicate, factory in factories:
            self._converter.register_structure_hook_factory(predicate, factory)
        for type_, hook in _SIMPLE.items():
            self._converter.register_structure_hook(type_, hook)

    def structure(self, value: Any, wanted: Any) -> Any:
        """Make a value of a type.

        `value` is plain data: mappings, lists and scalars.

        Raises:
            MisfitError: With everything that does not fit.
        """
        try:
            return self._converter.structure(value, wanted)
        except MisfitError:
            raise
        except Exception as error:  # a type that only cattrs knows: whatever it raises says that the value is wrong
            raise misfit(f"must be {describe_type(wanted)}, not {describe_value(value)} ({error})") from error

    def _list_hook(self, wanted: Any) -> Hook:
        element = next(iter(get_args(wanted)), Any)
        origin = get_origin(wanted) or wanted
        make = origin if origin in (list, set, frozenset) else frozenset if origin is AbstractSet else tuple

        def structure(value: Any, _: Any) -> Any:
            if not isinstance(value, list | tuple):
                raise misfit(f"must be a list, not {describe_value(value)}")
            return self._all(enumerate(value), element, lambda pairs: make(item for _, item in pairs))

        return structure

    def _mapping_hook(self, wanted: Any) -> Hook:
        key, element = get_args(wanted) or (str, Any)

        def structure(value: Any, _: Any) -> Any:
            if not isinstance(value, dict | None):
                raise misfit(f"must be a mapping, not {describe_value(value)}")
            items = (value or {}).items()
            return self._all(items, element, lambda pairs: {self.structure(k, key): v for k, v in pairs})

        return structure

    def _all(self, items: Iterable[tuple[Any, Any]], element: Any, make: Callable[[list[tuple[Any, Any]]], Any]) -> Any:
        faults: list[Fault] = []
        made: list[tuple[Any, Any]] = []
        for step, item in items:
            try:
                made.append((step, self.structure(item, element)))
            except MisfitError as error:
                faults += (fault.below(step) for fault in error.faults)
                if error.partial is not attrs.NOTHING:
                    made.append((step, error.partial))
        if faults:
            raise MisfitError(faults, make(made))
        return make(made)

    def _union_hook(self, wanted: Any) -> Hook:
        members = [member for member in get_args(wanted) if member is not type(None)]
        optional = len(members) < len(get_args(wanted))
        if {IPv4Address, IPv6Address} <= set(members):
            members = [Address, *(m for m in members if m not in (IPv4Address, IPv6Address))]

        def structure(value: Any, _: Any) -> Any:
            if value is None and optional:
                return None
            errors: list[MisfitError] = []
            for member in members:
                try:
                    return _address(value, member) if member is Address else self.structure(value, member)
                except MisfitError as error:
                    errors.append(error)
            raise _likeliest(errors, wanted, value)

        return structure


def _likeliest(errors: list[MisfitError], wanted: Any, value: Any) -> MisfitError:
    if len(errors) == 1:
        return errors[0]
    told_more = [error for error in errors if error.faults[0].path or error.faults[0].severity == "meaning"]
    if told_more:
        return told_more[0]
    return _wrong(value, wanted)


def _wrong(value: Any, wanted: Any, hint: str = "") -> MisfitError:
    return misfit(f"must be {describe_type(wanted)}, not {describe_value(value)}{hint}")


def _string(value: Any, wanted: Any) -> Any:
    if wanted is not str:  # an enum of strings, which is a class of strings to cattrs
        return _choice_hook(wanted)(value, wanted)
    if not isinstance(value, str):
        hint = "; put it in quotes" if isinstance(value, bool | int | float) else ""
        raise _wrong(value, str, hint)
    return value


def _bytes(value: Any, _: Any) -> bytes:
    return str(_string(value, str)).encode()


def _path(value: Any, _: Any) -> Path:
    if not _string(value, str):
        raise _wrong(value, Path)
    return Path(value)


def _whole(value: Any, wanted: Any) -> Any:
    if wanted is not int:  # likewise
        return _choice_hook(wanted)(value, wanted)
    if isinstance(value, bool) or not isinstance(value, int):
        looks_whole = isinstance(value, str) and value.isdecimal() and value.isascii()
        hint = "; write it without quotes or leading zeros" if looks_whole else ""
        raise _wrong(value, int, hint)
    return value


def _number(value: Any, _: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(value, float)
    return float(value)


def _boolean(value: Any, _: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong(value, bool)
    return value


def _duration(value: Any, _: Any) -> timedelta:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _wrong(value, timedelta)
    try:
        return parse_duration(value) if isinstance(value, str) else seconds_to_duration(value)
    except ValueError as error:
        raise misfit(str(error)) from error


def _address(value: Any, wanted: Any) -> Any:
    if not isinstance(value, str):
        raise _wrong(value, wanted)
    try:
        found = ip_address(value)
    except ValueError as error:
        hint = "; an address without a prefix length is needed" if "/" in value else ""
        raise _wrong(value, wanted, hint) from error
    if not isinstance(found, wanted):
        raise misfit(f"must be {describe_type(wanted)}; {found} is of the other family", "meaning")
    return found


def _choice_hook(wanted: Any) -> Hook:
    """Take one of the values of a `Literal` or of the members of an enum."""
    choices = [(choice, choice) for choice in get_args(wanted)] or [(member.value, member) for member in wanted]

    def structure(value: Any, _: Any) -> Any:
        for choice, meant in choices:
            if choice == value and type(choice) is type(value):
                return meant
        raise _wrong(value, wanted)

    return structure


_SIMPLE: dict[Any, Hook] = {
    str: _string,
    bytes: _bytes,
    Path: _path,
    int: _whole,
    float: _number,
    bool: _boolean,
    timedelta: _duration,
    IPv4Address: _address,
    IPv6Address: _address,
}
