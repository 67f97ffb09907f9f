"""Who was preempted hears who took over, as far as it is theirs to know."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.desks import InterruptPolicy, InterruptReason, NewJob, Origin, Outcome
from hotdesk.mail.outbox import LOOK_BACK_MAX, Outbox
from hotdesk.mail.parse import parse_mail
from hotdesk.testing.clock import FakeClock
from hotdesk.testing.scene import Scene, a_job

pytestmark = pytest.mark.anyio

DOMAIN = "desk.example"
KEY = b"a key of 32 bytes, kept in a file"


class Pocket:
    """A courier that keeps what it is given."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []

    async def deliver(
        self, mail: bytes, *, message_id: str, sender: str, recipient: str, hostname: str
    ) -> str:
        self.mails.append(mail)
        return message_id


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    clock = FakeClock()
    backend = SqliteBackend(tmp_path / "hotdesk.db", clock)
    yield Scene(backend, clock)
    await backend.close()


def by_mail(job_id: str, sender: str = "anna@example.org", *, thread: str = "header") -> NewJob:
    origin = Origin(source="mail", sender=sender, message_id=f"<{job_id}@example.org>")
    return a_job(job_id, thread=thread, interrupt=InterruptPolicy.THREAD, origin=origin)


async def told_of(scene: Scene, *newer: NewJob) -> str:
    """Let *newer* come while j1 runs, and let j1 stop for them; what its sender then reads."""
    await scene.submit(by_mail("j1"))
    claim = await scene.claimed("w1")
    delivery = await scene.handed(claim, "j1")
    await scene.submit(*newer)
    for job in newer:
        if job.id.startswith("cancelled"):
            await scene.cancel(job.id)
    await scene.settle(delivery, Outcome.interrupted(InterruptReason.PREEMPT))
    courier = Pocket()
    await Outbox(scene.backend, scene.clock, courier, domain=DOMAIN, key=KEY).send_due(job_id="j1")
    (mail,) = courier.mails
    return parse_mail(mail).text


async def test_who_sent_a_newer_instruction_hears_that_it_took_over(scene: Scene) -> None:
    text = await told_of(scene, by_mail("j2"), by_mail("j3"))

    assert text.startswith("Your newer instruction took over: “do j2”\n")
    assert "Its answer comes to you" in text


async def test_a_cancelled_instruction_has_not_taken_over(scene: Scene) -> None:
    text = await told_of(scene, by_mail("cancelled"), by_mail("j3"))

    assert text.startswith("Your newer instruction took over: “do j3”\n")


async def test_an_instruction_that_stops_nobody_has_not_taken_over(scene: Scene) -> None:
    origin = by_mail("j2").origin
    patient = a_job("j2", interrupt=InterruptPolicy.NEVER, origin=origin)

    text = await told_of(scene, patient, by_mail("j3"))

    assert text.startswith("Your newer instruction took over: “do j3”\n")


async def test_an_instruction_of_another_conversation_has_not_taken_over(scene: Scene) -> None:
    text = await told_of(scene, by_mail("j2", thread="footer"), by_mail("j3"))

    assert text.startswith("Your newer instruction took over: “do j3”\n")


async def test_nobody_hears_what_another_sender_asked_for_instead(scene: Scene) -> None:
    text = await told_of(scene, by_mail("j2", "eve@example.org"), by_mail("j3"))

    assert text.startswith("A newer instruction in this conversation took over.\n")
    assert "do j" not in text.partition("\n> ")[0]
    assert "Its answer goes to whoever sent it" in text


async def test_what_took_over_long_ago_is_not_looked_for(scene: Scene) -> None:
    others = (by_mail(f"x{number}", thread="footer") for number in range(LOOK_BACK_MAX))

    text = await told_of(scene, by_mail("j2"), *others, by_mail("j3"))

    assert text.startswith("A newer instruction in this conversation took over.\n")
