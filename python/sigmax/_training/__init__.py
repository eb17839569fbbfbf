"""What changes a model over epochs: options, the loop, history, checkpoints."""
