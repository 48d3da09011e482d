"""Turns the API's answers into views: pure values that `maglev_cli.render` writes as text."""
