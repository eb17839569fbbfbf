"""The race of `sigmax bench` and of the whole bench: workloads, contenders, processes, rounds."""
