"""A model API on loopback that says what a script tells it, in the streaming Messages format.

It holds no state of a conversation but how often a step has failed: which answer comes next is
read from the request, as a model would. A *cue* is a text that a prompt contains; the script of
the newest cue in a request is the one that counts, and its answers are numbered by what the
agent sends back of them. Every request is kept; one that no script foresees fails the test.
"""

import json
import re
import socket
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Json = dict[str, Any]

_CWD = re.compile(r"[Ww]orking directory: (/\S+)")

MODEL = "claude-opus-4-5"
TOKENS_IN = 100
TOKENS_OUT = 20
BODY_BYTES_MAX = 50_000_000


@dataclass(frozen=True, slots=True)
class Say:
    """Words, and the end of the turn."""

    text: str
    stop_reason: str = "end_turn"


@dataclass(frozen=True, slots=True)
class Call:
    """Some words and the use of a tool."""

    tool: str
    input: Mapping[str, object]
    text: str = ""


@dataclass(frozen=True, slots=True)
class Fail:
    """An HTTP error, for the first *times* requests that come to this step."""

    status: int
    kind: str = "api_error"
    message: str = "scripted"
    times: int = 10_000
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hang:
    """No answer, or none after its beginning, until the other side or the test gives up."""

    after_start: bool = False
    times: int = 10_000


@dataclass(frozen=True, slots=True)
class BreakOff:
    """The beginning of an answer, and the end of the connection."""

    times: int = 10_000


Step = Say | Call | Fail | Hang | BreakOff


def write(path: str, content: str) -> Call:
    """Write a file; ``{cwd}`` in *path* is the folder that the agent says it works in."""
    return Call("Write", {"file_path": path, "content": content})


def edit(path: str, old: str, new: str) -> Call:
    """Replace a text in a file; the agent must have read or written it before."""
    return Call("Edit", {"file_path": path, "old_string": old, "new_string": new})


def read(path: str) -> Call:
    """Read a file."""
    return Call("Read", {"file_path": path})


def bash(command: str) -> Call:
    """Run a command in a shell."""
    return Call("Bash", {"command": command, "description": "a scripted command"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the API was asked. ``body`` is empty where there was none."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Json

    def texts(self, role: str = "user") -> list[str]:
        """Every text that *role* has said, oldest first, results of tools included."""
        return [text for message in self.messages(role) for text in _texts(message)]

    def messages(self, role: str) -> list[Json]:
        """The messages of *role*."""
        return [each for each in self.body.get("messages", []) if each["role"] == role]

    def count(self, text: str) -> int:
        """How often *text* stands in the whole conversation."""
        return sum(said.count(text) for role in ("user", "assistant") for said in self.texts(role))

    @property
    def cwd(self) -> str:
        """Where the agent says that it works, as it said it last."""
        said = [self.system, *(text for each in self.body["messages"] for text in _texts(each))]
        return str(_CWD.findall("\n".join(said))[-1])

    @property
    def system(self) -> str:
        """The system prompt."""
        system = self.body.get("system", "")
        return system if isinstance(system, str) else "\n".join(each["text"] for each in system)


class ModelApi:
    """The server. ``requests`` are those for the next words of a conversation."""

    def __init__(self) -> None:
        """Bind to a free port of loopback; ``serve`` answers."""
        self._scripts: dict[str, list[Step]] = {}
        self._failed: dict[tuple[str, int], int] = {}
        self._poison = ""
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.api = self
        self.requests: list[Request] = []
        self.unexpected: list[str] = []

    @property
    def url(self) -> str:
        """What ``ANTHROPIC_BASE_URL`` is set to."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def on(self, cue: str, *steps: Step) -> Self:
        """Answer prompts that contain *cue* with *steps*."""
        assert steps, "a script says something"
        with self._changed:
            self._scripts[cue] = list(steps)
        return self

    def poison(self, text: str) -> None:
        """From now on answer each request that holds *text* with a 400, as the API does."""
        with self._changed:
            self._poison = text

    def wait_for(self, count: int, *, seconds: float = 15) -> Request:
        """Return request number *count*, from 1, once it is there."""
        with self._changed:
            came = self._changed.wait_for(lambda: len(self.requests) >= count, seconds)
            assert came, f"{len(self.requests)} of {count} requests after {seconds} s"
            return self.requests[count - 1]

    @contextmanager
    def serve(self) -> Iterator[Self]:
        """Answer until the block ends; then fail if something unforeseen was asked."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield self
        finally:
            self._closing.set()
            self._server.shutdown()
            thread.join()
            self._server.server_close()
        assert not self.unexpected, "\n".join(self.unexpected)

    def step(self, request: Request) -> Step:
        """What to answer; the request is kept."""
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()
            return self._step(request)

    def refuse(self, what: str) -> Fail:
        """Note that *what* was not foreseen, and answer so."""
        with self._changed:
            self.unexpected.append(f"unexpected: {what}")
        return Fail(HTTPStatus.BAD_REQUEST, "invalid_request_error", f"unexpected: {what}"[:200])

    def wait_until_closed(self, connection: socket.socket) -> None:
        """Return when the other side, or the test, is tired of waiting."""
        connection.settimeout(0.05)
        while not self._closing.is_set():
            with suppress(TimeoutError):
                try:
                    if not connection.recv(1):
                        return
                except ConnectionError:
                    return

    def _step(self, request: Request) -> Step:
        if self._poison and self._poison in json.dumps(request.body):
            return Fail(HTTPStatus.BAD_REQUEST, "invalid_request_error", "messages.3: not valid")
        found = self._position(request.body.get("messages", []))
        if found is None:
            return self.refuse(f"a prompt without a cue: {str(request.body)[-300:]}")
        cue, said = found
        left = said
        for number, step in enumerate(self._scripts[cue]):
            if isinstance(step, Say | Call):
                if left == 0:
                    return step
                left -= 1
                continue
            failed = self._failed.get((cue, number), 0)
            if left == 0 and failed < step.times:
                self._failed[cue, number] = failed + 1
                return step
        return self.refuse(f"{cue!r} goes on after its {said} answers: {str(request.body)[-300:]}")

    def _position(self, messages: Sequence[Json]) -> tuple[str, int] | None:
        """The newest cue, and how many answers have been given to it."""
        said = 0
        for message in reversed(messages):
            if message["role"] == "assistant":
                said += 1
                continue
            text = "\n".join(_prompts(message))
            places = {cue: text.rfind(cue) for cue in self._scripts}
            cue = max(places, key=lambda each: places[each], default="")
            if cue and places[cue] >= 0:
                return cue, said
        return None


def _texts(message: Json) -> Iterator[str]:
    content = message["content"]
    for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
        match block:
            case {"type": "text", "text": str(text)}:
                yield text
            case {"type": "tool_result", "content": str(text)}:
                yield text
            case {"type": "tool_result", "content": list(parts)}:
                yield from (part["text"] for part in parts if part.get("type") == "text")
            case {"type": "tool_use", "input": call}:
                yield json.dumps(call)


def _prompts(message: Json) -> Iterator[str]:
    """What a person said in a message: no results of tools."""
    content = message["content"]
    if isinstance(content, str):
        yield content
        return
    yield from (block["text"] for block in content if block.get("type") == "text")


def events(step: Say | Call, *, model: str = MODEL) -> Iterator[Json]:
    """One answer in the events of the streaming Messages API."""
    # Of its own: the agent takes two messages with one id for parts of one.
    identity = uuid.uuid4().hex
    usage = {"input_tokens": TOKENS_IN, "output_tokens": 1}
    message: Json = {
        "id": f"msg_{identity}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    yield {"type": "message_start", "message": message}
    blocks: list[tuple[Json, Json]] = []
    if step.text:
        blocks.append(
            ({"type": "text", "text": ""}, {"type": "text_delta", "text": step.text}),
        )
    if isinstance(step, Call):
        use = {"type": "tool_use", "id": f"toolu_{identity}", "name": step.tool, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(dict(step.input))}
        blocks.append((use, delta))
    for index, (block, delta) in enumerate(blocks):
        yield {"type": "content_block_start", "index": index, "content_block": block}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    reason = "tool_use" if isinstance(step, Call) else step.stop_reason
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": reason, "stop_sequence": None},
        "usage": {"output_tokens": TOKENS_OUT},
    }
    yield {"type": "message_stop"}


def _placed(value: object, request: Request) -> object:
    if isinstance(value, str) and "{cwd}" in value:
        return value.replace("{cwd}", request.cwd)
    return value


def whole(told: Sequence[Json]) -> Json:
    """The message that *told* makes, for a request that wants it in one piece."""
    message: Json = {**told[0]["message"], "content": []}
    for event in told:
        match event:
            case {"content_block": dict() as block}:
                message["content"].append(dict(block))
            case {"delta": {"type": "text_delta", "text": text}}:
                message["content"][-1]["text"] = text
            case {"delta": {"type": "input_json_delta", "partial_json": call}}:
                message["content"][-1]["input"] = json.loads(call)
            case {"type": "message_delta", "delta": delta, "usage": usage}:
                message.update(delta, usage={**message["usage"], **usage})
    return message


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    api: ModelApi


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_HEAD(self) -> None:
        """Answer what a client may ask to see whether anybody is there."""
        self.send_response(HTTPStatus.OK)
        self.end_headers()

    def do_GET(self) -> None:
        self._fail(self.server.api.refuse(f"GET {self.path}"))

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        assert 0 < length < BODY_BYTES_MAX
        body = json.loads(self.rfile.read(length))
        request = Request(
            method="POST",
            path=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
        )
        api = self.server.api
        if self.path.partition("?")[0] == "/v1/messages":
            step = api.step(request)
        else:
            step = api.refuse(f"POST {self.path} {str(body)[:300]}")
        # The agent may end at any time; that is what many of the tests are about.
        with suppress(ConnectionError):
            self._answer(step, request)

    def _answer(self, step: Step, request: Request) -> None:
        if isinstance(step, Fail):
            self._fail(step)
            return
        # Without a length: the end of the connection is the end of the answer.
        self.close_connection = True
        is_stream = bool(request.body.get("stream"))
        if not (isinstance(step, Hang) and not step.after_start):
            self.send_response(HTTPStatus.OK)
            kind = "text/event-stream" if is_stream else "application/json"
            self.send_header("Content-Type", kind)
            self.send_header("Connection", "close")
            self.end_headers()
        words = step if isinstance(step, Say | Call) else Say("Half an answer")
        if isinstance(words, Call):
            given = {k: _placed(v, request) for k, v in words.input.items()}
            words = replace(words, input=given)
        told = [*events(words, model=request.body.get("model", MODEL))]
        if not isinstance(step, Say | Call):
            told = told[:3]
        if is_stream:
            pieces = [f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in told]
        else:
            pieces = [json.dumps(whole(told))] if isinstance(step, Say | Call) else ["{"]
        if not (isinstance(step, Hang) and not step.after_start):
            self.wfile.write("".join(pieces).encode())
            self.wfile.flush()
        if isinstance(step, Hang):
            self.server.api.wait_until_closed(self.connection)

    def _fail(self, step: Fail) -> None:
        error = {"type": step.kind, "message": step.message}
        body = json.dumps({"type": "error", "error": error}).encode()
        self.send_response(step.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in step.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
        """Say nothing: what matters is kept as requests."""
