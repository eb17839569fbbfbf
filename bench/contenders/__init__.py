"""The contenders of the whole race by name, and where each one's class is.

Only a contender's own process imports its library.
"""

CONTENDERS = {
    "sigmax": "sigmax._bench.contenders:Sigmax",
    "numpy": "sigmax._bench.contenders:NumPy",
    "torch_eager": "contenders.torch_eager:TorchEager",
    "torch_compile": "contenders.torch_compile:TorchCompile",
    "jax_scan": "contenders.jax_scan:JaxScan",
    "sklearn_mlp": "contenders.sklearn_mlp:SklearnMLP",
    "onnxruntime_inference": "contenders.onnxruntime_inference:OnnxRuntime",
}

# The same library with other options, raced against itself.
VARIANTS = {
    "sigmax_shuffled": "sigmax._bench.contenders:SigmaxShuffled",
    "sigmax_float64": "sigmax._bench.contenders:SigmaxFloat64",
}
