"""An emulator of AWS on a free port of this machine, and stacks that are empty.

moto runs in this process, in threads of its own, and is asked over HTTP as AWS is.
"""

import itertools
import os
from collections.abc import Callable, Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer

from hotdesk.backends.aws.calls import Calls
from hotdesk.backends.aws.table import definition

pytest.register_assert_rewrite("hotdesk.testing")

REGION = "eu-west-1"
_NUMBERS = itertools.count(1)

# The class is for tests that let calls fail: `connect_calls(Dying)`.
ConnectCalls = Callable[..., Calls]
NewStack = Callable[[], str]


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """Where moto listens."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def session() -> boto3.session.Session:
    """Credentials that are worth nothing; shared, because it reads long descriptions of AWS."""
    return boto3.session.Session(
        aws_access_key_id="emulated", aws_secret_access_key="emulated", region_name=REGION
    )


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of what whoever runs the tests has set up for AWS."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:  # noqa: TID251
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def connect_calls(endpoint: str, session: boto3.session.Session) -> ConnectCalls:
    """Make one more set of clients, of a kind."""

    def connect(kind: type[Calls] = Calls) -> Calls:
        return kind(REGION, endpoint=endpoint, session=session)

    return connect


@pytest.fixture
def new_stack(endpoint: str, session: boto3.session.Session) -> Iterator[NewStack]:
    """Make one more empty stack; they are removed with the test."""
    dynamodb = session.client("dynamodb", endpoint_url=endpoint)
    sqs = session.client("sqs", endpoint_url=endpoint)
    names = []

    def make() -> str:
        names.append(name := f"test{next(_NUMBERS)}")
        dynamodb.create_table(**definition(f"{name}-desks"))
        return name

    yield make
    for name in names:
        dynamodb.delete_table(TableName=f"{name}-desks")
        for url in sqs.list_queues(QueueNamePrefix=f"{name}-").get("QueueUrls", ()):
            sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def stack(new_stack: NewStack) -> str:
    """The name of an empty stack."""
    return new_stack()
