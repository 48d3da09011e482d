"""The Debian packages: what is in them, how they are built, and roots to try them in."""
