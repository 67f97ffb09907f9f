"""What is asked of DNS, and how much of it one mail may ask.

Names and numbers of look-ups come from records that anybody can write: without bounds a
mail could have a thousand names looked up, or a host be asked a thousand times.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

from hotdesk.errors import Rejected

LOOK_UPS_MAX = 60  # Of one mail: a policy twice, keys of 5 signatures, and SPF at its limits.
NAME_LENGTH_MAX = 253
LABEL_LENGTH_MAX = 63

Kind = Literal["TXT", "A", "AAAA", "MX", "PTR"]


class TooMuch(Rejected):
    """The records of a domain ask for more look-ups than one mail may have."""


class Resolver(Protocol):
    """Looks names up. Texts come joined; names in lower case, without a dot at the end."""

    async def look_up(self, name: str, kind: Kind) -> tuple[str, ...]:
        """What DNS holds of this kind, servers by preference; nothing if there is none.

        Raises:
            Unavailable: DNS did not answer, or says that it cannot.
        """
        ...


@dataclass(slots=True)
class LookUps:
    """The look-ups of one mail."""

    resolver: Resolver
    made: int = 0

    async def __call__(self, name: str, kind: Kind) -> tuple[str, ...]:
        """Look a name up; one that cannot be in DNS is not there.

        Raises:
            Unavailable: DNS did not answer, or says that it cannot.
            TooMuch: There were too many for this mail.
        """
        if not _is_name(name):
            return ()
        self.made += 1
        if self.made > LOOK_UPS_MAX:
            raise TooMuch(f"more than {LOOK_UPS_MAX} look-ups in DNS")
        return await self.resolver.look_up(name, kind)


def _is_name(name: str) -> bool:
    labels = name.split(".")
    return (
        len(name) <= NAME_LENGTH_MAX
        and name.isascii()
        and name.isprintable()
        and not set(name) & {" ", "\\"}
        and all(0 < len(label) <= LABEL_LENGTH_MAX for label in labels)
    )
