"""What SES knows of a mail and the mail cannot say itself: its envelope and the verdicts.

SES tells it in the event of a receipt, and writes it as header fields on top of the mail that
it stores. Of those only what stands above the mail's own fields is believed, line by line,
because a mail may bring fields of the same names.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields

from hotdesk.mail.headers import FIELDS_BYTES_MAX
from hotdesk.mail.letter import Mailbox
from hotdesk.mail.mailbox import parse_address
from hotdesk.mail.proof.results import FIELD, findings_by_line
from hotdesk.mail.proof.verdict import How, Proof, unproven

PASS, FAIL, GRAY = "PASS", "FAIL", "GRAY"
RECIPIENTS_MAX = 100  # As by SMTP; SES takes 50 (its quotas, "recipients per message").

# The fields that SES writes, each once; the first one that is another, or comes again, is
# the mail's own.
_BY_SES = frozenset(
    "return-path received x-ses-spam-verdict x-ses-virus-verdict received-spf "
    "authentication-results x-ses-receipt x-ses-dkim-signature".split()
)
_AUTHENTICATOR = "amazonses.com"
_FOR = re.compile(r"\sfor <?([^\s<>;]{1,320})>?;")
_ADDRESS = re.compile(r"[\w!#$%&'*+/=?^`{|}~.-]{1,128}@[\w.-]{1,253}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """SES's findings: ``PASS``, ``FAIL``, ``GRAY`` and others; empty where it says nothing."""

    spam: str = ""
    virus: str = ""
    spf: str = ""
    dkim: str = ""
    dmarc: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Who sent a mail, as SMTP was told, and to whom; ``return_path`` is empty for bounces."""

    return_path: str
    recipients: tuple[str, ...]
    verdicts: Verdicts = field(default_factory=Verdicts)

    def proof(self, sender: Mailbox) -> Proof:
        """Say whether the mail comes from the domain that its From field names.

        DMARC says so; for a domain without it, SPF does where the envelope names the same one.
        """
        path = parse_address(self.return_path)
        is_aligned = path is not None and path.domain == sender.domain
        is_by_spf = is_aligned and self.verdicts.spf == PASS and self.verdicts.dmarc != FAIL
        if self.verdicts.dmarc == PASS or is_by_spf:
            return Proof(how=How.SES, domain=sender.domain)
        return unproven(How.SES, sender, "neither DMARC nor SPF passes")


def envelope_of_receipt(
    mail: Mapping[str, object], receipt: Mapping[str, object]
) -> Envelope | None:
    """Read the event of a receipt; ``None`` if it is not of the form that SES gives it.

    Its fields: SES, "Contents of notifications for Amazon SES email receiving".
    """
    source, recipients = mail.get("source", ""), receipt.get("recipients")
    if not isinstance(source, str) or not isinstance(recipients, list):
        return None
    if not all(isinstance(each, str) for each in recipients):
        return None
    verdicts = {}
    for each in fields(Verdicts):
        said = receipt.get(f"{each.name}Verdict")
        status = said.get("status") if isinstance(said, dict) else ""
        verdicts[each.name] = status.upper() if isinstance(status, str) else ""
    return Envelope(
        return_path=source.strip("<>"),
        recipients=tuple(recipients[:RECIPIENTS_MAX]),
        verdicts=Verdicts(**verdicts),
    )


def envelope_of_mail(raw: bytes, *, domain: str) -> Envelope:
    """Read what SES wrote on top of *raw*.

    A mail to one recipient names it there; of one to several the addresses at *domain* in
    its own fields are taken, which its sender chose: they are names of desks, no rights.
    """
    found: dict[str, list[str]] = {}
    own: dict[str, list[str]] = {}
    for name, lines in _fields(raw):
        if not own and name in _BY_SES and name not in found:
            found[name] = lines
        elif name not in own:
            own[name] = lines
    received = _FOR.search(" ".join(found.get("received", ())))
    return Envelope(
        return_path=" ".join(found.get("return-path", ())).strip(" \t<>"),
        recipients=(received[1],) if received else tuple(_addresses(own, domain)),
        verdicts=_verdicts(found),
    )


def _verdicts(found: Mapping[str, Sequence[str]]) -> Verdicts:
    findings: dict[str, str] = {}
    for method, result in findings_by_line(found.get(FIELD, ()), name=_AUTHENTICATOR):
        # Several signatures may stand there: one that holds is enough.
        if findings.get(method) != PASS:
            findings[method] = {"pass": PASS, "fail": FAIL}.get(result, GRAY)
    return Verdicts(
        spam="".join(found.get("x-ses-spam-verdict", ())).strip().upper(),
        virus="".join(found.get("x-ses-virus-verdict", ())).strip().upper(),
        **findings,
    )


def _addresses(own: Mapping[str, Sequence[str]], domain: str) -> Iterator[str]:
    text = " ".join(line for name in ("to", "cc") for line in own.get(name, ()))
    at_domain = (
        each for each in _ADDRESS.findall(text) if each.lower().endswith(f"@{domain.lower()}")
    )
    yield from list(dict.fromkeys(at_domain))[:RECIPIENTS_MAX]


def _fields(raw: bytes) -> Iterator[tuple[str, list[str]]]:
    """The header fields, each as its lines; white space at the beginning of a line stays."""
    name, lines = "", list[str]()
    for line in raw[:FIELDS_BYTES_MAX].decode("utf-8", "replace").split("\n"):
        text = line.removesuffix("\r")
        if text[:1] in (" ", "\t") and name:
            lines.append(text)
            continue
        if name:
            yield name, lines
        name, colon, value = text.partition(":")
        if not colon:
            return
        name, lines = name.strip().lower(), [value]
