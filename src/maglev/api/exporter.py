"""The contract of an exporter, which shows the controller to the outside world."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from maglev.api.control import Control
from maglev.api.options import NoOptions


class Exporter(ABC):
    """A server, a writer or a feed. If it crashes, this is logged, and it is restarted with back-off."""

    name: ClassVar[str]
    """Its key under `exporters:` in the configuration."""
    Options: ClassVar[type[Any]] = NoOptions
    """An attrs class made of `maglev.api.option` fields."""

    def __init__(self, options: Any) -> None:
        """Take the options, an instance of `Options`. Must not touch the outside world."""
        self.options = options
        self.troubles: dict[str, str] = {}
        """What of it does not work just now, and why, by address or path: as `trouble` was told."""
        self.on_trouble: Callable[[str, str | None], object] | None = None
        """The daemon's: is called with what `trouble` was told."""

    def trouble(self, what: str, why: str | None) -> None:
        """Report that a part does not work while the rest does, or that it works again; operators see it.

        Args:
            what: An address that is listened on, a path.
            why: The cause, in one line; `None` if it works.
        """
        if self.troubles.get(what) == why:
            return
        if why is None:
            del self.troubles[what]
        else:
            self.troubles[what] = why
        if self.on_trouble is not None:
            self.on_trouble(what, why)

    @property
    def enabled(self) -> bool:
        """Whether there is anything to serve: an empty address switches an exporter off."""
        return True

    @abstractmethod
    async def serve(self, control: Control, ready: Callable[[], None]) -> None:
        """Serve until cancelled.

        Args:
            control: The running controller.
            ready: To be called once, when clients can connect: the daemon is ready when all its exporters are.
        """

    @classmethod
    def check(cls, options: Any) -> None:
        """Check what serving with these options needs (certificates, token files, addresses); may block.

        `maglevd check`, `config check` and reloads call it, in another process than the one that serves.

        Args:
            options: An instance of `Options`.

        Raises:
            ValueError: An option cannot be used; the message names it and says why.
            OSError: A file or an address cannot be used.
        """
        return

    async def reload(self, options: Any) -> Sequence[str]:
        """Take new options while serving (certificates, tokens). The default keeps the old ones.

        Args:
            options: A new instance of `Options`. Options marked `Reload.RESTART` are the old ones in any case.

        Returns:
            The changes, in words; empty if there is none.

        Raises:
            ValueError: They cannot be used; nothing was changed.
        """
        return ()
