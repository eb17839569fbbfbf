"""The benchmark of `sigmax bench` and bench/: workloads, contenders, processes, rounds."""
