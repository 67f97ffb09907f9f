"""Who may write to the desks of a project, by address, and as what.

An address is a claim, not a proof: anyone can write any From field. What is proved is
found out in ``mail.proof``, and what follows from both is in ``intakes.decision``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from hotdesk.desks import checked_name
from hotdesk.errors import Rejected
from hotdesk.mail.letter import Mailbox
from hotdesk.mail.mailbox import canonical_domain, parse_address

ANY_USER = "*"


class Role(StrEnum):
    """As what a sender writes to a desk."""

    MAINTAINER = "maintainer"  # For every user of the project.
    USER = "user"
    GUEST = "guest"  # For every user too, but an operator has to approve it.


@dataclass(slots=True)
class _Rule:
    """What one address, or one domain, may do."""

    users: set[str] = field(default_factory=set)
    roles: set[Role] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedSenders:
    """The rules of one project: its users, and what each address or domain may do.

    A rule for an address stands alone; the rule for its domain adds nothing to it, so
    that one person of a domain can be given less.
    """

    users: frozenset[str]
    addresses: Mapping[str, _Rule]
    domains: Mapping[str, _Rule]

    @classmethod
    def parse(
        cls,
        users: Mapping[str, Iterable[str]],
        *,
        maintainers: Iterable[str] = (),
        guests: Iterable[str] = (),
    ) -> Self:
        """Read rules: ``anna@example.org``, or ``*@example.org`` or ``example.org``.

        ``*`` among the users stands for every user. A domain does not speak for the
        domains below it.

        Raises:
            Rejected: A rule is neither an address nor a domain, or a user is not a name.
        """
        addresses: dict[str, _Rule] = {}
        domains: dict[str, _Rule] = {}

        def rule(who: str) -> _Rule:
            if domain := canonical_domain(who.removeprefix("*@")):
                return domains.setdefault(domain, _Rule())
            if mailbox := parse_address(who):
                return addresses.setdefault(mailbox.address, _Rule())
            raise Rejected(
                f"allowed sender {who[:80]!r} is neither an address nor a domain: use "
                "'anna@example.org', '*@example.org' or 'example.org'"
            )

        names = {u if u == ANY_USER else checked_name("user", u): who for u, who in users.items()}
        for user, senders in names.items():
            for who in senders:
                rule(who).users.add(user)
        for role, senders in ((Role.MAINTAINER, maintainers), (Role.GUEST, guests)):
            for who in senders:
                rule(who).roles.add(role)
        return cls(users=frozenset(names), addresses=addresses, domains=domains)

    def know(self, user: str) -> bool:
        """Whether there is such a user: maintainers and guests write to those that are named."""
        return user in self.users or ANY_USER in self.users

    def role(self, sender: Mailbox, *, user: str) -> Role | None:
        """As what mail that says it comes from *sender* may be work for *user*, if at all."""
        rule = self.addresses.get(sender.address) or self.domains.get(sender.domain)
        if rule is None or not self.know(user):
            return None
        if Role.MAINTAINER in rule.roles:
            return Role.MAINTAINER
        if user in rule.users or ANY_USER in rule.users:
            return Role.USER
        return Role.GUEST if Role.GUEST in rule.roles else None
