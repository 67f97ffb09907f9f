"""A stand-in for the agent that ECS runs beside each task; no emulator has one."""

import json
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from anyio import to_thread

SECONDS_MAX = 10


@dataclass
class Agent:
    """What stands in for the agent: what it was asked, and what it answers."""

    url: str = ""
    status: int = 200
    answer: bytes = b'{"protection": {"ProtectionEnabled": true}}'
    asked: queue.Queue[tuple[str, Any]] = field(default_factory=queue.Queue)

    async def next(self) -> Any:  # noqa: ANN401 - JSON
        """What it is asked next."""
        return await to_thread.run_sync(self.wait)

    def wait(self) -> Any:  # noqa: ANN401 - JSON
        """The same without an event loop."""
        path, body = self.asked.get(timeout=SECONDS_MAX)
        assert path == "/api/v0/task-protection/v1/state"
        return body


@contextmanager
def ecs_agent() -> Iterator[Agent]:
    """Serve it as long as the block lasts."""
    agent = Agent()

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            agent.asked.put((self.path, body))
            self.send_response(agent.status)
            self.end_headers()
            self.wfile.write(agent.answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        agent.url = f"http://127.0.0.1:{server.server_port}/api/v0"
        yield agent
        server.shutdown()
        thread.join()
