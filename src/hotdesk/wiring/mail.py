"""``[mail]`` becomes the way in and the way out."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from anyio import to_thread

from hotdesk.client import Client
from hotdesk.clock import SystemClock
from hotdesk.config import Config, MailConfig
from hotdesk.intakes.files import MailFiles
from hotdesk.intakes.mailroom import Mailroom
from hotdesk.intakes.smtp import SmtpIntake
from hotdesk.mail.outbox import Outbox
from hotdesk.mail.proof.dmarc import DmarcProver
from hotdesk.mail.proof.dns import DnsResolver
from hotdesk.mail.proof.hosts import Address, is_inside
from hotdesk.mail.proof.results import RelayProver
from hotdesk.mail.proof.verdict import Prover, believe
from hotdesk.mail.relay import Relay
from hotdesk.ports import Backend
from hotdesk.wiring.answers import key_of, presentation_of
from hotdesk.wiring.mail_checks import open_door
from hotdesk.wiring.mail_rules import rules_of
from hotdesk.workspaces import Workspaces


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """Mail in and out; ``outbox`` is missing where no relay takes answers."""

    intake: SmtpIntake
    outbox: Outbox | None
    files: MailFiles
    config: Config

    async def tidy(self) -> None:
        """Remove mails that no job refers to any more.

        One that waited for approval until its last day becomes a job that is kept as long again.
        """
        before = SystemClock().now() - 2 * self.config.limits.retention
        await to_thread.run_sync(self.files.remove_before, before)


def mail_of(
    config: Config,
    client: Client,
    backend: Backend,
    workspaces: Workspaces,
    *,
    tell: Callable[[str], None],
) -> Mail | None:
    """Make what takes and sends mail, if mail is configured.

    Raises:
        ConfigError: A secret is not there, or the key is too short.
    """
    if config.mail is None:
        return None
    key = key_of(config.mail)
    files = MailFiles(config.data_dir / "mail")
    relay = relay_of(config.mail)
    mailroom = Mailroom(
        client,
        backend,
        SystemClock(),
        files,
        domain=config.mail.domain,
        key=key,
        rules=rules_of(config),
        courier=relay,
    )
    if problem := open_door(config.mail):
        tell(problem)
    host, _, port = config.mail.listen.rpartition(":")
    intake = SmtpIntake(
        mailroom,
        prove=prover_of(config.mail),
        host=host.strip("[]"),
        port=int(port),
        hostname=config.mail.domain,
        is_lmtp=config.mail.protocol == "lmtp",
        size_max=config.mail.size_max_bytes,
        connections_max=config.mail.connections_max,
        is_relay=partial(speaks_for_many, config.mail),
        on_error=tell,
    )
    outbox = None
    if relay is not None:
        outbox = Outbox(
            backend,
            SystemClock(),
            relay,
            domain=config.mail.domain,
            key=key,
            presentation_of=lambda job: presentation_of(config, workspaces, job),
        )
    return Mail(intake=intake, outbox=outbox, files=files, config=config)


def speaks_for_many(config: MailConfig, host: Address) -> bool:
    """Whether a host that hands mail over speaks for many."""
    return config.proof == "relay" or is_inside(host)


def prover_of(config: MailConfig) -> Prover:
    """What finds out who sent a mail.

    Raises:
        Unavailable: The machine does not say where DNS is.
    """
    match config.proof:
        case "dmarc":
            return DmarcProver(DnsResolver())
        case "relay":
            return RelayProver(config.relay_name)
    return believe


def relay_of(config: MailConfig) -> Relay | None:
    """The relay that answers are handed to, if there is one.

    Raises:
        ConfigError: Its password is not there.
        Rejected: It would be sent without TLS.
    """
    relay = config.relay
    if relay is None:
        return None
    return Relay(
        host=relay.host,
        port=relay.port,
        tls=relay.tls,
        username=relay.username,
        password="" if relay.password is None else relay.password.read(),
    )
