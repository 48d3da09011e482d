"""gRPC health checks for maglevd: the checker `grpc-health`."""
