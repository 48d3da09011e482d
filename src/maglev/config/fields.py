"""Options classes: which keys they have, of which types, and how plain data becomes an instance.

The key of a field is its name with dashes. What may stand there is the annotation of the field's converter where that
is a function with an annotated first parameter (`Any` counts as none), else the field's own annotation.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_type_hints

import attrs

from maglev.api import OptionInfo, option_info, redacted
from maglev.api.secrecy import secret_texts
from maglev.config.describe import describe_value
from maglev.config.faults import Fault, MisfitError, misfit
from maglev.config.values import FRIENDLY
from maglev.domain.names import Speller


@attrs.frozen(eq=False)
class Key:
    """One key of an options class.

    Args:
        name: In YAML, with dashes.
        type: Of what may stand there.
        attribute: The attrs field behind it.
    """

    name: str
    type: Any
    attribute: attrs.Attribute[Any]

    @property
    def info(self) -> OptionInfo:
        """The option's metadata."""
        return option_info(self.attribute)

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.attribute.default is attrs.NOTHING

    @property
    def default(self) -> Any:
        """The default as the class declares it; `attrs.NOTHING` where there is none or it depends on the instance."""
        default: Any = self.attribute.default
        if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # a class at run time, a function to mypy
            return attrs.NOTHING if default.takes_self else default.factory()
        return default

    def default_for(self, instance: object) -> Any:
        """The default in an instance whose earlier fields are set."""
        default: Any = self.attribute.default
        takes_self = getattr(default, "takes_self", False)
        return default.factory(instance) if takes_self else self.default


def keys_of(cls: type[Any]) -> tuple[Key, ...]:
    """Return the keys of an options class, in the order of its fields.

    Raises:
        NameError: An annotation names what is not there at run time.
    """
    attrs.resolve_types(cls)
    fields = [attribute for attribute in attrs.fields(cls) if attribute.init]
    return tuple(Key(a.name.strip("_").replace("_", "-"), _type_of(a), a) for a in fields)


def _type_of(attribute: attrs.Attribute[Any]) -> Any:
    function = getattr(attribute.converter, "converter", attribute.converter)
    if inspect.isfunction(function) and function not in FRIENDLY:
        first = next(iter(inspect.signature(function).parameters), "")
        annotation = get_type_hints(function).get(first, Any)
        if annotation is not Any:
            return annotation
    return Any if attribute.type is None else attribute.type


def message_of(error: BaseException) -> str:
    """Return what an exception says to people; attrs' own validators put more than that into it."""
    text = str(error.args[0]) if error.args else ""
    return text if isinstance(error, ValueError) and text else f"{type(error).__name__}: {text}".removesuffix(": ")


class Maker:
    """Makes instances of one options class of mappings."""

    def __init__(self, cls: Any, structure: Callable[[Any, Any], Any], speller: Speller) -> None:
        self._cls = cls
        self._structure = structure
        self._speller = speller
        self._keys = {key.name: key for key in keys_of(cls)}
        self._required = [key for key in self._keys.values() if key.required]

    def __call__(self, value: Any, _: Any = None) -> Any:
        """Make one.

        Raises:
            MisfitError: With everything that does not fit, and no secret in it.
        """
        try:
            return self._make(value)
        except MisfitError as error:
            secrets = self._secrets(value)
            if not secrets:
                raise
            faults = [attrs.evolve(fault, message=redacted(fault.message, secrets)) for fault in error.faults]
            # The first one's message, and that of what it was raised from, may quote a secret.
            raise MisfitError(faults, error.partial) from None

    def _secrets(self, value: Any) -> frozenset[str]:
        """The secret pieces of what was given, whatever its form."""
        if not isinstance(value, Mapping):
            return frozenset()
        secret = [key for key in self._keys.values() if key.info.secret and key.name in value]
        return frozenset(text for key in secret for text in secret_texts(value[key.name], key.info.secret))

    def _make(self, value: Any) -> Any:
        given = {} if value is None else value
        if not isinstance(given, Mapping):
            raise misfit(f"must be a mapping of keys, not {describe_value(value)}")
        values: dict[Key, Any] = {}
        faults = [fault for name, item in given.items() for fault in self._take(name, item, values)]
        missing = [key for key in self._required if key.name not in given]
        faults += (Fault((), f"the key {key.name!r} is missing") for key in missing)
        unread = len(values) < sum(name in self._keys for name in given)
        if missing or unread:
            raise MisfitError(faults + self._lenient(values)[1])
        try:
            instance = self._cls(**{str(key.attribute.alias): item for key, item in values.items()})
        except Exception as error:
            raise self._refusal(values, faults, error) from error
        if faults:
            raise MisfitError(faults, instance)
        return instance

    def _take(self, name: Any, item: Any, values: dict[Key, Any]) -> Iterable[Fault]:
        """Put the value of one key into `values`, or what can be had of it."""
        key = self._keys.get(name)
        if key is None:
            hint = self._speller.hint(str(name), self._keys) or f"; known here: {', '.join(self._keys) or 'nothing'}"
            return [Fault((name,), f"unknown key {name!r}{hint}", at_key=True)]
        try:
            values[key] = self._structure(item, key.type)
        except MisfitError as error:
            if error.partial is not attrs.NOTHING:
                values[key] = error.partial
            return [fault.below(name) for fault in error.faults]
        return ()

    def _refusal(self, values: Mapping[Key, Any], faults: list[Fault], error: Exception) -> MisfitError:
        """Find the fields whose converters or validators refuse, all of them; else blame the whole."""
        instance, refused = self._lenient(values)
        return MisfitError(faults + (refused or [Fault((), message_of(error), "meaning")]), instance)

    def _lenient(self, values: Mapping[Key, Any]) -> tuple[Any, list[Fault]]:
        """Make an instance whatever its validators say.

        Returns:
            The instance (`attrs.NOTHING` if a converter refused) and what they said.
        """
        instance = object.__new__(self._cls)
        faults: list[Fault] = []
        whole = True
        for key in self._keys.values():
            try:
                value = _converted(key, values[key] if key in values else key.default_for(instance))
                object.__setattr__(instance, key.attribute.name, value)
                if key in values and key.attribute.validator is not None:
                    key.attribute.validator(instance, key.attribute, value)
            except ValueError as error:
                whole = whole and hasattr(instance, key.attribute.name)
                faults.append(Fault((key.name,), message_of(error), "meaning"))
            except Exception:  # noqa: BLE001  (it looked at a field that could not be read; the constructor has said so)
                whole = False
        return (instance if whole else attrs.NOTHING), faults


def _converted(key: Key, value: Any) -> Any:
    converter: Any = key.attribute.converter
    if converter is None or value is attrs.NOTHING:
        return value
    return getattr(converter, "converter", converter)(value)
