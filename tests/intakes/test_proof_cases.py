"""Every row of the table in ``docs/mail.md``, and that there are no others."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest

from hotdesk.errors import Unavailable
from hotdesk.mail.letter import Mailbox
from hotdesk.mail.proof.dmarc import DmarcProver
from hotdesk.mail.proof.verdict import Peer, Proof
from hotdesk.mail.rejection import MailRejected
from tests.intakes.conftest import Post
from tests.intakes.proof_cases import CASES, Case
from tests.mail.signing import NOW

PAGE = Path(__file__).parents[2] / "docs/mail.md"


def rows() -> dict[str, str]:
    """What the page says becomes of each case."""
    section = PAGE.read_text(encoding="utf-8").partition("## The cases")[2].partition("\n## ")[0]
    found = re.findall(r"^\| (.+?) \| (.+?) \|$", section, re.MULTILINE)
    return {case: becomes for case, becomes in found if case not in ("A mail", "---")}


async def becomes(post: Post, case: Case) -> str:
    prover = DmarcProver(case.zone())

    async def prove(sender: Mailbox, raw: bytes, peer: Peer, _now: datetime) -> Proof:
        return await prover(sender, raw, peer, NOW)

    try:
        recipient = post.mailroom.recipient(case.to, return_path=case.return_path)
        await post.mailroom.take(
            case.raw(),
            [recipient],
            peer=case.peer,
            prove=prove,
            is_whole=True,
        )
    except MailRejected as refusal:
        assert await post.client.jobs() == []
        return f"{refusal.code} {refusal.status}"
    except Unavailable:
        assert await post.client.jobs() == []
        return "451"
    if not await post.client.jobs():
        return "ignored"
    (taken,) = await post.events("MailTaken")
    return f"taken ({taken['proof']})"


@pytest.mark.anyio
@pytest.mark.parametrize("case", CASES)
async def test_of_a_mail_becomes_what_the_page_says(post: Post, case: str) -> None:
    assert await becomes(post, CASES[case]) == rows().get(case)


def test_the_page_has_every_case_and_no_other() -> None:
    assert list(rows()) == list(CASES)
