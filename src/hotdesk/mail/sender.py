"""Who may write to the desks of a project, by address.

An address is a claim, not a proof: anyone can write any From field. These rules are
safe only behind a relay that refuses forged mail (DMARC) before it reaches Hotdesk.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from hotdesk.desks import checked_name
from hotdesk.errors import Rejected
from hotdesk.mail.letter import Mailbox
from hotdesk.mail.mailbox import canonical_domain, parse_address

ANY_USER = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedSenders:
    """The rules of one project: for each address or domain, the users it may write for.

    A rule for an address stands alone; the rule for its domain adds nothing to it.
    """

    addresses: Mapping[str, frozenset[str]]
    domains: Mapping[str, frozenset[str]]

    @classmethod
    def parse(cls, rules: Mapping[str, Iterable[str]]) -> Self:
        """Read rules: ``anna@example.org``, or ``*@example.org`` or ``example.org``, to users.

        ``*`` among the users stands for every user. A domain does not speak for the
        domains below it.

        Raises:
            Rejected: A rule is neither an address nor a domain, or a user is not a name.
        """
        addresses: dict[str, frozenset[str]] = {}
        domains: dict[str, frozenset[str]] = {}
        for who, users in rules.items():
            allowed = frozenset(u if u == ANY_USER else checked_name("user", u) for u in users)
            if domain := canonical_domain(who.removeprefix("*@")):
                domains[domain] = domains.get(domain, frozenset()) | allowed
            elif mailbox := parse_address(who):
                known = addresses.get(mailbox.address, frozenset())
                addresses[mailbox.address] = known | allowed
            else:
                raise Rejected(
                    f"allowed sender {who[:80]!r} is neither an address nor a domain: use "
                    "'anna@example.org', '*@example.org' or 'example.org'"
                )
        return cls(addresses=addresses, domains=domains)

    def know(self, user: str) -> bool:
        """Whether anyone may write for *user*: without a rule there is no such user."""
        rules = (*self.addresses.values(), *self.domains.values())
        return any(user in users or ANY_USER in users for users in rules)

    def allow(self, sender: Mailbox, *, user: str) -> bool:
        """Whether mail that says it comes from *sender* may be work for *user*."""
        users = self.addresses.get(sender.address)
        if users is None:
            users = self.domains.get(sender.domain, frozenset())
        return user in users or ANY_USER in users
