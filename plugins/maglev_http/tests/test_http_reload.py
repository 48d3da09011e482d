"""A reload that changes every `https` check: its contexts are shared, and made beside the event loop."""

from __future__ import annotations

import ssl
import threading
import weakref
from pathlib import Path

import anyio
import anyio.to_thread
import attrs
import pytest
import trustme

from maglev import client_tls
from maglev.api import Actor, ReloadConfig
from maglev.library import open_controller
from maglev.tls_options import TlsOptions

CHECKS = 100
ACTOR = Actor("test", "library")


def yaml(path: str, certificate: Path) -> str:
    lines = ["maglev:", "  dataplane: memory", "  healthchecks:"]
    lines += [
        f"    c{n}: {{type: https, port: 1, interval: 1h, params: {{host: a.example, path: /{path}/{n}"
        f"{f', certificate: {certificate}' if n % 2 else ''}}}}}"
        for n in range(CHECKS)
    ]
    lines.append("  backends:")
    lines += [f"    b{n}: {{address: 127.1.0.{n + 1}, healthcheck: c{n}}}" for n in range(CHECKS)]
    return "\n".join(lines) + "\n"


@attrs.define
class Made:
    """The contexts that were made, and in which threads."""

    contexts: list[weakref.ref[ssl.SSLContext]] = attrs.field(factory=list)
    threads: list[threading.Thread] = attrs.field(factory=list)

    def alive(self) -> int:
        return sum(context() is not None for context in self.contexts)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    noted, make = Made(), client_tls._make

    def make_and_note(options: TlsOptions, alpn: tuple[str, ...]) -> ssl.SSLContext:
        context = make(options, alpn)
        noted.contexts.append(weakref.ref(context))
        noted.threads.append(threading.current_thread())
        return context

    monkeypatch.setattr(client_tls, "_make", make_and_note)
    # No other test's context is to be found.
    monkeypatch.setattr(client_tls, "_contexts", weakref.WeakValueDictionary())
    return noted


async def test_all_checks_share_contexts_which_are_made_beside_the_loop_and_do_not_add_up(
    authority: trustme.CA, tmp_path: Path, made: Made
) -> None:
    file, certificate = anyio.Path(tmp_path / "maglev.yaml"), tmp_path / "client.pem"

    async def change(path: str, *, replace: bool) -> None:
        if replace:
            pem = authority.issue_cert("client.example").private_key_and_cert_chain_pem
            await anyio.to_thread.run_sync(pem.write_to_path, str(certificate))
        await file.write_text(yaml(path, certificate))

    await change("start", replace=True)
    async with open_controller(Path(file)) as control:
        for count in range(4):
            known = {id(job.checker) for job in control.jobs.prober.jobs}
            made.threads.clear()

            await change(str(count), replace=count % 2 == 1)
            await control.command(ReloadConfig(), ACTOR)

            # One with a certificate and one without; only that whose file was replaced is made anew.
            assert threading.current_thread() not in made.threads
            assert len(made.threads) == count % 2
            assert not known & {id(job.checker) for job in control.jobs.prober.jobs}
            with anyio.fail_after(20):
                while made.alive() > 2:  # noqa: ASYNC110 - the old checkers are closed by and by
                    await anyio.sleep(0.005)
            assert made.alive() == client_tls.contexts_in_use() == 2
