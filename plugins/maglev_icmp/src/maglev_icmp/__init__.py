"""ICMP echo health checks for maglevd: the checker `icmp`: echo over IPv4 and IPv6."""
