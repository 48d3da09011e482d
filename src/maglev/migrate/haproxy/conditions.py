"""Evaluates the conditions of `.if` and `.elif` (HAProxy's manual, section 2.4)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import attrs

_TOKEN = re.compile(r"\s*(&&|\|\||!|\(|\)|[0-9]+(?!\w)|(\w+)\(([^()]*)\))", re.ASCII)
_TAKEN_AS: Mapping[str, bool] = {
    "feature": True,
    "enabled": True,
    "version_atleast": True,
    "openssl_version_atleast": True,
    "version_before": False,
    "openssl_version_before": False,
    "awslc_api_atleast": False,
    "awslc_api_before": False,
    "fips_mode": False,
}
"""What depends on the HAProxy that runs: a recent one with everything is taken, linked with OpenSSL."""
_DEEPEST = 50


class UnreadableError(ValueError):
    """This is no condition."""


@attrs.define
class Conditions:
    """Evaluates conditions.

    Args:
        values: The variables of the environment.
        assumed: Is told of each predicate that cannot be known.
    """

    values: Mapping[str, str]
    assumed: Callable[[str], None]
    _tokens: list[re.Match[str]] = attrs.field(factory=list, init=False)
    _depth: int = attrs.field(default=0, init=False)

    def holds(self, text: str) -> bool:
        """Evaluate a condition; an empty one is false.

        Raises:
            UnreadableError: It cannot be read.
        """
        if not text.strip():
            return False
        self._tokens, at = [], 0
        while text[at:].strip():
            if (found := _TOKEN.match(text, at)) is None:
                raise UnreadableError
            self._tokens.append(found)
            at = found.end()
        self._tokens.reverse()
        result = self._either()
        if self._tokens:
            raise UnreadableError
        return result

    def _next(self, *wanted: str) -> bool:
        """Take the next token if it is one of these."""
        if self._tokens and self._tokens[-1][1] in wanted:
            self._tokens.pop()
            return True
        return False

    def _either(self) -> bool:
        result = self._both()
        while self._next("||"):
            result = self._both() or result
        return result

    def _both(self) -> bool:
        result = self._one()
        while self._next("&&"):
            result = self._one() and result
        return result

    def _one(self) -> bool:
        self._depth += 1
        if self._depth > _DEEPEST or not self._tokens:
            raise UnreadableError
        try:
            if self._next("!"):
                return not self._one()
            if self._next("("):
                result = self._either()
                if not self._next(")"):
                    raise UnreadableError
                return result
            token = self._tokens.pop()
            if token[2]:
                return self._predicate(token[2], token[3].split(","))
            if not token[1].isdigit():
                raise UnreadableError
            return token[1].strip("0") != ""
        finally:
            self._depth -= 1

    def _predicate(self, name: str, arguments: list[str]) -> bool:
        match name, arguments:
            case "defined", [variable]:
                return variable in self.values
            case "streq", [one, other]:
                return one == other
            case "strneq", [one, other]:
                return one != other
            case "strstr", [text, part]:
                return part in text
            case "ssllib_name_startswith", [prefix]:
                result = "OpenSSL".startswith(prefix)
            case _ if name in _TAKEN_AS:
                result = _TAKEN_AS[name]
            case _:
                raise UnreadableError
        self.assumed(f"{name}({','.join(arguments)}) is taken as {'true' if result else 'false'}")
        return result
