"""ONNX's generators of tests for single nodes: the op types that the library has. See foreign.py."""

import warnings

import numpy as np
import onnx
from onnx.backend.test.case.node import collect_testcases

from foreign_common import Suite, words

ONNX = f"onnx {onnx.__version__}"

# What tests/foreign can run, whole or in part. Of all other op types the file holds the names of their tests.
KINDS = {op: kind for kind, ops in {
    "map": """Abs Celu Clip Elu Erf Exp Gelu HardSigmoid HardSwish Identity LeakyRelu Log LogSoftmax Mish Neg PRelu
        Reciprocal Relu Selu Sigmoid Sign Softmax Softplus Softsign Sqrt Swish Tanh""",
    "zip": "Add Div Equal Greater Less Max Mean Min Mul Pow Sub Sum Where",
    "reduce": "ArgMax ReduceL1 ReduceL2 ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceSum ReduceSumSquare",
    "product": "Gemm MatMul",
    "rearrange": "Concat Flatten Gather OneHot Reshape Slice Split Squeeze Transpose Unsqueeze",
    "norm": "BatchNormalization LayerNormalization RMSNormalization",
    "recurrent": "GRU LSTM RNN",
    "attention": "Attention",
    "loss": "NegativeLogLikelihoodLoss SoftmaxCrossEntropyLoss",
    "optimizer": "Adagrad Adam Momentum",
}.items() for op in ops.split()}

MOST_NUMBERS = 20_000  # in a case that is kept


def attributes(node):
    value = lambda attribute: onnx.helper.get_attribute_value(attribute)
    text = lambda x: x.decode() if isinstance(x, bytes) else [text(i) for i in x] if isinstance(x, list) else x
    simple = {attribute.name: text(value(attribute)) for attribute in node.attribute
              if attribute.type not in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.TENSOR)}
    return dict(sorted(simple.items()))


def nodes():
    warnings.simplefilter("ignore")  # overflow in casts, which is what is tested
    suite = Suite("onnx_nodes")
    for case in sorted(collect_testcases(None), key=lambda case: case.name):
        graph = case.model.graph
        name = case.name.removeprefix("test_")
        # The same numbers once more, by the functions that the node is defined by.
        if len(graph.node) != 1 or "_expanded" in name:
            continue
        node, label = graph.node[0], ""
        kind = KINDS.get(node.op_type)
        # Single numbers come as scalars of NumPy.
        inputs, outputs = ([np.asarray(x) if isinstance(x, np.generic) else x for x in side] for side in case.data_sets[0])
        fits = all(isinstance(x, np.ndarray) and x.dtype in (np.float32, np.float64, np.int32, np.int64, bool, np.uint8)
                   and x.size <= MOST_NUMBERS for x in [*inputs, *outputs])
        name = f"{node.op_type}/{name}"
        if kind is None or not fits:
            suite.list(name, "" if kind is None else f"of {' '.join(sorted({kind_of(x) for x in [*inputs, *outputs]}))}")
            continue
        options = attributes(node)
        # Inputs that may be missing have empty names.
        given = iter(inputs)
        tensors = {f"in.{i}": next(given) for i, what in enumerate(node.input) if what}
        got = iter(outputs)
        tensors |= {f"out.{i}": next(got) for i, what in enumerate(node.output) if what}
        types = {what: str(value.dtype) for what, value in tensors.items() if value.dtype not in (np.float32, np.int64)}
        args = {"op": node.op_type, "attributes": options, "types": types}
        suite.add(name, kind, ONNX, args, tensors, words(options))
    return suite


def kind_of(x):
    if not isinstance(x, np.ndarray):
        return "sequences"
    return str(x.dtype) if x.size <= MOST_NUMBERS else "many numbers"
