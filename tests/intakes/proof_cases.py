"""The cases of ``docs/mail.md``: mails, what DNS says, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from hotdesk.mail.proof.verdict import Peer
from tests.mail.samples import a_mail
from tests.mail.signing import (
    NOW,
    OUR_SERVER,
    SIGNED,
    SOMEBODY,
    Zone,
    ed25519_key,
    key_record,
    rsa_key,
    weak_key,
)
from tests.mail.signing import signed as sign

Records = Mapping[str, Sequence[str]]  # Texts, by their name in DNS.

SCOTT = "amelia+scott@desk.example"
ANY = "berta+any@desk.example"
POLICY = "_dmarc.example.org"
KEY = "s1._domainkey.example.org"
SPF = "example.org"
EVIL = {"s1._domainkey.evil.example": [key_record(rsa_key())]}
OUR_SPF: Records = {SPF: [f"v=spf1 ip4:{OUR_SERVER} -all"]}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row. ``records`` are published beside the key and the policy of example.org."""

    raw: Callable[[], bytes]
    to: str = SCOTT
    address: str = SOMEBODY
    return_path: str = "anna@example.org"
    records: Records = field(default_factory=dict)
    silent: Sequence[str] = ()

    @property
    def peer(self) -> Peer:
        """Who hands the mail over."""
        return Peer(address=self.address, hello="mx.example", return_path=self.return_path)

    def zone(self) -> Zone:
        """What DNS says."""
        zone = Zone(silent=set(self.silent))
        zone.publish(POLICY, "v=DMARC1; p=reject")
        zone.publish(KEY, key_record(rsa_key()))
        for name, texts in self.records.items():
            zone.publish(name, *texts)
        return zone


def _unix(difference: timedelta) -> int:
    return int((NOW + difference).timestamp())


def _changed(old: bytes, new: bytes) -> Callable[[], bytes]:
    return lambda: sign(a_mail()).replace(old, new)


def _signed(**options: object) -> Callable[[], bytes]:
    return lambda: sign(a_mail(), **options)  # type: ignore[arg-type] # a case may be wrong on purpose


def _from(text: str | None) -> Callable[[], bytes]:
    return lambda: sign(a_mail(From=text))


def _on_top(*lines: str) -> Callable[[], bytes]:
    return lambda: "".join(f"{line}\r\n" for line in lines).encode() + a_mail()


def _to_berta() -> bytes:
    return a_mail(To=ANY)


def _under(count: int) -> Callable[[], bytes]:
    bad = sign(a_mail()).partition(b"From:")[0].replace(b"s=s1", b"s=s2")
    return lambda: bad * count + sign(a_mail())


def _record(name: str, *texts: str) -> Records:
    return {name: texts}


def _key(tags: str) -> Records:
    return {KEY: [key_record(rsa_key(), tags)]}


def _included(count: int) -> Records:
    found: dict[str, Sequence[str]] = {
        f"i{n}.example.org": [f"v=spf1 include:i{n + 1}.example.org"] for n in range(count)
    }
    found[f"i{count}.example.org"] = [f"v=spf1 ip4:{OUR_SERVER}"]
    return {SPF: ["v=spf1 include:i0.example.org -all"], **found}


_PARTS = b"--b\r\n\r\nMake the header blue.\r\n--b--\r\n"
_BY_SUBDOMAIN: Records = {"s1._domainkey.mail.example.org": [key_record(rsa_key())]}
_SPF_OF_SUBDOMAIN: Records = {"team.example.org": [f"v=spf1 ip4:{OUR_SERVER} -all"]}
_BY_BEN = "ben@elsewhere.example"
_BY_TEAM = "x@team.example.org"

CASES: dict[str, Case] = {
    # --- DKIM
    "signed by the domain of From": Case(raw=_signed()),
    "signed with Ed25519": Case(
        raw=_signed(key=ed25519_key()), records=_record(KEY, key_record(ed25519_key()))
    ),
    "signed in the form simple/simple": Case(raw=_signed(canonical="simple/simple")),
    "signed by another domain": Case(raw=_signed(domain="evil.example"), records=EVIL),
    "signed by a subdomain": Case(raw=_signed(domain="mail.example.org"), records=_BY_SUBDOMAIN),
    "signed by a subdomain, `adkim=s`": Case(
        raw=_signed(domain="mail.example.org"),
        records={**_BY_SUBDOMAIN, POLICY: ["v=DMARC1; p=none; adkim=s"]},
    ),
    "text added by a mailing list": Case(raw=lambda: sign(a_mail()) + b"-- \r\nthe list\r\n"),
    "text changed": Case(raw=_changed(b"blue", b"pink")),
    "signed subject changed": Case(raw=_changed(b"Subject: Header", b"Subject: Footer")),
    "a second subject added on top": Case(raw=lambda: b"Subject: Footer\r\n" + sign(a_mail())),
    "subject left open by the signature": Case(raw=_signed(fields=("from", "to", "date"))),
    "`Content-Type` left open, parts as the text marks them": Case(
        raw=lambda: sign(a_mail(_PARTS, Content_Type="multipart/mixed; boundary=b"))
    ),
    "`Content-Type` left open, and another one on top": Case(
        raw=lambda: (
            b"Content-Type: text/html\r\n"
            + sign(a_mail(_PARTS, Content_Type="multipart/mixed; boundary=b"))
        )
    ),
    "From left open by the signature": Case(raw=_signed(fields=("to", "subject", "date"))),
    "part of the text left open (`l=`)": Case(raw=_signed(more="l=5;")),
    "signed mail sent again with another From": Case(
        raw=lambda: sign(a_mail(From="scott@example.org")).replace(b"scott@e", b"anna@e")
    ),
    "signed mail to somebody else, sent again to a desk": Case(
        raw=lambda: sign(a_mail(To="eve@evil.example"))
    ),
    "signed mail with the desk in Cc": Case(
        raw=lambda: sign(a_mail(To="tim@example.org", Cc=SCOTT), fields=(*SIGNED, "cc"))
    ),
    "signed mail, desk added to an unsigned Cc": Case(
        raw=lambda: sign(a_mail(To="eve@evil.example", Cc=SCOTT))
    ),
    "signature expired (`x=`)": Case(raw=_signed(more=f"x={_unix(timedelta(seconds=-1))};")),
    "signature from the future (`t=`)": Case(raw=_signed(more=f"t={_unix(timedelta(hours=1))};")),
    "signature of eight days ago": Case(raw=_signed(more=f"t={_unix(timedelta(days=-8))};")),
    "signed, with a Date of eight days ago": Case(
        raw=lambda: sign(a_mail(Date="Sun, 23 Feb 2025 10:00:00 +0000"))
    ),
    "signed with rsa-sha1": Case(raw=_changed(b"a=rsa-sha256", b"a=rsa-sha1")),
    "key of fewer than 1024 bits": Case(
        raw=_signed(key=weak_key()), records=_record(KEY, key_record(weak_key()))
    ),
    "key withdrawn (`p=`)": Case(raw=_signed(), records=_record(KEY, "v=DKIM1; p=")),
    "key for trials (`t=y`)": Case(raw=_signed(), records=_key("v=DKIM1; t=y;")),
    "key for another service (`s=`)": Case(raw=_signed(), records=_key("v=DKIM1; s=tlsrpt;")),
    "key not published": Case(raw=_signed(), records=_record(KEY)),
    "two keys of one name": Case(
        raw=_signed(), records=_record(KEY, key_record(rsa_key()), key_record(rsa_key()))
    ),
    "good signature below four bad ones": Case(raw=_under(4)),
    "good signature below five bad ones": Case(raw=_under(5)),
    # --- SPF
    "server of the domain (SPF passes)": Case(raw=a_mail, address=OUR_SERVER, records=OUR_SPF),
    "server of a subdomain": Case(
        raw=_to_berta,
        to=ANY,
        address=OUR_SERVER,
        return_path=_BY_TEAM,
        records=_SPF_OF_SUBDOMAIN,
    ),
    "server of a subdomain, `aspf=s`": Case(
        raw=_to_berta,
        to=ANY,
        address=OUR_SERVER,
        return_path=_BY_TEAM,
        records={**_SPF_OF_SUBDOMAIN, POLICY: ["v=DMARC1; p=none; aspf=s"]},
    ),
    "another server (SPF fails)": Case(raw=a_mail, records=OUR_SPF),
    "another server, `~all`": Case(raw=a_mail, records=_record(SPF, "v=spf1 ~all")),
    "another server, `?all`": Case(raw=a_mail, records=_record(SPF, "v=spf1 ?all")),
    "SPF passes for the domain of the envelope only": Case(
        raw=a_mail,
        address=OUR_SERVER,
        return_path=_BY_BEN,
        records={"elsewhere.example": ["v=spf1 +all"]},
    ),
    "address of a stranger in the envelope": Case(raw=_signed(), return_path="eve@evil.example"),
    "SPF that would let our own relay send": Case(
        raw=a_mail, address="127.0.0.1", records=_record(SPF, "v=spf1 ip4:127.0.0.0/8 +all")
    ),
    "SPF with ten look-ups": Case(raw=a_mail, address=OUR_SERVER, records=_included(9)),
    "SPF with eleven look-ups": Case(raw=a_mail, address=OUR_SERVER, records=_included(10)),
    "SPF that names three hosts that do not exist": Case(
        raw=a_mail,
        address=OUR_SERVER,
        records=_record(SPF, "v=spf1 a:a.example a:b.example a:c.example +all"),
    ),
    "two SPF records": Case(
        raw=a_mail, address=OUR_SERVER, records=_record(SPF, "v=spf1 +all", "v=spf1 -all")
    ),
    # --- DMARC
    "neither signed nor from a server of the domain": Case(raw=a_mail),
    "the same, `p=none`": Case(raw=a_mail, records=_record(POLICY, "v=DMARC1; p=none")),
    "the same, `p=quarantine`": Case(raw=a_mail, records=_record(POLICY, "v=DMARC1; p=quarantine")),
    "signed, `p=none`": Case(raw=_signed(), records=_record(POLICY, "v=DMARC1; p=none")),
    "no DMARC record, signed by the domain": Case(raw=_signed(), records=_record(POLICY)),
    "no DMARC record, server of the domain": Case(
        raw=a_mail, address=OUR_SERVER, records={**OUR_SPF, POLICY: []}
    ),
    "no DMARC record, signed by a subdomain": Case(
        raw=_signed(domain="mail.example.org"), records={**_BY_SUBDOMAIN, POLICY: []}
    ),
    "two DMARC records, signed by a subdomain": Case(
        raw=_signed(domain="mail.example.org"),
        records={**_BY_SUBDOMAIN, POLICY: ["v=DMARC1; p=none", "v=DMARC1; p=reject"]},
    ),
    "From a subdomain, signed by its organization": Case(
        raw=lambda: sign(a_mail(From="x@team.example.org", To=ANY)),
        to=ANY,
        return_path=_BY_TEAM,
    ),
    # --- DNS
    "DNS silent about the key": Case(raw=_signed(), silent=[KEY]),
    "DNS silent about SPF": Case(raw=a_mail, silent=[SPF]),
    "DNS silent about SPF, signed": Case(raw=_signed(), silent=[SPF]),
    "DNS silent about the policy": Case(raw=a_mail, silent=[POLICY]),
    "DNS silent about the policy, signed by the domain": Case(raw=_signed(), silent=[POLICY]),
    # --- What a mail says of itself
    "own `Authentication-Results`": Case(
        raw=_on_top("Authentication-Results: mx.desk.example; dmarc=pass header.from=example.org")
    ),
    "own `ARC` fields": Case(
        raw=_on_top(
            "ARC-Seal: i=1; a=rsa-sha256; cv=none; d=example.org; s=s1; b=YQ==",
            "ARC-Authentication-Results: i=1; x; dmarc=pass header.from=example.org",
        )
    ),
    "own `Received-SPF`": Case(raw=_on_top("Received-SPF: pass")),
    "null return path": Case(raw=_signed(), return_path=""),
    # --- From
    "two From fields": Case(raw=lambda: b"From: eve@evil.example\r\n" + sign(a_mail())),
    "two addresses in From": Case(raw=_from("anna@example.org, eve@evil.example")),
    "group in From": Case(raw=_from("us: anna@example.org;")),
    "no From": Case(raw=_from(None)),
    "empty From": Case(raw=_from("")),
    "another address as the name in From": Case(raw=_from('"anna@example.org" <eve@evil.example>')),
    "`anna%example.org@evil.example` in From": Case(raw=_from("anna%example.org@evil.example")),
    "`evil.example!anna@example.org` in From": Case(raw=_from("evil.example!anna@example.org")),
    "dot behind the domain in From": Case(raw=_from("anna@example.org.")),
    "domain that looks like ours, in other letters": Case(raw=_from("anna@ex\u0430mple.org")),
    "From of 2,000 characters": Case(raw=_from(f"{'x' * 2000} <anna@example.org>")),
}
