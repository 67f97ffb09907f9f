"""A mail that is put into the bucket, and the Lambda that an emulator runs for it by itself.

moto takes Docker to run a Lambda; ministack starts a process of Python. Neither receives
mail: SES's part is what stands on top of the mail.
"""

from __future__ import annotations

import io
import json
import sys
import zipfile
from datetime import timedelta
from typing import Any

import pytest

from hotdesk.backends.aws.backend import AwsBackend
from tests.emulators.server import ROOT
from tests.intakes.receipts import on_top
from tests.lambdas.conftest import KEY, Office
from tests.mail.samples import a_mail

pytestmark = [pytest.mark.long, pytest.mark.parametrize("emulator", ["ministack"], indirect=True)]

# The package itself takes a minute to put together; this finds it where it is installed.
PACKAGE = f"""
import sys
sys.path[:0] = {[str(ROOT / "src"), *(path for path in sys.path if "site-packages" in path)]!r}
from hotdesk.lambdas.intake import handler
"""


def install(office: Office) -> str:
    """Make the intake a Lambda of the stack; return its name."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("intake.py", PACKAGE)
    name = f"{office.names.stack}-intake"
    variables = {
        **office.emulator.environment,
        "HOTDESK_BACKEND": office.url,
        "HOTDESK_CONFIG_S3": f"s3://{office.names.bucket}/config/hotdesk.toml",
        "MAIL_KEY": KEY,
    }
    office.stacks.client("lambda").create_function(
        FunctionName=name,
        Runtime=f"python{sys.version_info.major}.{sys.version_info.minor}",
        Handler="intake.handler",
        Role=f"arn:aws:iam::{office.names.account}:role/functions",
        Code={"ZipFile": archive.getvalue()},
        Timeout=60,
        Environment={"Variables": variables},
    )
    return name


def let_mails_invoke(office: Office, function: str) -> None:
    """Do what the template does: new objects below ``mail/`` set the Lambda off."""
    names, client = office.names, office.stacks.client
    client("s3").put_bucket_notification_configuration(
        Bucket=names.bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    pattern = {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {
            "bucket": {"name": [names.bucket]},
            "object": {"key": [{"prefix": "mail/"}]},
        },
    }
    rule = f"{names.stack}-mail"
    client("events").put_rule(Name=rule, EventPattern=json.dumps(pattern))
    arn = f"arn:aws:lambda:{names.region}:{names.account}:function:{function}"
    client("events").put_targets(Rule=rule, Targets=[{"Id": "intake", "Arn": arn}])


def test_a_mail_in_the_bucket_is_a_job_without_anybody_doing_more(office: Office) -> None:
    let_mails_invoke(office, install(office))
    mail = on_top() + a_mail()

    async def put_and_wait(backend: AwsBackend) -> None:
        mark = await backend.changed(None, wait=timedelta(0))
        office.store("mail/m1", mail)
        await backend.changed(mark, wait=timedelta(seconds=60))

    office.ask(put_and_wait)

    assert office.fetched(office.the_job().origin.raw) == mail


def test_a_lambda_answers_whoever_invokes_it(office: Office) -> None:
    name = install(office)
    office.store("mail/m1", on_top() + a_mail())
    event = {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "detail": {"bucket": {"name": office.names.bucket}, "object": {"key": "mail/m1"}},
    }

    answer: dict[str, Any] = office.stacks.client("lambda").invoke(
        FunctionName=name, Payload=json.dumps(event).encode()
    )

    assert json.load(answer["Payload"]) == {"taken": 1}
    assert len(office.jobs()) == 1
