"""The gRPC API of maglevd: the exporter `grpc`, and a typed client in `maglev_grpc.client`."""
