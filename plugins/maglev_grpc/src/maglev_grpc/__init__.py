"""The gRPC API of maglevd: the exporter `grpc`, and a typed client in `maglev_grpc.client`."""

import maglev_grpc.quiet  # noqa: F401  (before anything else here imports gRPC)
