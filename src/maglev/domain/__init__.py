"""The pure core: values in, values out; no I/O, and time is an argument."""
