"""What the resources of a stack are called; nothing here calls anybody.

Every name follows from the stack, the region and the account, so that nobody has to look
one up: the template gives the same names to what it creates.
"""

import hashlib
from dataclasses import dataclass

from hotdesk.desks import Desk


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The names of the stack *stack* of *account* in *region*."""

    stack: str
    region: str
    account: str

    @property
    def table(self) -> str:
        """The one table."""
        return f"{self.stack}-desks"

    @property
    def bucket(self) -> str:
        """Mails, attachments and whatever is too large for an item; unique in all of S3."""
        return f"{self.stack}-{self.account}-{self.region}"

    @property
    def unclaimed(self) -> str:
        """The queue of claim requests."""
        return unclaimed(self.stack)

    @property
    def state_machine_arn(self) -> str:
        """The workflow of every job."""
        return (
            f"arn:{self.partition}:states:{self.region}:{self.account}:"
            f"stateMachine:{self.stack}-jobs"
        )

    @property
    def partition(self) -> str:
        """The part of AWS that the region belongs to."""
        if self.region.startswith("cn-"):
            return "aws-cn"
        return "aws-us-gov" if self.region.startswith("us-gov-") else "aws"

    def execution_arn(self, name: str) -> str:
        """One run of the workflow."""
        return self.state_machine_arn.replace(":stateMachine:", ":execution:") + f":{name}"


def of_desk(stack: str, desk: Desk, number: int) -> str:
    """A desk's queue, the one behind *number* that were given up.

    SQS blocks the name of a queue that was removed for 60 s, and takes 80 characters;
    `web-shop`+`ana` must not meet `web`+`shop-ana`.
    """
    return f"{stack}-input-{digest(desk.key)}-{number}.fifo"


def of_worker(stack: str, worker_id: str) -> str:
    """The queue through which a worker is woken and interrupted."""
    return f"{stack}-worker-{digest(worker_id)}"


def unclaimed(stack: str) -> str:
    """The queue of claim requests."""
    return f"{stack}-unclaimed"


def digest(text: str) -> str:
    """Stand for a text of any length and letters; two texts do not meet."""
    # Half of SHA-256: room for a generation of 15 digits within SQS's 80 characters.
    return hashlib.sha256(text.encode()).hexdigest()[:24]
