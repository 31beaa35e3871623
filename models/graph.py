"""Several ONNX graphs as one, so that a model of several parts is one file and one run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onward.models.trees import OUTPUT

__all__ = ["side_by_side"]


def side_by_side(bodies: Sequence[bytes], *, columns: int) -> bytes:
    """One graph of several that share their input: the last column of each output.

    Parameters
    ----------
    bodies
        Graphs as `onward.models.trees.Trees.to_onnx` gives them.
    columns
        Columns of the output; those beyond the graphs are 0.
    """
    import onnx
    from onnx import TensorProto, compose, helper

    models = [onnx.load_from_string(body) for body in bodies]
    whole, found = helper.make_graph([], "onward", [], []), list[str]()
    opsets = {o.domain: o for model in models for o in model.opset_import}
    for place, model in enumerate(models):
        graph = compose.add_prefix_graph(model.graph, f"h{place}_")
        for node in graph.node:
            node.input[:] = ["X" if name == f"h{place}_X" else name for name in node.input]
        whole.node.extend(graph.node)
        whole.initializer.extend(graph.initializer)
        found.append(_last_column(whole, f"h{place}_", graph.output[0]))
    if len(found) < columns:
        whole.node.append(helper.make_node("Sub", [found[0], found[0]], ["zero"]))
        found += ["zero"] * (columns - len(found))
    whole.input.append(models[0].graph.input[0])
    whole.node.append(helper.make_node("Concat", found, [OUTPUT], axis=1))
    whole.output.append(helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [None, columns]))
    made = helper.make_model(
        whole, opset_imports=[*opsets.values()], ir_version=models[0].ir_version
    )
    body: bytes = made.SerializeToString()
    return body


def _last_column(graph: Any, prefix: str, output: Any) -> str:
    """Adds what takes the last column of an output; gives the new name."""
    from onnx import TensorProto, helper

    given, name = output.name, f"{prefix}column"
    index = helper.make_tensor(f"{prefix}last", TensorProto.INT64, [1], [-1])
    graph.initializer.append(index)
    graph.node.append(helper.make_node("Gather", [given, f"{prefix}last"], [name], axis=1))
    return name
