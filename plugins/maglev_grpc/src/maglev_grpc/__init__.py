"""The gRPC API of maglevd: the exporter `grpc`, and a typed client in `maglev_grpc.client`."""

import os

# gRPC's C core has lines of its own on standard error for every failed handshake. What matters of them is raised,
# logged or told to the caller anyway. gRPC reads this once, at its start.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
