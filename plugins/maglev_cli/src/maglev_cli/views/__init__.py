"""What answers look like: pure values made of what the API tells, for `maglev_cli.render` to put into text."""
