"""The command `maglevt`: probes VIPs from outside and shows what a client sees."""
