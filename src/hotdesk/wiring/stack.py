"""A stack as its Lambdas see it: settings out of its bucket, its backend, its mail.

Nothing here imports what only workers and a whole deployment need: a Lambda that has not run
for a while waits for every import.
"""

from dataclasses import dataclass
from pathlib import Path

from hotdesk.backends.aws.address import stack_of
from hotdesk.backends.aws.backend import AwsBackend
from hotdesk.backends.aws.bucket import Bucket
from hotdesk.backends.aws.calls import Calls, Refused
from hotdesk.backends.aws.courier import SesCourier
from hotdesk.clock import SystemClock
from hotdesk.config import Config, Document, MailConfig, load
from hotdesk.config.environment import supply, variables
from hotdesk.errors import ConfigError
from hotdesk.intakes.mailroom import Mailroom, MailStore
from hotdesk.intakes.ses import SesIntake
from hotdesk.mail.outbox import Outbox
from hotdesk.wiring.answers import key_of, presentation_of
from hotdesk.wiring.connection import client_of
from hotdesk.wiring.mail_rules import rules_of
from hotdesk.wiring.settings import PLACE_VARIABLE, missing, object_at
from hotdesk.workspaces import Workspaces

_BACKEND_VARIABLE = "HOTDESK_BACKEND"
_UNCHANGED = "304"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The open connections of one process, and the settings that they were opened with."""

    name: str
    config: Config
    version: str  # Of the file of settings; empty where it is part of the package.
    calls: Calls
    backend: AwsBackend
    courier: SesCourier

    @property
    def bucket(self) -> Bucket:
        """The bucket of the stack."""
        return Bucket(self.calls, self.name)

    def intake(self) -> SesIntake:
        """What takes mail.

        Raises:
            ConfigError: Mail is not configured, or its key is not there.
        """
        config, mail = self.config, self._mail()
        key = key_of(mail)
        client = client_of(self.backend, policy_of=config.policy_of)
        rules = rules_of(config)

        def mailroom_of(store: MailStore) -> Mailroom:
            return Mailroom(
                client,
                self.backend,
                SystemClock(),
                store,
                domain=mail.domain,
                key=key,
                rules=rules,
                courier=self.courier,
            )

        return SesIntake(
            self.bucket,
            mailroom_of,
            self.courier,
            SystemClock(),
            domain=mail.domain,
            size_max=mail.size_max_bytes,
        )

    def outbox(self) -> Outbox | None:
        """What sends answers; nothing without mail.

        Raises:
            ConfigError: The key is not there.
        """
        if self.config.mail is None:
            return None
        # To name a branch takes no repository, and none of their tokens.
        workspaces = Workspaces(root=Path(), repositories={})
        return Outbox(
            self.backend,
            SystemClock(),
            self.courier,
            domain=self.config.mail.domain,
            key=key_of(self.config.mail),
            presentation_of=lambda job: presentation_of(self.config, workspaces, job),
        )

    def _mail(self) -> MailConfig:
        if self.config.mail is None:
            raise ConfigError("mail", "is missing", "describe it in hotdesk.toml")
        return self.config.mail


async def open_stack(known: Stack | None) -> Stack:
    """Connect to the stack that the environment names, with its settings as they stand now.

    *known* is used again as long as they are the same.

    Raises:
        ConfigError: The environment or the settings are not usable.
        StoreError: The rights or the stack are not as they must be.
        Unavailable: The bucket did not answer.
    """
    region, name = stack_of(variables().get(_BACKEND_VARIABLE, ""))
    calls = known.calls if known else Calls(region)
    document, version = await _settings(calls, known.version if known else "")
    if known is not None and document is None:
        return known
    config = load(document=document).config
    await _supply_key(calls, name, config)
    # The limits of the backend are settings too; the connections are not.
    limits = config.limits.limits
    return Stack(
        name=name,
        config=config,
        version=version,
        calls=calls,
        backend=AwsBackend(calls, name, SystemClock(), limits=limits),
        courier=SesCourier(calls, region),
    )


async def _settings(calls: Calls, version: str) -> tuple[Document | None, str]:
    """The file of settings and its version; no file if it is still of *version*, or local."""
    place = variables().get(PLACE_VARIABLE, "")
    if not place:
        return None, ""
    arguments = object_at(place)
    if version:
        arguments["IfNoneMatch"] = version
    try:
        answer = await calls.call("s3", "get_object", arguments)
    except Refused as error:
        if error.code == _UNCHANGED:
            return None, version
        raise missing(place) from None
    return Document(origin=place, content=answer["Body"]), str(answer["ETag"])


async def _supply_key(calls: Calls, stack: str, config: Config) -> None:
    """Fetch the key of the addresses, which stands in the stack's parameters and not here."""
    where = config.mail.key.where if config.mail else ""
    kind, _, variable = where.partition(":")
    if kind != "env" or variable in variables():
        return
    arguments = {"Names": [f"/{stack}/{variable}"], "WithDecryption": True}
    answer = await calls.call("ssm", "get_parameters", arguments)
    for each in answer["Parameters"]:
        supply({variable: str(each["Value"])})
