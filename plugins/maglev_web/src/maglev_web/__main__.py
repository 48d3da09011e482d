"""`python -m maglev_web` is `maglevd-frontend`."""

from maglev_web.command import main

main()
