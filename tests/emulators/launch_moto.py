"""Serve moto on an inherited socket, with repairs. Run by the Python of moto's environment.

    python launch_moto.py FILE_DESCRIPTOR

What is repaired is what AWS does otherwise and our tests rely on; the reason stands at
each repair. What else moto cannot do is named in ``gaps.py``.
"""

import copy
import functools
import os
import sys
from collections.abc import Iterator
from http import HTTPStatus
from threading import Lock
from types import SimpleNamespace
from typing import Any

import boto3
from moto import backends
from moto.cloudformation import parsing
from moto.core import model_instances
from moto.core.config import default_user_config
from moto.core.model_instances import model_data
from moto.core.serialize import AttributePicker
from moto.dynamodb import models as dynamodb_models
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from moto.sqs.models import Queue
from moto.stepfunctions import models as stepfunctions_models
from moto.stepfunctions.parser import models as parser_models
from moto.stepfunctions.parser.asl.eval.callback.callback import (
    CallbackConsumerTimeout,
    CallbackEndpoint,
    CallbackOutcome,
)
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.utils import boto_client
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
from moto.stepfunctions.parser.models import stepfunctions_parser_backends
from werkzeug.serving import make_server

Made = dict[tuple[str, str], Any]
KINDS = frozenset("S N B BOOL NULL M L SS NS BS".split())


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
    # moto raises these two without the text and the name that they need, and failed on that.
    for kind in (parser_models.TaskDoesNotExist, parser_models.TaskTimedOut):
        kind.TYPE = kind.__name__
        kind.__init__ = functools.partialmethod(kind.__init__, "the task is over")


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


class Substituted:
    """What ``Fn::Sub`` is given: a dollar that begins no name stays, and so do two of them."""

    def __init__(self, text: str) -> None:
        self.text = text

    def safe_substitute(self, **values: str) -> str:
        """The text with values for the names in braces."""
        for name, value in values.items():
            self.text = self.text.replace(f"${{{name}}}", value)
        return self.text


def repair_made_workflows() -> None:
    """A workflow that CloudFormation makes can run, with ``$$`` in it.

    moto kept it where none runs, and made one dollar of two.
    """
    stepfunctions_models.stepfunctions_backends = stepfunctions_parser_backends
    parsing.string = SimpleNamespace(Template=Substituted)


class OnlyMail:
    """What can be looked at: the mails, and not whatever else a long run has left."""

    def __iter__(self) -> Iterator[str]:
        return (name for name in ("ses",) if name in model_data)

    def __getitem__(self, name: str) -> Any:
        return model_data[name]


def repair_looking() -> None:
    """Tests look at the mails that were sent: moto showed all it holds, for seconds, or failed."""
    model_instances.model_data = OnlyMail()


def repair_made_queues() -> None:
    """The URL of a queue that CloudFormation makes leads to us, as those of all others do."""
    port = os.environ["MOTO_PORT"]  # noqa: TID251 - where moto itself looks.

    def url(self: Any) -> str:
        return f"http://127.0.0.1:{port}/{self.account_id}/{self.name}"

    Queue.physical_resource_id = property(url)


def repair_calls() -> None:
    """DynamoDB carries out one call at a time on an item, and a transaction of one token once.

    moto lets the steps of calls mix, and knows no tokens.
    """
    call = DynamoHandler.call_action
    lock = Lock()
    done: set[str] = set()

    def call_alone(self: Any) -> Any:
        with lock:
            token = self.params.get("ClientRequestToken")
            if token in done:
                return HTTPStatus.OK, {}, "{}"
            answer = call(self)
            if token and answer[0] == HTTPStatus.OK:
                done.add(token)
            return answer

    DynamoHandler.call_action = call_alone


def copy_less() -> None:
    """Keep only the parts of a table that a transaction touches, in case that it fails.

    moto copies the whole table, for each action of the transaction once more.
    """
    transact = DynamoDBBackend.transact_write_items
    copies: dict[int, Table] = {}
    touched: list[tuple[Table, DynamoType]] = []

    def transact_noting(self: Any, transact_items: list[dict[str, Any]]) -> None:
        for action in (each for item in transact_items for each in item.values()):
            table = self.get_table(action["TableName"])
            key = action.get("Key") or action["Item"]
            touched.append((table, DynamoType(key[table.hash_key_attr])))
        try:
            transact(self, transact_items)
        finally:
            touched.clear()
            copies.clear()

    def copy_touched(value: Any) -> Any:
        if not isinstance(value, Table):
            return copy.deepcopy(value)
        if id(value) not in copies:
            made = copies[id(value)] = copy.copy(value)
            made.items = value.items.copy()
            for table, partition in touched:
                if table is value and partition in value.items:
                    made.items[partition] = copy.deepcopy(value.items[partition])
        return copies[id(value)]

    DynamoDBBackend.transact_write_items = transact_noting
    dynamodb_models.copy = SimpleNamespace(deepcopy=copy_touched)


def answer_faster() -> None:
    """Leave out what takes the most time: looking for each kind of value under every name."""
    pick = AttributePicker.__call__
    modules = list(backends.list_of_moto_modules())

    def pick_value(self: Any, context: Any) -> Any:
        if type(context.obj) is dict and len(context.obj) == 1 and KINDS.issuperset(context.obj):
            return context.obj.get(context.key)
        return pick(self, context)

    AttributePicker.__call__ = pick_value
    backends.list_of_moto_modules = lambda: modules


class Handler(MotoRequestHandler):  # type: ignore[misc]  # moto ships no types.
    """Keeps connections, and says only what went wrong."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_request(self, *_: object) -> None:
        """Say nothing: the tests know what they asked for."""


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


def share_parsing() -> None:
    """A definition takes 0.1 s to parse, and moto does it for each execution; it stays as it is."""
    parse = AmazonStateLanguageParser.parse
    AmazonStateLanguageParser.parse = staticmethod(functools.lru_cache(maxsize=4)(parse))


def main(listening: int) -> None:
    """Serve until the process is ended."""
    # Workflows really run. A Lambda that they invoke only says that it ran: more takes Docker.
    default_user_config["stepfunctions"]["execute_state_machine"] = True
    default_user_config["lambda"]["use_docker"] = False
    for prepare in (
        repair_early_answers,
        repair_late_answers,
        repair_stopping,
        repair_made_workflows,
        repair_made_queues,
        repair_looking,
        repair_calls,
        copy_less,
        answer_faster,
        share_clients,
        share_parsing,
    ):
        prepare()
    app = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Handler, fd=listening)
    server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]))
