"""Keeps gRPC's C core from writing to standard error.

It has lines of its own for every failed handshake: in the middle of maglevd's JSON, and around the one line that a
command fails with. What matters of them is raised, logged or told to the caller anyway. `GRPC_VERBOSITY` in the
environment, which gRPC reads once at its start, decides otherwise.
"""

from __future__ import annotations

import os

os.environ.setdefault("GRPC_VERBOSITY", "NONE")
