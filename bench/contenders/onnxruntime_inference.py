"""ONNX Runtime, for inference: a graph of Gemm, Sigmoid and Softmax."""

from __future__ import annotations

from sigmax._bench.contenders import Contender, split


class OnnxRuntime(Contender):
    """Weights are constants, so that the session may pack them beforehand."""

    name = "onnxruntime_inference"
    packages = ("onnxruntime", "onnx")
    trains = False

    def setup(self, sizes, X, y, batch, rate):
        self._sizes = tuple(sizes)

    def load_parameters(self, flat):
        import onnxruntime

        self._flat = flat.copy()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self._session = onnxruntime.InferenceSession(
            self._graph(), options, providers=["CPUExecutionProvider"]
        )

    def _graph(self):
        """Return the serialised ONNX model, input ``x (n, n_0)``, output ``a (n, n_L)``."""
        from onnx import TensorProto, helper, numpy_helper

        constants, nodes, name = [], [], "x"
        pairs = list(zip(*split(self._flat, self._sizes), strict=True))
        for layer, (W, b) in enumerate(pairs, start=1):
            constants += [
                numpy_helper.from_array(W, f"W{layer}"),
                numpy_helper.from_array(b, f"b{layer}"),
            ]
            nodes.append(
                helper.make_node("Gemm", [name, f"W{layer}", f"b{layer}"], [f"z{layer}"], transB=1)
            )
            activation, name = ("Softmax", "a") if layer == len(pairs) else ("Sigmoid", f"a{layer}")
            nodes.append(helper.make_node(activation, [f"z{layer}"], [name]))
        rows_in = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", self._sizes[0]])
        rows_out = helper.make_tensor_value_info("a", TensorProto.FLOAT, ["n", self._sizes[-1]])
        graph = helper.make_graph(nodes, "network", [rows_in], [rows_out], constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        return model.SerializeToString()

    def parameters(self):
        return self._flat.copy()

    def infer(self, rows):
        return self._session.run(None, {"x": rows})[0]
