"""Plays what the pages of the documentation tell a reader to type: `python -m tools.pages docs/tutorial.md`.

`tests/repository/test_pages.py` does so with every page.
"""
