"""The entry point of `maglevd`, which is `python -m maglev.cli` too."""

from maglev.cli import hangup


def main() -> None:
    """Run `maglevd`."""
    hangup.hold()
    from maglev.cli.command import main as run  # after that: the imports take a good part of a second

    run()


if __name__ == "__main__":  # a worker process imports this too
    main()
