"""Calls the hook implementations of a plugin, and checks what they return."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pluggy

from maglev.api import Checker, Dataplane, Exporter

HOOKS: dict[str, type[Any]] = {
    "maglev_checkers": Checker,
    "maglev_dataplanes": Dataplane,
    "maglev_exporters": Exporter,
}
"""The base of the classes that each hook returns."""


def kind_of(hook: str) -> str:
    """Return the kind of the classes that a hook returns: `checker`, `dataplane` or `exporter`."""
    return hook.removeprefix("maglev_").removesuffix("s")


class RefusedError(Exception):
    """A plugin, or a class of it, cannot be used; the message says why."""


def register(manager: pluggy.PluginManager, plugin: object, name: str) -> dict[str, Callable[[], Any]]:
    """Register a plugin.

    Returns:
        Its implementations by hook.

    Raises:
        RefusedError: It implements no hook, one that does not exist, or one in a way that cannot be called.
    """
    try:
        manager.register(plugin, name)
    except (ValueError, pluggy.PluginValidationError) as error:
        manager.unregister(name=name)
        raise RefusedError(str(error).replace("\n", "; ")) from error
    try:
        return dict(_implementations(manager, plugin))
    except RefusedError:
        manager.unregister(plugin)
        raise


def _implementations(manager: pluggy.PluginManager, plugin: object) -> Iterator[tuple[str, Callable[[], Any]]]:
    callers = manager.get_hookcallers(plugin) or []
    if not callers:
        raise RefusedError("implements no hook; are its functions marked with `@hookimpl`?")
    for caller in callers:
        if caller.name not in HOOKS:
            raise RefusedError(f"implements the hook {caller.name}, which does not exist; hooks: {', '.join(HOOKS)}")
        for implementation in caller.get_hookimpls():
            if implementation.plugin is plugin:
                _check_callable(caller.name, implementation)
                yield caller.name, implementation.function


def _check_callable(hook: str, implementation: pluggy.HookImpl) -> None:
    function = implementation.function
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise RefusedError(f"implements {hook} with `async def`: hooks only hand over classes, use a plain `def`")
    if implementation.wrapper or implementation.hookwrapper:
        raise RefusedError(f"implements {hook} as a wrapper: there is nothing to wrap, use a plain `def`")


def call(hook: str, function: Callable[[], Any]) -> list[type[Any]]:
    """Call one implementation and check what it returns.

    Raises:
        RefusedError: It raised, or returned something else than classes of the right kind.
    """
    try:
        classes = list(function() or ())
    except Exception as error:
        raise RefusedError(f"{hook} failed: {type(error).__name__}: {error}") from error
    for cls in classes:
        _check_class(hook, cls)
    return classes


def _check_class(hook: str, cls: Any) -> None:
    base = HOOKS[hook]
    if not (isinstance(cls, type) and issubclass(cls, base)):
        raise RefusedError(f"{hook} returned {cls!r}, which is not a subclass of {base.__name__}")
    label = f"{hook} returned {cls.__module__}.{cls.__qualname__}"
    if inspect.isabstract(cls):
        missing = ", ".join(sorted(getattr(cls, "__abstractmethods__", ())))
        raise RefusedError(f"{label}, which does not implement {missing}")
    name = getattr(cls, "name", None)
    if not isinstance(name, str) or not name:
        raise RefusedError(f"{label}, which has no `name`")
    options = getattr(cls, "Options", None)
    if not (isinstance(options, type) and attrs.has(options)):
        raise RefusedError(f"{label}, whose `Options` is not an attrs class")
    try:
        attrs.resolve_types(options)
    except NameError as error:
        raise RefusedError(f"{label}, whose `Options` cannot be read at run time: {error}") from error
