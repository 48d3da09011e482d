"""The exit statuses of `maglevc`."""

OK = 0
ERROR = 1
"""maglevd could not be asked, refused a command, or could not carry out all of it."""
WRONG = 2
"""A wrong command or option; nothing was asked of maglevd."""
INTERRUPTED = 130
READER_LEFT = 141
"""Whoever read our output has closed it."""
