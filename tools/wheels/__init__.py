"""Judges the wheels of a release: what is in them, and whether they work where somebody installs them."""
