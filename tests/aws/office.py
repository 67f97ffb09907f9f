"""An office of a person: one stack, one origin, command lines as processes, and AWS's own view."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tests.aws.conftest import Start
from tests.backends.aws.stacks import Stacks
from tests.cli.conftest import Run
from tests.cli.program import Program
from tests.workspaces.origins import BareOrigin

LEASE_SECONDS = 15
LOOKS_MAX = 300
POLL_SECONDS = 0.3

AGENT = """\
read -r line
resumed=; grep -qsx "$line" done.txt && resumed=yes
echo "$line" >> done.txt
echo "$line" >> "$HOTDESK_SESSION_DIR/talk"
cp "$HOTDESK_JOB_FILE" told.json
case "$resumed$line" in slow*)
    trap 'exit 0' INT; echo begun
    while :; do sleep 0.05; done;;
esac
cat "$HOTDESK_SESSION_DIR/talk" > "$HOTDESK_RESULT_FILE"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """One stack, one origin, and the command line."""

    url: str
    folder: Path
    origin: BareOrigin
    ask: Run
    start: Start

    def send(self, desk: str, instruction: str, thread: str) -> str:
        """Submit a job; return its id."""
        options = ("--desk", desk, "-m", instruction, "--thread", thread)
        return str(self.record("send", *options)["job"])

    def record(self, *arguments: str) -> dict[str, Any]:
        """The one thing that a command prints."""
        return self.ask("--backend", self.url, *arguments, "--json").record

    def records(self, *arguments: str) -> list[dict[str, Any]]:
        """All that a command prints."""
        return self.ask("--backend", self.url, *arguments, "--json").records

    def until(self, what: str, is_so: Callable[[], object]) -> None:
        """Wait for what other processes do."""
        for _ in range(LOOKS_MAX):
            if is_so():
                return
            Event().wait(POLL_SECONDS)
        pytest.fail(f"it never came to this: {what}")

    def until_begun(self, job: str) -> None:
        """Wait until the agent of a job is at work."""
        self.until(f"{job} begins", lambda: self._says(job, "begun"))

    def _says(self, job: str, word: str) -> bool:
        return any(word in each["text"] for each in self.records("job", "logs", job))

    def ended(self, job: str) -> dict[str, Any]:
        """Wait for a job's end; return it."""
        self.until(f"{job} ends", lambda: self.record("job", "show", job)["ended_at"])
        return self.record("job", "show", job)

    def worker(self, name: str, **variables: str) -> Program:
        """Start a worker with an empty disk of its own."""
        disk = self.folder / name
        program = self.start(
            *("--backend", self.url, "--config", str(self.folder / "hotdesk.toml")),
            *("worker", "run", "--id", name),
            HOTDESK_DATA_DIR=str(disk),
            **variables,
        )
        program.until("serving")
        return program


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """What AWS itself knows of the stack."""

    stacks: Stacks
    stack: str

    def histories(self) -> dict[str, list[list[str]]]:
        """By job, the kinds of events of each of its executions."""
        return {
            job: [[event["type"] for event in events] for events in executions]
            for job, executions in self._events().items()
        }

    def _events(self) -> dict[str, list[list[dict[str, Any]]]]:
        states, names = self.stacks.client("stepfunctions"), self.stacks.names(self.stack)
        found: dict[str, list[list[dict[str, Any]]]] = {}
        for each in states.list_executions(stateMachineArn=names.state_machine_arn)["executions"]:
            arn = each["executionArn"]
            job = json.loads(states.describe_execution(executionArn=arn)["input"])["job"]
            events = states.get_execution_history(executionArn=arn, maxResults=1000)["events"]
            found.setdefault(job, []).append(events)
        return found

    def states(self) -> dict[str, list[str]]:
        """By job, the states that its executions have entered."""
        return {
            job: [
                each["stateEnteredEventDetails"]["name"]
                for events in executions
                for each in events
                if "stateEnteredEventDetails" in each
            ]
            for job, executions in self._events().items()
        }

    def messages(self) -> int:
        """The messages in the queues of desks, seen or unseen."""
        sqs = self.stacks.client("sqs")
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        return sum(
            int(count)
            for queue in self.stacks.queues(self.stack)
            if "-input-" in queue
            for count in sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)[
                "Attributes"
            ].values()
        )

    def queues_of_workers(self) -> int:
        """The queues of workers that are there."""
        return sum("-worker-" in queue for queue in self.stacks.queues(self.stack))
