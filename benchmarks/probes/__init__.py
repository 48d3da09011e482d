"""What `bench_probes` is made of: subjects that probe, servers that are probed, and the operating system's accounts."""
