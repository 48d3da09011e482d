"""Probes VIPs: checkers for the engine of maglevd, one for each VIP."""
