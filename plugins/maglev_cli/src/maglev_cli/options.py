"""What the command line and the environment say to `maglevc`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from maglev_cli.render import Output

if TYPE_CHECKING:
    from maglev_grpc.client import Security

SHELLS = ("bash", "zsh", "fish")
_SHOWN: dict[str, Any] = {"show_envvar": True}


@attrs.frozen
class Invocation:
    """One start of `maglevc`.

    Args:
        server: Where maglevd is.
        output: Where answers go, and in which form.
        files: Of TLS and token: `ca`, `cert`, `key`, `token_file`.
        server_name: The name to expect in the server's certificate; empty for that of the server.
        words: The command; none: read commands.
    """

    server: str
    output: Output
    files: Mapping[str, Path | None]
    server_name: str
    words: tuple[str, ...] = ()

    @classmethod
    def parsed(cls, values: Mapping[str, Any]) -> Invocation:
        """Read what click has parsed.

        Args:
            values: By parameter name, as `options` names them.
        """
        return cls(
            server=values["server"],
            output=Output(values["output"], values["color"]),
            files={name: values[name] for name in ("ca", "cert", "key", "token_file")},
            server_name=values["server_name"] or "",
            words=tuple(values["words"]),
        )

    @property
    def security(self) -> Security:
        """How to speak to the server; raises `ValueError` if the options do not fit together."""
        from maglev_grpc.client import Security  # noqa: PLC0415  (what is wrong before needs no gRPC)

        return Security(**self.files, server_name=self.server_name)


def options() -> list[click.Parameter]:
    """The options, without those that click brings."""
    return [
        click.Option(
            ["--server"],
            metavar="HOST:PORT",
            envvar="MAGLEV_SERVER",
            default="localhost:9090",
            show_default=True,
            help="Where maglevd is: host, host:port, [address]:port or unix:/path",
            **_SHOWN,
        ),
        click.Option(
            ["--output"],
            envvar="MAGLEV_OUTPUT",
            type=click.Choice(["text", "json"]),
            default="text",
            show_default=True,
            help="Text for people, or the API's message as JSON",
            **_SHOWN,
        ),
        click.Option(
            ["--color/--no-color"],
            envvar="MAGLEV_COLOR",
            default=None,
            help="Colour, or none; without either, colour on a terminal unless NO_COLOR is set",
            **_SHOWN,
        ),
        *_security_options(),
        click.Option(
            ["--completion"],
            type=click.Choice(SHELLS),
            help="Print what a shell needs to complete the commands of maglevc, and exit",
        ),
    ]


def _security_options() -> list[click.Parameter]:
    described = {
        "ca": "Speak TLS, and check the server's certificate against those in FILE",
        "cert": "Speak TLS with this certificate of the client's own",
        "key": "The private key of that certificate",
        "token-file": "Speak TLS, and send the token in FILE",
    }
    made: list[click.Parameter] = [
        click.Option(
            [f"--{name}"],
            metavar="FILE",
            type=click.Path(path_type=Path),
            envvar=f"MAGLEV_{name.replace('-', '_').upper()}",
            help=text,
            **_SHOWN,
        )
        for name, text in described.items()
    ]
    name = click.Option(
        ["--server-name"],
        metavar="NAME",
        envvar="MAGLEV_SERVER_NAME",
        help="The name to expect in the server's certificate",
        **_SHOWN,
    )
    return [*made, name]
