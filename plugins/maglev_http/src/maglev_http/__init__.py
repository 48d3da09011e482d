"""HTTP and HTTPS health checks for maglevd: the checkers `http` and `https`."""
