"""`maglevc`: the command line of maglevd, one command at a time or as a shell."""
