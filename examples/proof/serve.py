"""The proof's model behind an OpenAI-compatible address, as `local:` players are reached: `serve.py MODEL.pt`.

As much of `/v1/chat/completions` as the arena asks of: messages in, one answer out, with its tokens counted. Sampling
options are read by nobody (the likeliest answer is given), a response format likewise: this model knows one form.
Prints its address when it is ready. A connection has a thread, because clients keep theirs open; the model answers
one at a time.
"""

from __future__ import annotations

import argparse
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any

import torch
from model import LONGEST, Model, load
from template import template

NAME = "duelist-proof"
LARGEST = 1 << 20  # bytes of a request


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    server = ThreadingHTTPServer(("127.0.0.1", asked.port), handler(load(asked.model)))
    print(f"http://127.0.0.1:{server.server_port}/v1", flush=True)
    server.serve_forever()


def handler(model: Model) -> type[BaseHTTPRequestHandler]:
    """What answers the requests."""
    turn = Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path.rstrip("/") == "/v1/models":
                self.reply(200, {"object": "list", "data": [{"id": NAME, "object": "model"}]})
            else:
                self.refuse(404, f"no {self.path} here: GET /v1/models or POST /v1/chat/completions")

        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            if size > LARGEST:
                self.close_connection = True
                return self.refuse(413, f"{size} bytes: at most {LARGEST} are read")
            sent = self.rfile.read(size)
            if self.path.rstrip("/") != "/v1/chat/completions":
                return self.refuse(404, f"no {self.path} here: POST /v1/chat/completions")
            try:
                body = json.loads(sent)
                with turn:
                    made = completion(model, body["messages"], body.get("max_tokens"))
                self.reply(200, made)
            except (ValueError, LookupError, TypeError, AttributeError) as error:
                self.refuse(400, f"{type(error).__name__}: {error}")

        def refuse(self, status: int, why: str) -> None:
            self.reply(status, {"error": {"message": why, "type": "invalid_request_error"}})

        def reply(self, status: int, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """The arena keeps a better record."""

    return Handler


def completion(model: Model, messages: Any, most: int | None) -> dict[str, Any]:
    """A chat completion of these messages. ValueError for a question that the model does not know."""
    prompt = template(messages)
    most = min(LONGEST if most is None else most, LONGEST - len(prompt))
    text = model.answer([prompt], most)[0]
    usage = {"prompt_tokens": len(prompt), "completion_tokens": min(len(text) + 1, most)}
    return {
        "id": "",
        "object": "chat.completion",
        "model": NAME,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "finish_reason": "length" if len(text) >= most else "stop",
            }
        ],
        "usage": {**usage, "total_tokens": sum(usage.values())},
    }


if __name__ == "__main__":
    main()
