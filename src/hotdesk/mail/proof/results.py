"""What a server before us found and wrote on top of a mail: ``Authentication-Results`` (RFC 8601).

A mail can bring such fields itself. So those of a relay count only above the first field
``Received``: its own stands there, and all that it was given stands below.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hotdesk.mail.headers import VALUE_BYTES_MAX, read_headers
from hotdesk.mail.letter import Mailbox
from hotdesk.mail.mailbox import canonical_domain
from hotdesk.mail.proof.verdict import How, Peer, Proof, unproven

FIELD = "authentication-results"
FIELDS_MAX = 20

_METHOD = re.compile(r"([a-z0-9-]+)(?:/\d{1,3})?=([a-z]+)", re.IGNORECASE)
_WORD = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^\s"])+')
_AROUND_EQUALS = re.compile(r"[ \t]*=[ \t]*")
# Only where a line begins: what a sender chose (names of hosts, of senders) is quoted
# behind it, and holds no line break.
_AT_LINE_START = re.compile(r"[ \t](spf|dkim|dmarc)=([a-z]+)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One method and its result, and for what: ``{"header.from": "example.org"}``."""

    method: str
    result: str
    about: dict[str, str]

    def domain(self, name: str) -> str:
        """The domain of a property, which may be an address."""
        return canonical_domain(self.about.get(name, "").strip('"').rpartition("@")[2])


def findings_by_line(lines: Sequence[str], *, name: str) -> Iterator[tuple[str, str]]:
    """Yield method and result from the lines of a field of the server *name*, SES's way."""
    if lines and lines[0].strip().rstrip(";") == name:
        for line in lines[1:]:
            if match := _AT_LINE_START.match(line):
                yield match[1], match[2]


def findings_of(value: str, *, name: str) -> list[Finding]:
    """Read a field of the server *name*; nothing from another one, or if it cannot be read."""
    clauses = _clauses(value)
    server = clauses[0].split() if clauses else []
    if not server or server[0].strip('"').lower() != name.lower():
        return []
    return [finding for clause in clauses[1:] if (finding := _finding(clause))]


def _finding(clause: str) -> Finding | None:
    # A sender can have what is quoted written; white space around "=" stands outside.
    words = _WORD.findall(clause if '"' in clause else _AROUND_EQUALS.sub("=", clause))
    match = _METHOD.fullmatch(words[0]) if words else None
    if match is None:
        return None
    about: dict[str, str] = {}
    for word in words[1:]:
        key, equals, said = word.partition("=")
        if equals and about.setdefault(key.lower(), said) != said:
            # It cannot be about two domains: a sender wrote one of them.
            return None
    return Finding(method=match[1].lower(), result=match[2].lower(), about=about)


def _clauses(value: str) -> list[str]:
    """Cut at semicolons that are in no comment and no quoted text; comments are left out."""
    clauses = [""]
    depth, is_quoted, is_escaped = 0, False, False
    for character in value:
        if is_escaped:
            is_escaped = False
        elif character == "\\" and (depth or is_quoted):
            is_escaped = True
        elif character == '"' and not depth:
            is_quoted = not is_quoted
        elif character == "(" and not is_quoted:
            depth += 1
        elif character == ")" and depth:
            depth -= 1
            clauses[-1] += " "
            continue
        elif character == ";" and not depth and not is_quoted:
            clauses.append("")
            continue
        if not depth:
            clauses[-1] += character
    return [] if depth or is_quoted else [clause.strip() for clause in clauses]


class RelayProver:
    """``Prover`` that believes what one relay found."""

    def __init__(self, name: str) -> None:
        """*name* is what the relay calls itself in what it writes."""
        self._name = name

    async def __call__(self, sender: Mailbox, raw: bytes, _peer: Peer, _now: object) -> Proof:
        """Say what the relay found for the domain of *sender*.

        Raises:
            MailRejected: The header fields cannot be read.
        """
        return relay_proof(sender, raw, name=self._name)


def relay_proof(sender: Mailbox, raw: bytes, *, name: str) -> Proof:
    """Judge a mail by what the relay *name* wrote on top of it.

    Raises:
        MailRejected: The header fields cannot be read.
    """
    found = _on_top(raw, name)
    if not found:
        return unproven(How.RELAY, sender, f"{name} found out nothing about this mail")
    dmarc = [finding for finding in found if finding.method == "dmarc"]
    if any(finding.result != "none" for finding in dmarc):
        # Two that differ: one of them was not written by the relay.
        is_proved = all(
            finding.result == "pass" and finding.domain("header.from") == sender.domain
            for finding in dmarc
        )
        said = "DMARC does not pass"
    else:
        is_proved = any(_is_of(finding, sender.domain) for finding in found)
        said = "neither SPF nor DKIM passes"
    if is_proved:
        return Proof(how=How.RELAY, domain=sender.domain)
    return unproven(How.RELAY, sender, f"{name} says: {said}")


def _is_of(finding: Finding, domain: str) -> bool:
    """Whether SPF or DKIM passes for the very domain."""
    if finding.result != "pass":
        return False
    if finding.method == "spf":
        return finding.domain("smtp.mailfrom") == domain
    return finding.method == "dkim" and finding.domain("header.d") == domain


def _on_top(raw: bytes, name: str) -> list[Finding]:
    headers, _ = read_headers(raw, 0, len(raw))
    names = [field for field, _ in headers.fields]
    if "received" not in names:
        return []
    above = headers.fields[: names.index("received")]
    values = [value for field, value in above if field == FIELD][:FIELDS_MAX]
    return [
        finding
        for value in values
        for finding in findings_of(value[:VALUE_BYTES_MAX].decode("utf-8", "replace"), name=name)
    ]
