"""What goes out of the record: messages, rings, claim requests and executions of a stack."""

from collections import deque

from hotdesk.backends.aws.calls import Calls
from hotdesk.backends.aws.desk import Leftover
from hotdesk.backends.aws.queues import Queues
from hotdesk.backends.aws.workflow import Workflow

# What this process has finished lately, so that it does not do it again before it is noted.
FINISHED_MAX = 1000


class Post:
    """The queues and the workflow of the stack *stack*."""

    def __init__(self, calls: Calls, stack: str) -> None:
        """Reach them through *calls*."""
        self.stack = stack
        self.queues = Queues(calls, stack)
        self.workflow = Workflow(calls, stack)
        self._finished: deque[Leftover] = deque(maxlen=FINISHED_MAX)

    async def finish(self, queue: str, leftover: Leftover) -> None:
        """Call back and delete the message; doing it again changes nothing.

        In this order: a message that is left comes again and finds its send over, but a
        workflow that is never called back waits for its watchdog.
        """
        if leftover in self._finished:
            return
        if leftover.token:
            await self.workflow.tell(leftover.token, leftover.verdict)
        if leftover.receipt:
            await self.queues.delete(queue, leftover.receipt)
        self._finished.append(leftover)
