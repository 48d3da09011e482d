"""Prometheus metrics of maglevd: the exporter `prometheus`."""
