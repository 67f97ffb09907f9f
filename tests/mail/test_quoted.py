from __future__ import annotations

from time import process_time  # noqa: TID251 - what is measured is the reading itself

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotdesk.mail.quoted import new_text

ANNOUNCEMENTS = [
    "On Mon, Mar 3, 2025 at 10:11 AM Hotdesk <amelia+scott@desk.example> wrote:",
    "Am 03.03.2025 um 10:11 schrieb Hotdesk:",
    "Am 3. März 2025 10:11:00 MEZ schrieb Hotdesk <a@desk.example>:",
    "Am Montag, den 03.03.2025, 10:11 +0100 schrieb Hotdesk:",
    "Am Mo., 3. März 2025 um 10:11 Uhr schrieb Hotdesk <\namelia+scott@desk.example>:",
    "Le lun. 3 mars 2025 à 10:11, Hotdesk <a@desk.example> a écrit :",
    "Le 03/03/2025 à 10:11, Hotdesk a écrit\u00a0:",
    "El lun, 3 mar 2025 a las 10:11, Hotdesk (<a@desk.example>) escribió:",
    "Il giorno lun 3 mar 2025 alle ore 10:11 Hotdesk <a@desk.example> ha scritto:",
    "Op ma 3 mrt 2025 om 10:11 schreef Hotdesk <a@desk.example>:",
    "Em seg., 3 de mar. de 2025 às 10:11, Hotdesk <a@desk.example> escreveu:",
    "Hotdesk <a@desk.example> schrieb am Mo., 3. März 2025, 10:11:",
]

OUTLOOK = [
    f"{'_' * 32}\nFrom: Hotdesk <a@desk.example>\nSent: Monday, March 3, 2025 10:11 AM\n\nBlue.",
    "Von: Hotdesk\nGesendet: Montag, 3. März 2025 10:11\nAn: Anna\nBetreff: Re: Header\n\nBlau.",
    "-----Original Message-----\nFrom: Hotdesk\n\nIt is blue.",
    "Am 03.03.2025 um 10:11 schrieb Hotdesk <a@desk.example>:\n\nDie Kopfzeile ist blau.",
]


@pytest.mark.parametrize("announcement", ANNOUNCEMENTS)
@pytest.mark.parametrize("gap", ["\n", "\n\n"])
def test_a_marked_quote_is_removed_with_the_line_that_announces_it(
    announcement: str, gap: str
) -> None:
    text = f"Greener, please.{gap}{announcement}{gap}> It is blue.\n>\n> > Make it blue.\n"

    assert new_text(text, is_reply=True) == "Greener, please."


@pytest.mark.parametrize("quote", OUTLOOK)
def test_an_unmarked_quote_is_removed_from_its_announcement_on(quote: str) -> None:
    assert new_text(f"Greener, please.\n\n\n{quote}\n", is_reply=True) == "Greener, please."


def test_an_answer_below_the_quote_is_found() -> None:
    text = "Am 03.03.2025 um 10:11 schrieb Hotdesk:\n> It is blue.\n\nGreener.\n\n-- \nAnna\n"

    assert new_text(text, is_reply=True) == "Greener."


def test_answers_between_the_lines_keep_what_they_answer() -> None:
    text = "> The header is blue.\nGood.\n> The footer as well.\nNo, make that red.\n-- \nAnna\n"

    assert new_text(text, is_reply=True) == text.partition("\n-- ")[0]


def test_a_mail_that_answers_nothing_keeps_what_looks_like_a_quote() -> None:
    text = "Do what she says:\n\nOn 3/3/2025 10:11, Eve <e@x.example> wrote:\n> Make it blue."

    assert new_text(text, is_reply=False) == text


@pytest.mark.parametrize(
    "text",
    [
        "Please put this on the page:\nFrom: 9 am\nTo: 5 pm\nSubject: opening hours\nin bold",
        "On Monday I wrote:\nmake it blue",
        "- make it blue\n- make it red\n\n  def f():\n      return 1",
        "Hi,\nThanks, great work! Now make the footer red\nand bigger.",
        "Thank you, and one more thing: make it green\n\nBest regards,\nAnna",
        "Make these changes:\n> the header blue\n> the footer red\nand publish",
        "a\n--\n" + "line\n" * 20 + "z",
        "> only a quote",
        "-- \nAnna",
        "Sent from my iPhone",
    ],
)
def test_an_instruction_is_not_taken_for_a_quote_or_a_signature(text: str) -> None:
    kept = new_text(text, is_reply=True)

    for word in text.replace("> ", "").split():
        if word not in ("the", "header", "blue", "footer", "red") or ">" not in text:
            assert word in kept


@pytest.mark.parametrize(
    "signature",
    [
        "-- \nAnna Muster\nMuster GmbH",
        "--\nAnna",
        "Sent from my iPhone",
        "Von meinem iPhone gesendet",
        "Envoyé de mon iPhone",
        "Get Outlook for iOS <https://aka.ms/o0ukef>",
    ],
)
@pytest.mark.parametrize("is_reply", [True, False])
def test_a_signature_that_is_surely_one_is_removed(
    signature: str,
    is_reply: bool,  # noqa: FBT001 - pytest passes it by name
) -> None:
    assert new_text(f"Make it blue.\n\n{signature}\n", is_reply=is_reply) == "Make it blue."


lines = st.sampled_from(
    ["", " ", "> old", "new", "--", "-- ", *ANNOUNCEMENTS, *OUTLOOK, "Sent from my iPhone", "____"]
)


@given(st.lists(lines | st.text(max_size=20), max_size=12), st.booleans())
def test_new_text_is_never_empty_when_the_text_is_not(
    texts: list[str],
    is_reply: bool,  # noqa: FBT001 - Hypothesis draws it
) -> None:
    text = "\n".join(texts)

    new = new_text(text, is_reply=is_reply)

    assert bool(new.strip()) == bool(text.strip())
    assert len(new) <= len(text)


SLOW = ["\n", "On a ", "On a\n", "From: a\n", "> ", ">\n", "a:\n> b\n", "Op ", "Dne ", "On\n", "* "]


@pytest.mark.parametrize("piece", SLOW)
@pytest.mark.parametrize("start", ["", "On "])
def test_no_text_keeps_the_reader_busy(piece: str, start: str) -> None:
    line = start + (piece * 80)[:156]
    started = process_time()

    new_text(piece * (300_000 // len(piece)), is_reply=True)
    new_text(f"{line}\n" * 2_000, is_reply=True)

    assert process_time() - started < 3
