"""Redis health checks for maglevd: the checker `redis`."""
