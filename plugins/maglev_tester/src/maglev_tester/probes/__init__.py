"""How VIPs are probed: checkers for the engine of maglevd, one for each VIP."""
