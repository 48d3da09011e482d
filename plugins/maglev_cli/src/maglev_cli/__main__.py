"""`python -m maglev_cli` is `maglevc`."""

from maglev_cli.command import main

if __name__ == "__main__":
    main()
