"""An SPF record as values (RFC 7208): its terms, and the macros in them."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import quote

from hotdesk.errors import Rejected
from hotdesk.mail.proof.hosts import Address
from hotdesk.mail.proof.verdict import Peer

TERMS_MAX = 200

_RECORD = re.compile(r"v=spf1(?: (.*))?", re.IGNORECASE | re.DOTALL)
_MODIFIER = re.compile(r"([a-z][a-z0-9_.-]*)=(.*)", re.IGNORECASE)
_MECHANISM = re.compile(r"([+?~-])?([a-z][a-z0-9_.-]*)(?:([:/])(.*))?", re.IGNORECASE)
_LENGTHS = re.compile(r"(.*?)(?:/(\d{1,3}))?(?://(\d{1,3}))?")
_MACRO = re.compile(r"%(?:([%_-])|\{([slodipvh])(\d{0,3})(r?)([.\-+,/_=]*)\})", re.IGNORECASE)
# What may stand in a domain beside macros: it is visible, and ends in a label or in a macro.
_DOMAIN = re.compile(r"[!-~]*(?:\.[a-z0-9-]*[a-z][a-z0-9-]*\.?|%\{[^}]*\}\.?)", re.IGNORECASE)
_LABEL_END = re.compile(r".*\.(?!-)[a-z0-9-]*(?<!-)\.?|.*\}\.?", re.IGNORECASE)
_LITERALS = {"%": "%", "_": " ", "-": "%20"}
_NAME_LENGTH_MAX = 253


class Misspelt(Rejected):
    """The record is not of the form that the RFC asks for: it says nothing at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One mechanism: ``qualifier`` is the result if it matches. ``domain`` may hold macros."""

    qualifier: str
    name: str
    domain: str = ""
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None = None
    bits4: int = 32
    bits6: int = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The terms in their order, and whose record counts if none of them matches."""

    terms: tuple[Term, ...]
    redirect: str = ""


def is_record(text: str) -> bool:
    """Whether a text in DNS is an SPF record at all."""
    return _RECORD.fullmatch(text) is not None


def read_record(text: str) -> Record:
    """Read a record; all of it, as one mistake makes it void.

    Raises:
        Misspelt: There is a mistake in it.
    """
    match = _RECORD.fullmatch(text)
    assert match is not None, "is_record said so"
    terms: list[Term] = []
    modifiers: dict[str, str] = {}
    words = (match[1] or "").split(" ")
    if len(words) > TERMS_MAX:
        raise Misspelt("it has too many terms")
    for word in filter(None, words):
        if modifier := _MODIFIER.fullmatch(word):
            name = modifier[1].lower()
            if name in ("redirect", "exp"):
                if name in modifiers:
                    raise Misspelt(f"{name} comes twice")
                modifiers[name] = _domain(modifier[2])
            else:
                _check_macros(modifier[2])
        else:
            terms.append(_mechanism(word))
    return Record(terms=tuple(terms), redirect=modifiers.get("redirect", ""))


def _mechanism(word: str) -> Term:
    match = _MECHANISM.fullmatch(word)
    if match is None:
        raise Misspelt("a term cannot be read")
    qualifier, name, mark, rest = match[1] or "+", match[2].lower(), match[3], match[4] or ""
    match name:
        case "all" if mark is None:
            return Term(qualifier=qualifier, name=name)
        case "ip4" | "ip6" if mark == ":":
            return Term(qualifier=qualifier, name=name, network=_network(name, rest))
        case "include" | "exists" if mark == ":":
            return Term(qualifier=qualifier, name=name, domain=_domain(rest))
        case "ptr" if mark in (None, ":"):
            domain = _domain(rest) if mark else ""
            return Term(qualifier=qualifier, name=name, domain=domain)
        case "a" | "mx":
            domain, bits4, bits6 = _with_lengths(rest if mark == ":" else f"{mark or ''}{rest}")
            if mark == ":" or domain:
                domain = _domain(domain)
            return Term(qualifier=qualifier, name=name, domain=domain, bits4=bits4, bits6=bits6)
    raise Misspelt("a term cannot be read")


def _with_lengths(text: str) -> tuple[str, int, int]:
    match = _LENGTHS.fullmatch(text)
    assert match is not None, "every part of it may be missing"
    return match[1], _bits(match[2], 32), _bits(match[3], 128)


def _bits(text: str | None, bits_max: int) -> int:
    bits = bits_max if text is None else int(text)
    if bits > bits_max or (text is not None and str(bits) != text):
        raise Misspelt("a length is out of bounds")
    return bits


def _network(name: str, text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    address, slash, length = text.partition("/")
    if slash and not (length.isascii() and length.isdigit() and str(int(length)) == length):
        raise Misspelt("a length is out of bounds")
    try:
        if name == "ip4":
            return ipaddress.IPv4Network(text, strict=False)
        if "%" in address:
            raise Misspelt("an address cannot be read")
        return ipaddress.IPv6Network(text, strict=False)
    except ValueError:
        raise Misspelt("an address cannot be read") from None


def _domain(text: str) -> str:
    _check_macros(text)
    if not (_DOMAIN.fullmatch(text) and _LABEL_END.fullmatch(text)):
        raise Misspelt("a domain cannot be read")
    return text


def _check_macros(text: str) -> None:
    if "%" in _MACRO.sub("", text) or any(int(m[3] or 1) == 0 for m in _MACRO.finditer(text)):
        raise Misspelt("a macro cannot be read")


def expand(text: str, *, peer: Peer, address: Address, domain: str) -> str:
    """Put in what the macros stand for, and cut the name to what DNS takes (RFC 7208, 7)."""

    def value(match: re.Match[str]) -> str:
        if match[1]:
            return _LITERALS[match[1]]
        letter, digits, is_reversed, marks = match[2], match[3], match[4], match[5]
        said = _value(letter.lower(), peer=peer, address=address, domain=domain)
        parts = re.split(f"[{re.escape(marks or '.')}]", said)
        if is_reversed:
            parts.reverse()
        joined = ".".join(parts[-int(digits) :] if digits else parts)
        return quote(joined, safe="-._~") if letter.isupper() else joined

    name = _MACRO.sub(value, text).removesuffix(".").lower()
    # Labels go from the left until it fits.
    while len(name) > _NAME_LENGTH_MAX and "." in name:
        name = name.partition(".")[2]
    return name


def _value(letter: str, *, peer: Peer, address: Address, domain: str) -> str:
    local, _, sender_domain = peer.return_path.rpartition("@")
    match letter:
        case "s":
            return f"{local or 'postmaster'}@{sender_domain}"
        case "l":
            return local or "postmaster"
        case "o":
            return sender_domain
        case "d":
            return domain
        case "i":
            if isinstance(address, ipaddress.IPv4Address):
                return str(address)
            return ".".join(address.exploded.replace(":", ""))
        case "p":
            # The RFC asks publishers not to use it, and allows this answer.
            return "unknown"
        case "v":
            return "in-addr" if isinstance(address, ipaddress.IPv4Address) else "ip6"
    return peer.hello
