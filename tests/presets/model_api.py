"""A model on loopback that says what a script tells it to, in the words of three vendors.

It speaks as much of OpenAI's Responses and Chat Completions and of Gemini's API as the
coding agents ask for. Each answer is given once, in order; what they ask is kept.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

Json = dict[str, Any]
TOKENS_IN, TOKENS_CACHED, TOKENS_OUT = 100, 40, 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the model says, does or fails with. ``hangs`` begins an answer and never ends it."""

    text: str = ""
    tool: str = ""
    arguments: Mapping[str, object] = field(default_factory=dict)
    status: int = 200
    hangs: bool = False
    breaks: bool = False


Speaker = Callable[[Answer], Iterator[tuple[str, Json]]]


@dataclass(slots=True)
class Model:
    """The server as its test sees it."""

    url: str
    answers: list[Answer]
    requests: list[Json] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    is_asked: threading.Event = field(default_factory=threading.Event)
    is_over: threading.Event = field(default_factory=threading.Event)

    def next(self) -> Answer:
        return self.answers.pop(0) if self.answers else Answer(text="There is nothing left.")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model: Model

    def do_GET(self) -> None:
        self._plain(404, {"error": {"message": "only POST"}})

    def do_POST(self) -> None:
        size = int(self.headers.get("content-length", 0))
        asked = json.loads(self.rfile.read(size) or b"{}")
        path = urlsplit(self.path).path
        self.model.paths.append(self.path)
        self.model.keys.append(
            self.headers.get("authorization") or self.headers.get("x-goog-api-key") or ""
        )
        self.model.requests.append(asked)
        speak = _speaker(path, asked)
        if speak is None:
            self._plain(404, {"error": {"message": f"nothing at {path}"}})
            return
        answer = self.model.next()
        if answer.status != 200:
            said = {"message": answer.text, "code": answer.status, "type": "error"}
            self._plain(answer.status, {"error": said})
            return
        events = list(speak(answer))
        is_stream = asked.get("stream") or path.endswith(":streamGenerateContent")
        if not is_stream:
            if answer.hangs:
                self._hang()
                self.close_connection = True
                return
            self._plain(200, events[-1][1])
            return
        self._stream(answer, events)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there.
        pass

    def _hang(self) -> None:
        """Say no more until the test is over."""
        self.wfile.flush()
        self.model.is_asked.set()
        self.model.is_over.wait(15)

    def _plain(self, status: int, body: Json) -> None:
        said = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def _stream(self, answer: Answer, events: Sequence[tuple[str, Json]]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        if answer.hangs or answer.breaks:
            events = events[: len(events) // 2]
        for name, event in events:
            head = f"event: {name}\n" if name else ""
            self.wfile.write(f"{head}data: {json.dumps(event)}\n\n".encode())
        if answer.hangs:
            self._hang()
        elif not answer.breaks and not events[0][0] and "candidates" not in events[0][1]:
            self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True


def _speaker(path: str, asked: Json) -> Speaker | None:
    if path.endswith("/responses"):
        return _responses
    if path.endswith("/chat/completions"):
        return _chat_stream if asked.get("stream") else _chat
    if path.endswith((":streamGenerateContent", ":generateContent")):
        return _gemini
    return None


def _responses(answer: Answer) -> Iterator[tuple[str, Json]]:
    def event(kind: str, **more: object) -> tuple[str, Json]:
        return kind, {"type": kind, **more}

    item: Json = {
        "type": "message",
        "id": "m1",
        "role": "assistant",
        "content": [{"type": "output_text", "text": answer.text, "annotations": []}],
    }
    if answer.tool:
        arguments = json.dumps(answer.arguments)
        item = {"type": "function_call", "id": "f1", "call_id": "c1", "name": answer.tool}
        item["arguments"] = arguments
        if "input" in answer.arguments:
            item = {"type": "custom_tool_call", "id": "f1", "call_id": "c1", "name": answer.tool}
            item["input"] = answer.arguments["input"]
    usage = {
        "input_tokens": TOKENS_IN,
        "input_tokens_details": {"cached_tokens": TOKENS_CACHED},
        "output_tokens": TOKENS_OUT,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": TOKENS_IN + TOKENS_OUT,
    }
    yield event("response.created", response={"id": "r1"})
    yield event("response.output_item.added", output_index=0, item=item)
    yield event("response.output_item.done", output_index=0, item=item)
    yield event("response.completed", response={"id": "r1", "usage": usage, "output": [item]})


_CHAT_USAGE = {
    "prompt_tokens": TOKENS_IN,
    "prompt_tokens_details": {"cached_tokens": TOKENS_CACHED},
    "completion_tokens": TOKENS_OUT,
    "total_tokens": TOKENS_IN + TOKENS_OUT,
}


def _chat_stream(answer: Answer) -> Iterator[tuple[str, Json]]:
    def chunk(delta: Json, reason: str | None = None, **more: object) -> tuple[str, Json]:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return "", {
            "id": "x1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "scripted",
            "choices": [choice],
            **more,
        }

    yield chunk({"role": "assistant", "content": ""})
    if answer.text:
        yield chunk({"content": answer.text})
    if answer.tool:
        yield chunk({"tool_calls": [{"index": 0, **_chat_call(answer)}]})
    yield chunk({}, "tool_calls" if answer.tool else "stop", usage=_CHAT_USAGE)


def _chat_call(answer: Answer) -> Json:
    called = {"name": answer.tool, "arguments": json.dumps(answer.arguments)}
    return {"id": "c1", "type": "function", "function": called}


def _chat(answer: Answer) -> Iterator[tuple[str, Json]]:
    message: Json = {"role": "assistant", "content": answer.text}
    if answer.tool:
        message["tool_calls"] = [_chat_call(answer)]
    reason = "tool_calls" if answer.tool else "stop"
    choice = {"index": 0, "message": message, "finish_reason": reason}
    yield (
        "",
        {
            "id": "x1",
            "object": "chat.completion",
            "created": 1,
            "model": "scripted",
            "choices": [choice],
            "usage": _CHAT_USAGE,
        },
    )


def _gemini(answer: Answer) -> Iterator[tuple[str, Json]]:
    parts: list[Json] = [{"text": answer.text}] if answer.text else []
    if answer.tool:
        parts.append({"functionCall": {"name": answer.tool, "args": dict(answer.arguments)}})
    usage = {
        "promptTokenCount": TOKENS_IN,
        "cachedContentTokenCount": TOKENS_CACHED,
        "candidatesTokenCount": TOKENS_OUT,
        "totalTokenCount": TOKENS_IN + TOKENS_OUT,
    }
    content = {"role": "model", "parts": parts}
    yield (
        "",
        {
            "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
            "usageMetadata": usage,
            "modelVersion": "scripted",
        },
    )


@contextmanager
def scripted(*answers: Answer) -> Iterator[Model]:
    """Serve *answers* on a port of its own."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    model = Model(url=f"http://127.0.0.1:{server.server_address[1]}", answers=list(answers))
    server.RequestHandlerClass = type("Handler", (_Handler,), {"model": model})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield model
    finally:
        model.is_over.set()
        server.shutdown()
        server.server_close()
        thread.join()
