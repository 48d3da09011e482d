"""The parts of `bench_probes`: subjects that probe, servers to probe, and readings of the system's accounts."""
