"""The entry point of `maglevt`: Ctrl-C while it still loads its libraries ends it without a word."""

from __future__ import annotations

import sys

INTERRUPTED = 130
"""What shells report for a program that Ctrl-C has ended."""


def main() -> None:
    """Run the command."""
    try:
        import click  # noqa: PLC0415 - loading takes a moment, this as well as that

        from maglev.shell_completion import answered  # noqa: PLC0415
        from maglev.terminal_text import escape_warnings  # noqa: PLC0415
        from maglev_tester.command import command  # noqa: PLC0415

        escape_warnings()

        try:
            made = command()
            if not answered(made):
                sys.exit(made.main(prog_name="maglevt", standalone_mode=False))
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except click.Abort:
            sys.exit(INTERRUPTED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
