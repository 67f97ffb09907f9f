"""Serve moto on an inherited socket, with repairs. Run by the Python of moto's environment.

    python launch_moto.py FILE_DESCRIPTOR

What is repaired is what AWS does otherwise and our tests rely on; the reason stands at
each repair. What else moto cannot do is named in ``gaps.py``.
"""

import sys
from threading import Lock
from types import SimpleNamespace
from typing import Any

import boto3
from moto.core.config import default_user_config
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from moto.stepfunctions.parser.asl.eval.callback.callback import (
    CallbackConsumerTimeout,
    CallbackEndpoint,
    CallbackOutcome,
)
from moto.stepfunctions.parser.asl.utils import boto_client
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
from werkzeug.serving import make_server

Made = dict[tuple[str, str], Any]


def repair_early_answers() -> None:
    """AWS knows a token from the moment that the task is scheduled.

    moto waits for it only a moment later: an answer in between was never looked at, and a
    heartbeat refused.
    """
    set_up, notify = CallbackEndpoint.setup_heartbeat_endpoint, CallbackEndpoint.notify_heartbeat

    def set_up_heartbeats(self: Any, heartbeat_seconds: int) -> Any:
        made = set_up(self, heartbeat_seconds)
        if self.get_outcome() is not None:
            made.notify()
        return made

    def notify_heartbeat(self: Any) -> bool:
        notify(self)
        return True

    CallbackEndpoint.setup_heartbeat_endpoint = set_up_heartbeats
    CallbackEndpoint.notify_heartbeat = notify_heartbeat


def repair_late_answers() -> None:
    """AWS refuses the token of a task that is over; moto says thanks for ever."""
    notify, interrupt = CallbackEndpoint.notify, CallbackEndpoint.interrupt_all
    lock = Lock()

    def notify_once(self: Any, outcome: CallbackOutcome) -> None:
        with lock:
            notify(self, outcome)
            self.report(CallbackConsumerTimeout())

    def interrupt_all(self: Any) -> None:
        # Called when the state is over, whatever ended it.
        self.report(CallbackConsumerTimeout())
        interrupt(self)

    CallbackEndpoint.notify = notify_once
    CallbackEndpoint.interrupt_all = interrupt_all


def repair_stopping() -> None:
    """StopExecution ends a workflow that waits for an answer; moto's went on waiting."""
    stop = ExecutionWorker.stop

    def stop_waiting(self: Any, *args: object, **kwargs: object) -> None:
        stop(self, *args, **kwargs)
        # The state that waited sees no answer: without this the execution failed by that.
        self.env.set_error = lambda **_: None
        for endpoint in list(self.env.callback_pool_manager._pool.values()):
            endpoint.interrupt_all()

    ExecutionWorker.stop = stop_waiting


def share_clients() -> None:
    """A client for each call of a state takes longer to make than all else in a workflow."""
    made: Made = {}
    lock = Lock()

    def client(**arguments: Any) -> Any:
        key = arguments["service_name"], arguments["region_name"]
        with lock:
            if key not in made:
                made[key] = boto3.client(**arguments)
            return made[key]

    boto_client.boto3 = SimpleNamespace(client=client)


def main(listening: int) -> None:
    """Serve until the process is ended."""
    # Workflows really run. A Lambda that they invoke only says that it ran: more takes Docker.
    default_user_config["stepfunctions"]["execute_state_machine"] = True
    default_user_config["lambda"]["use_docker"] = False
    for repair in (repair_early_answers, repair_late_answers, repair_stopping, share_clients):
        repair()
    app = DomainDispatcherApplication(create_backend_app)
    server = make_server(
        "127.0.0.1", 0, app, threaded=True, request_handler=MotoRequestHandler, fd=listening
    )
    server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]))
