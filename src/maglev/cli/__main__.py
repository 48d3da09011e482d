"""`python -m maglev.cli` is `maglevd`."""

from maglev.cli import main

if __name__ == "__main__":  # a worker process imports this too
    main()
