"""What `SigmaxClassifier` is made of, beside the network itself."""
