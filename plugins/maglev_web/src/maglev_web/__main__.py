"""The entry point of `maglevd-frontend`, which is `python -m maglev_web` too."""

import signal


def main() -> None:
    """Run `maglevd-frontend`."""
    # A reload is for the daemons: this has nothing to read again. The imports take a good part of a second.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    from maglev_web.command import main as run  # noqa: PLC0415  (after that)

    run()


if __name__ == "__main__":
    main()
