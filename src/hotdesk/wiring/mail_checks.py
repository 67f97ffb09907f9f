"""What ``doctor`` and ``up`` say of the way in for mail: who could pretend to be somebody."""

import ipaddress
from collections.abc import Iterator
from functools import partial

from hotdesk.config import MailConfig
from hotdesk.errors import Unavailable
from hotdesk.mail.proof.dns import DnsResolver
from hotdesk.wiring.finding import Check, Finding, fail, ok, warn

_ASKED = "example.org"  # RFC 2606: it is there, and belongs to nobody.


def mail_checks(mail: MailConfig) -> Iterator[Check]:
    """Look at what proves a sender."""
    yield partial(_proof, mail)


def open_door(mail: MailConfig) -> str:
    """Say so if anybody who reaches the port can pretend to be anybody; else nothing."""
    host = mail.listen.rpartition(":")[0].strip("[]")
    if mail.proof == "dmarc" or _is_loopback(host):
        return ""
    how = "nothing is checked" if mail.proof == "none" else f"{mail.relay_name} is believed"
    return (
        f"whoever reaches {mail.listen} can write in anybody's name: {how} "
        f"(mail.proof = {mail.proof})"
    )


async def _proof(mail: MailConfig) -> Finding:
    if problem := open_door(mail):
        return warn(problem, 'listen on 127.0.0.1, or set [mail] proof = "dmarc"')
    if mail.proof == "none":
        return ok("mail is believed as it comes, from this machine only")
    if mail.proof == "relay":
        return ok(f"what {mail.relay_name} found out about a sender is believed")
    try:
        await DnsResolver().look_up(_ASKED, "TXT")
    except Unavailable as error:
        return fail(
            f"{error}; no sender can be proved", "mend /etc/resolv.conf, or see the network"
        )
    return ok("senders are proved by DMARC, and DNS answers")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
