"""An emulator of AWS on a free port of this machine, and a stack of its own for each test."""

import itertools
import os
from collections.abc import Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer

from hotdesk.backends.aws import Calls
from hotdesk.backends.aws.table import definition

pytest.register_assert_rewrite("hotdesk.testing")

REGION = "eu-west-1"
_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """Where moto listens."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that are worth nothing, and no settings of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:  # noqa: TID251
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "emulated")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "emulated")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


@pytest.fixture
def stack(endpoint: str, credentials: None) -> Iterator[str]:
    """The name of an empty stack."""
    name = f"test{next(_NUMBERS)}"
    table = f"{name}-desks"
    dynamodb = boto3.client("dynamodb", region_name=REGION, endpoint_url=endpoint)
    sqs = boto3.client("sqs", region_name=REGION, endpoint_url=endpoint)
    dynamodb.create_table(**definition(table))
    yield name
    dynamodb.delete_table(TableName=table)
    for url in sqs.list_queues(QueueNamePrefix=f"{name}-").get("QueueUrls", ()):
        sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def calls(endpoint: str, credentials: None) -> Iterator[Calls]:
    """A connection to the emulator."""
    calls = Calls(REGION, endpoint=endpoint)
    yield calls
    calls.close()
