"""TCP health checks for maglevd: the checker `tcp`: connect, send and expect, TLS handshake."""
