"""The command `maglevd`: options, environment, signals, subcommands. `maglev.cli.__main__` is the way in."""
