"""The exporter `prometheus`: counts, listens, and serves."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import anyio
import anyio.abc
import anyio.to_thread

from maglev.api import Control, Exporter
from maglev.descriptors import for_strangers
from maglev.listening import check_address, opened
from maglev.serving import plain_text
from maglev_prometheus.options import PrometheusOptions
from maglev_prometheus.pages import Pages
from maglev_prometheus.probes import Probes
from maglev_prometheus.scrape import Meters, Scrapes
from maglev_prometheus.secrets import Secrets, read_secrets
from maglev_prometheus.server import MOST_CONNECTIONS, Server, listen
from maglev_prometheus.transitions import BUFFER, WANTED

log = logging.getLogger("maglev.prometheus")

_METERS: WeakKeyDictionary[Control, Meters] = WeakKeyDictionary()
"""Each controller's. An exporter that crashed comes back as another object, and must not begin at 0."""


class PrometheusExporter(Exporter):
    """Serves `/metrics`, `/healthz` and `/readyz`."""

    name: ClassVar[str] = "prometheus"
    Options: ClassVar[type[Any]] = PrometheusOptions

    def __init__(self, options: PrometheusOptions) -> None:
        super().__init__(options)
        self.options: PrometheusOptions = options
        self.port: int | None = None
        """The port that is listened on, once `ready` was called."""
        self.scrapes: Scrapes | None = None
        self._secrets = Secrets()

    @property
    def enabled(self) -> bool:
        """Whether there is an address to listen on."""
        return bool(self.options.addr)

    @classmethod
    def check(cls, options: PrometheusOptions) -> None:
        """Read the certificate and the password, and look at the address."""
        read_secrets(options)
        check_address(options.addr)

    async def reload(self, options: PrometheusOptions) -> Sequence[str]:
        """Read the certificate and the password again; the next connection and the next request have them.

        Raises:
            ValueError: A file cannot be used; nothing was changed.
        """
        secrets, old = await anyio.to_thread.run_sync(read_secrets, options, abandon_on_cancel=True), self._secrets
        self._secrets, self.options = secrets, options
        return secrets.differences(old)

    async def serve(self, control: Control, ready: Callable[[], None]) -> None:
        """Serve until cancelled."""
        self._secrets = await anyio.to_thread.run_sync(read_secrets, self.options)
        with await opened(partial(listen, self.options.addr), self._cannot_listen) as listener:
            self.trouble(self.options.addr, None)
            self.port = listener.getsockname()[1]
            secret = "the password for metrics" if self._secrets.credentials else ""
            if warning := plain_text(listener, tls=self._secrets.tls is not None, secret=secret):
                log.warning("plain-text", extra={"maglev_fields": {"exporter": self.name, "problem": warning}})
            each_backend = self.options.probe_histogram == "backend"
            meters = _METERS.setdefault(control, Meters(Probes(each_backend=each_backend)))
            scrapes = self.scrapes = Scrapes(control, meters)
            pages = Pages(control, scrapes, lambda: self._secrets)
            server = Server(pages.app(), tls=lambda: self._secrets.tls, most=_room(control))
            async with control.observe_probes(meters.probes), anyio.create_task_group() as tasks:
                await tasks.start(_count, control, meters)
                if self.options.traces:
                    # Not needed otherwise, and perhaps not there.
                    tracing = await anyio.to_thread.run_sync(import_module, "maglev_prometheus.tracing")
                    await tasks.start(tracing.send_traces, control, self.options.traces)
                ready()
                await server.serve(listener)

    def _cannot_listen(self, why: str) -> None:
        self.trouble(self.options.addr, why)
        log.warning("cannot-listen", extra={"maglev_fields": {"exporter": self.name, "problem": why}})


def _room(control: Control) -> int:
    """The number of allowed connections: fewer if descriptors are scarce."""
    return min(MOST_CONNECTIONS, for_strangers(len(control.metrics().backends)) // 3)


async def _count(
    control: Control, meters: Meters, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    async with control.subscribe(WANTED, buffer=BUFFER) as subscription:
        meters.transitions.begin(subscription.snapshot)
        task_status.started()
        async for delivery in subscription.events:
            meters.transitions.take(delivery.event)
