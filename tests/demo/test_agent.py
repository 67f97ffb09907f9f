"""The demo agent: what it understands, what it does, and what it never pretends."""

import signal
import subprocess
from pathlib import Path

import pytest

from hotdesk.demo.agent import NotUnderstood, understand
from hotdesk.demo.site import PAGES

from .conftest import AGENT, Ask


def pages(site: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in site.iterdir()}


@pytest.mark.parametrize(
    ("instruction", "meant"),
    [
        ("make the header blue", ["the colour of the header is blue"]),
        ("Please paint the footer dark green.", ["the colour of the footer is darkgreen"]),
        ("turn the page #fafafa!", ["the colour of the page is #fafafa"]),
        ("Set the colour of the links to grey", ["the colour of the links is gray"]),
        ("Set the title to Fresh bread.", ['the text of the title is "Fresh bread"']),
        (
            'Change the text of the footer to "a. Set b; c"',
            ['the text of the footer is "a. Set b; c"'],
        ),
        ("set the title to “Ça va?”", ['the text of the title is "Ça va?"']),
        ("replace old words by new words", ['"new words" stands where "old words" stood']),
        ('Replace "by and by" with "soon"', ['"soon" stands where "by and by" stood']),
        ("No, make the header red instead, please", ["the colour of the header is red"]),
        (
            "Make the header blue, set the\ntitle to A\nB and replace C by D",
            [
                "the colour of the header is blue",
                'the text of the title is "A B"',
                '"D" stands where "C" stood',
            ],
        ),
        (
            "Hello,\n\n- make the header blue\n- and set the title to A\n\nThanks, Scott",
            ["the colour of the header is blue", 'the text of the title is "A"'],
        ),
        (
            "Make the footer blue. Set the title to A. Sorry, make it red.",
            [
                "the colour of the footer is blue",
                'the text of the title is "A"',
                "the colour of the footer is red",
            ],
        ),
    ],
)
def test_a_plain_sentence_is_understood_as_it_is_meant(instruction: str, meant: list[str]) -> None:
    assert [wish.done for wish in understand(instruction)] == meant


@pytest.mark.parametrize(
    "instruction",
    [
        "buy milk",
        "make the header blurple",
        "make the sidebar blue",
        "make it blue",
        "make the header blue and buy milk",
        "thanks make the header blue please do it",
        'replace "" by "x"',
        'replace "x" by ""',
        "set the title to",
    ],
)
def test_a_sentence_that_it_does_not_know_is_not_guessed_at(instruction: str) -> None:
    with pytest.raises(NotUnderstood):
        understand(instruction)


def test_the_site_is_changed_as_the_instruction_says(site: Path, ask: Ask) -> None:
    done = ask(
        'Make the header navy. Set the title to "Rye & more". '
        "Replace Cinnamon rolls by Cinnamon knots."
    )

    after = pages(site)
    assert done.returncode == 0
    assert 'the text of the title is "Rye & more"' in done.stdout
    assert after["style.css"] == PAGES["style.css"].replace("steelblue", "navy")
    for name in ("index.html", "about.html"):
        before = PAGES[name].replace("Amelia's Bakery", "Rye &amp; more")
        assert after[name] == before.replace("Cinnamon rolls", "Cinnamon knots")


@pytest.mark.parametrize(
    "instruction",
    [
        "Make the header navy. Buy milk.",
        "Make the header navy. Change the text of the sidebar to X.",
        "Make the header navy. Change the text of the main to X.",
        "Make the header navy. Replace pretzels by rolls.",
        "Thanks!",
    ],
)
def test_what_cannot_be_done_in_full_fails_and_changes_nothing(
    site: Path, ask: Ask, instruction: str
) -> None:
    done = ask(instruction)

    assert done.returncode == 65
    assert "I am the demo agent and know only" in done.stdout
    assert "Done" not in done.stdout
    assert pages(site) == dict(PAGES)


def test_what_was_so_already_is_not_claimed_as_work(site: Path, ask: Ask) -> None:
    ask("Replace rye bread by fresh rye bread")
    before = pages(site)

    again = ask("Replace rye bread by fresh rye bread")

    assert again.returncode == 0
    assert "(it was so already)" in again.stdout
    assert pages(site) == before


def test_interrupted_instructions_are_carried_out_with_the_newer_one(site: Path, ask: Ask) -> None:
    done = ask(
        "No, make it dark green instead.",
        folded=["Make the header navy. Set the title to A.", "Make the footer khaki."],
    )

    after = pages(site)
    assert done.returncode == 0
    assert 'the text of the title is "A"' in done.stdout
    assert after["style.css"] == PAGES["style.css"].replace("steelblue", "navy").replace(
        "lightgray", "darkgreen"
    )
    assert "<title>A</title>" in after["index.html"]


def test_what_an_interrupted_run_has_done_is_found_and_not_done_again(site: Path, ask: Ask) -> None:
    ask("Replace rye bread by fresh rye bread. Replace Cinnamon rolls by knots.")
    before = pages(site)

    done = ask(
        "Make the header navy.",
        folded=["Replace rye bread by fresh rye bread. Replace Cinnamon rolls by knots."],
    )

    assert done.returncode == 0
    assert done.stdout.count("(it was so already)") == 2
    assert pages(site) == before | {"style.css": PAGES["style.css"].replace("steelblue", "navy")}


def test_a_job_that_goes_on_behind_its_own_partial_work_finds_what_is_done(
    site: Path, ask: Ask
) -> None:
    ask("Replace Cinnamon rolls by knots.")

    anew = ask("Replace Cinnamon rolls by knots.")
    resumed = ask("Replace Cinnamon rolls by knots.", commit="c0ffee")

    assert anew.returncode == 65
    assert resumed.returncode == 0
    assert "(it was so already)" in resumed.stdout


def test_the_answer_says_what_was_done_and_stands_where_hotdesk_looks_for_it(
    tmp_path: Path, ask: Ask
) -> None:
    ask("Make the header navy.")

    answer = (tmp_path / "result.txt").read_text()
    assert answer == "Done:\n- the colour of the header is navy"


def test_one_that_fails_leaves_no_answer(tmp_path: Path, ask: Ask) -> None:
    ask("Buy milk.")

    assert not (tmp_path / "result.txt").exists()


def test_a_newer_wish_replaces_an_interrupted_one_that_it_contradicts(site: Path, ask: Ask) -> None:
    done = ask(
        "No, make the header dark green.", folded=["Make the header navy. Set the title to A."]
    )

    after = pages(site)
    assert "navy" not in done.stdout
    assert "Your newer word counts for the colour of the header." in done.stdout
    assert "background: darkgreen" in after["style.css"]
    assert "<title>A</title>" in after["about.html"]


def test_an_interrupted_instruction_that_makes_no_sense_does_not_stop_the_newer_one(
    site: Path, ask: Ask
) -> None:
    done = ask("Make the header green.", folded=["mkae the haeder green"])

    assert done.returncode == 0
    assert "I do not understand: mkae the haeder green" in done.stdout
    assert "background: green" in pages(site)["style.css"]


def test_an_interrupt_ends_it_between_two_steps_and_keeps_what_is_done(site: Path) -> None:
    with subprocess.Popen(
        [*AGENT, "--pace", "0.2"],
        cwd=site,
        env={},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write("Make the header navy. Make the footer khaki. Set the title to A.")
        process.stdin.close()
        while not process.stdout.readline().startswith("[2/4]"):
            assert process.poll() is None

        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        status = process.wait(10)

    after = pages(site)
    assert status == 130
    assert "Interrupted after 1 of 4 steps" in rest
    assert "Done" not in rest
    assert after["style.css"] == PAGES["style.css"].replace("steelblue", "navy")
    assert after["index.html"] == PAGES["index.html"]
