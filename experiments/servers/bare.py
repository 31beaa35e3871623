"""The least that a server can be: what `bench_serving` holds ours against.

Each reads the same request and gives an answer of the same size, and does nothing else: no
history, no features, no rules, no log. ``http`` runs the same model once a request on a row that
never changes; the gRPC ones echo without a model.

Run one as ``python experiments/servers/bare.py {http,grpc,grpc-aio} PORT [MODEL.onnx]``.
"""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
ANSWER: dict[str, Any] = {
    "id": "0123456789abcdef-0",
    "at": 1.7e9,
    "shadow": True,
    "p_success": 0.97,
    "p_approve": 0.99,
    "reversible": "read_only",
    "model": "20260101T000000-abcdef",
    "degraded": "",
}
REASONS = [
    ("model", "succeeds with probability 0.97; the execute band begins at 0.91"),
    ("counts", "120 of 123 steps like it succeeded since the last regret: at least 94%"),
    ("reversibility", "`ls` only reads."),
    ("mode", "shadow mode: this is logged, and nothing acts on it"),
]


def serve_http(port: int, model: Path) -> None:
    """asyncio.Protocol, httptools, msgspec and ONNX Runtime, by hand."""
    import httptools
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    row = np.zeros((1, session.get_inputs()[0].shape[1]), np.float32)
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    encode = msgspec.json.Encoder().encode
    reasons = [{"source": source, "text": text} for source, text in REASONS]

    class Connection(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self._transport: Any = transport
            self._parser = httptools.HttpRequestParser(self)

        def data_received(self, data: bytes) -> None:
            self._parser.feed_data(data)

        def on_message_begin(self) -> None:
            self._body = b""

        def on_body(self, body: bytes) -> None:
            self._body += body

        def on_message_complete(self) -> None:
            call = decode(self._body)
            p = float(session.run(["p"], {"X": row})[0][0, 1])
            body = encode(ANSWER | {"call": call, "p_success": p, "reasons": reasons})
            head = (
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
            )
            self._transport.write(head % len(body) + body)

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port)
        await server.serve_forever()

    asyncio.run(run())


def _echo() -> Any:
    from onward.serving.pb import decision_pb2 as pb

    reasons = [pb.Reason(source=source, text=text) for source, text in REASONS]
    return pb.Decision(band=pb.BAND_EXECUTE, reasons=reasons, **ANSWER)


def serve_grpc(port: int) -> None:
    """The synchronous server of grpcio with four threads."""
    import grpc

    from onward.serving.pb import decision_pb2_grpc

    answer = _echo()

    class Echo(decision_pb2_grpc.DecisionsServicer):
        def Decide(self, request: object, context: object) -> Any:  # noqa: N802 -- the proto's name
            return answer

    server = grpc.server(ThreadPoolExecutor(4))
    decision_pb2_grpc.add_DecisionsServicer_to_server(Echo(), server)  # type: ignore[no-untyped-call]
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


def serve_grpc_aio(port: int) -> None:
    """The asyncio server of grpcio."""
    import grpc.aio

    from onward.serving.pb import decision_pb2_grpc

    answer = _echo()

    class Echo(decision_pb2_grpc.DecisionsServicer):
        async def Decide(self, request: object, context: object) -> Any:  # noqa: N802 -- as above
            return answer

    async def run() -> None:
        server = grpc.aio.server()
        decision_pb2_grpc.add_DecisionsServicer_to_server(Echo(), server)  # type: ignore[no-untyped-call]
        server.add_insecure_port(f"127.0.0.1:{port}")
        await server.start()
        await server.wait_for_termination()

    asyncio.run(run())


if __name__ == "__main__":
    kind, place = sys.argv[1], int(sys.argv[2])
    if kind == "http":
        serve_http(place, Path(sys.argv[3]))
    elif kind == "grpc":
        serve_grpc(place)
    else:
        serve_grpc_aio(place)
