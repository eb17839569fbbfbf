"""The parts of `SigmaxClassifier` beside the network itself."""
