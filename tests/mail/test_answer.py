from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hotdesk.desks import Job, JobState, Result
from hotdesk.mail.answer import FILES_MAX, Facts, Presentation, facts_of
from tests.mail.answers import JOB, ORIGIN, PREVIEW, an_answer, built, newer, parts

ESCAPE = "\x1b"


def facts(
    state: JobState = JobState.SUCCEEDED,
    presentation: Presentation = PREVIEW,
    *,
    successor: Job | None = None,
    **changes: Any,  # noqa: ANN401 - any field of a job
) -> Facts:
    answer = an_answer(state, **changes)
    return facts_of(answer, presentation, successor=successor, words_bytes_max=1000)


def after(**changes: Any) -> Facts:  # noqa: ANN401 - any field of a result
    """The facts of a success whose result differs so from the usual one."""
    assert JOB.result is not None
    return facts(result=replace(JOB.result, **changes))


def test_an_answer_says_what_happened_what_changed_and_how_to_go_on() -> None:
    text, _ = parts(built(an_answer()))

    assert text == (
        "Done: 2 files changed, +12 \N{MINUS SIGN}4.\n\n"
        "The header is *blue*.\n\n"
        "Note: x.tiff was left out.\n\n"
        "Preview: https://preview.example/t1\n\n"
        "Changed:\n  site.css  +12 \N{MINUS SIGN}4\n  x.png\n\n"
        "Reply to this mail to go on.\n\n"
        "> Make the header blue.\n> And the footer.\n\n"
        "-- \nBranch: hotdesk/scott/t1\nCommit: abc123\nCost: $0.42\nJob j1 of amelia/scott\n"
    )


def test_the_page_says_the_same_in_the_same_order() -> None:
    _, page = parts(built(an_answer()))

    assert page.text == (
        "Done: 2 files changed, +12 \N{MINUS SIGN}4. "
        "The header is blue. "
        "Note: x.tiff was left out. "
        "See it Preview: https://preview.example/t1 "
        "Changed: site.css +12 \N{MINUS SIGN}4 x.png "
        "Reply to this mail to go on. "
        "Make the header blue. And the footer. "
        "Branch: hotdesk/scott/t1 Commit: abc123 Cost: $0.42 Job j1 of amelia/scott"
    )
    assert page.links == ["https://preview.example/t1"]


@pytest.mark.parametrize("state", [state for state in JobState if state.is_ended])
@pytest.mark.parametrize("successor", [None, newer()])
def test_each_outcome_is_told_by_both_parts_in_the_same_words(
    state: JobState, successor: Job | None
) -> None:
    answer = an_answer(
        state,
        result=Result(text="", changes=JOB.result.changes if JOB.result else ()),
        error="no colour named blu\nname another one",
        partial_commit="abc",
    )
    text, page = parts(built(answer, Presentation(), successor=successor))

    assert " ".join(page.text.split()) == " ".join(
        text.replace("> ", "").replace("-- ", "").split()
    )


@pytest.mark.parametrize(
    ("state", "headline", "go_on"),
    [
        (JobState.SUCCEEDED, "Done: 2 files changed", "Reply to this mail to go on."),
        (
            JobState.FAILED,
            "This did not work:",
            "to try again, or have an operator run: hotdesk job retry j1",
        ),
        (JobState.DEAD, "This was tried 3 times and did not work:", "run: hotdesk job retry j1"),
        (JobState.CANCELLED, "This instruction was cancelled.", "Reply to this mail to go on."),
        (JobState.PREEMPTED, "A newer instruction in this conversation", "Nothing is lost"),
    ],
)
def test_each_end_of_a_job_has_its_words(state: JobState, headline: str, go_on: str) -> None:
    told = facts(state, attempt=3, error="no colour named blu")

    assert told.headline.startswith(headline)
    assert go_on in told.go_on
    assert ("no colour named blu" in told.reason) == (state in (JobState.FAILED, JobState.DEAD))
    assert bool(told.preview) == bool(told.words) == (state is JobState.SUCCEEDED)


# ----------------------------------------------------------------- what became of the work


@pytest.mark.parametrize(
    "state", [JobState.FAILED, JobState.DEAD, JobState.CANCELLED, JobState.PREEMPTED]
)
def test_who_was_stopped_hears_where_the_work_until_then_is(state: JobState) -> None:
    told = facts(state, partial_commit="8dbc05").kept
    assert told.endswith("is kept, as commit 8dbc05 on branch hotdesk/scott/t1.")
    told = facts(state, Presentation(), partial_commit="8dbc05").kept
    assert told.endswith("is kept, as commit 8dbc05.")


def test_a_branch_is_named_where_there_is_a_commit_on_it() -> None:
    shown = replace(PREVIEW, branch="hotdesk/scott/t1\u202e\nx")

    assert facts(presentation=shown).branch == "hotdesk/scott/t1 x"
    assert not facts(presentation=shown, result=Result(text="Nothing to do.")).branch


def test_a_job_that_was_stopped_before_it_began_says_so() -> None:
    assert facts(JobState.CANCELLED, started_at=None).kept == "It had not begun yet."


def test_work_that_was_saved_without_a_commit_is_kept_too() -> None:
    assert (
        facts(JobState.PREEMPTED, partial={"page": 3}).kept == "What was done until then is kept."
    )


def test_what_is_kept_beside_the_work_is_not_told_as_work() -> None:
    shown = replace(PREVIEW, has_work=False)

    assert facts(JobState.PREEMPTED, shown, partial={}).kept == "There was nothing to keep yet."
    assert "8dbc05" in facts(JobState.PREEMPTED, shown, partial={}, partial_commit="8dbc05").kept


def test_the_sender_of_an_interrupted_mail_hears_which_of_their_own_took_over() -> None:
    told = facts(JobState.PREEMPTED, successor=newer(instruction="No, green.\n> Make it blue."))

    assert told.headline == "Your newer instruction took over: “No, green.”"
    assert told.go_on.endswith("Its answer comes to you in a mail of its own.")


@pytest.mark.parametrize(
    "origin",
    [
        replace(ORIGIN, sender="mallory@example.org"),
        replace(ORIGIN, sender=""),
        replace(ORIGIN, source="cli"),
        replace(ORIGIN, sender="anna@example.org, mallory@example.org"),
    ],
)
def test_nobody_hears_what_somebody_else_asked_for(origin: object) -> None:
    other = newer(origin=origin, instruction="Fire Anna.")
    answer = an_answer(JobState.PREEMPTED)

    told = facts(JobState.PREEMPTED, successor=other)

    assert told.headline == "A newer instruction in this conversation took over."
    assert told.go_on.endswith("Its answer goes to whoever sent it.")
    assert b"Fire" not in built(answer, successor=other)
    assert b"mallory" not in built(answer, successor=other)


# -------------------------------------------------------------------------- what changed


@pytest.mark.parametrize(
    ("changes", "headline"),
    [
        ((), "Done."),
        (("a.css +1 -0",), "Done: 1 file changed, +1 \N{MINUS SIGN}0."),
        (("a.css +1 -2", "b +3 -4", "c.png +0 -0"), "Done: 3 files changed, +4 \N{MINUS SIGN}6."),
        (("M a.css", "A b.png"), "Done: 2 files changed."),
        (
            ("a.css +1 -2", "and 1200 more"),
            "Done: 1,201 files changed, at least +1 \N{MINUS SIGN}2.",
        ),
        (("and 5 more", "a +1 -1"), "Done: 2 files changed, +1 \N{MINUS SIGN}1."),
        (("a +1 -99999999999999999999",), "Done: 1 file changed."),
    ],
)
def test_the_first_line_sums_up_what_changed(changes: tuple[str, ...], headline: str) -> None:
    assert after(changes=changes).headline == headline


def test_of_many_files_the_first_are_listed_and_the_others_counted() -> None:
    told = after(changes=(*(f"{n}.css +1 -1" for n in range(100)), "and 7 more"))

    assert [file.name for file in told.files] == [f"{n}.css" for n in range(FILES_MAX)]
    assert told.left_out == 107 - FILES_MAX
    assert "107 files changed" in told.headline


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\u202egpj.exe", "agpj.exe"),
        ("a\u200b\u2060.css", "a.css"),
        ("a\nCommit: abc", "a Commit: abc"),
        ("a\x1b[2Jb", "a[2Jb"),
        ("\ud800.css", "?.css"),
        ("x" * 200, "x" * 97 + "…"),
        ("語" * 50, "語" * 32 + "…"),
    ],
)
def test_the_name_of_a_file_is_one_line_that_shows_all_its_characters(
    name: str, shown: str
) -> None:
    (file,) = after(changes=(f"{name} +1 -1",)).files

    assert file.name == shown


@pytest.mark.parametrize(
    ("usd", "cost"),
    [
        (None, ""),
        (0.0, "$0.00"),
        (0.004, "less than $0.01"),
        (0.4151, "$0.42"),
        (1234.5, "$1,234.50"),
        (-1.0, ""),
        (float("nan"), ""),
        (float("inf"), ""),
    ],
)
def test_the_cost_is_told_to_the_cent_if_it_is_an_amount_of_money(
    usd: float | None, cost: str
) -> None:
    assert after(cost_usd=usd).cost == cost


def test_the_cost_is_not_told_where_the_project_does_not_say_so() -> None:
    assert not facts(presentation=Presentation()).cost


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.DEAD, JobState.PREEMPTED])
def test_the_cost_of_what_has_no_result_is_told_as_well(state: JobState) -> None:
    shown = replace(PREVIEW, spent_usd=0.25)

    assert facts(state, shown).cost == "$0.25"
    assert not facts(state, replace(shown, shows_cost=False)).cost


# ------------------------------------------------------------------- what others wrote


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (f"{ESCAPE}[1;31mred{ESCAPE}[0m", "red"),
        (f"{ESCAPE}]0;title\x07text", "text"),
        ("a\u202eb\u2066c\U000e0041d\ufeffe", "abcde"),
        ("می‌خواهم 👩‍🚀", "می‌خواهم 👩‍🚀"),
        ("a\r\nb\u2028c\x0bd\x00e", "a\nb\nc\nde"),
        ("\ud800", "?"),
    ],
)
def test_what_an_agent_says_keeps_its_letters_and_loses_what_only_terminals_and_forgers_use(
    said: str, shown: str
) -> None:
    assert after(text=said).words == shown


def test_a_long_text_is_cut_between_letters_and_says_so() -> None:
    told = after(text="語" * 500)

    assert told.words == "語" * 333
    assert told.is_cut
    assert (
        "[cut here: job j1 has the rest]"
        in parts(built(an_answer(result=Result(text="語" * 9000))))[0]
    )


def test_what_is_hidden_behind_invisible_letters_counts_as_cut() -> None:
    assert after(text="a" + "\u200b" * 200_000 + "b").is_cut


def test_a_failure_without_a_reason_says_that() -> None:
    assert facts(JobState.FAILED, error="\u202e \n").reason == "no reason was given."


def test_a_long_reason_is_cut_and_says_so() -> None:
    reason = facts(JobState.FAILED, error="x" * 10_000_000).reason

    assert reason.endswith("x\n[...]")
    assert len(reason) < 2_100


def test_of_a_long_instruction_the_first_lines_are_quoted() -> None:
    told = facts(instruction="\n\n".join(f"line {n}" for n in range(9)))

    assert told.quoted == ("line 0", "line 1", "line 2", "line 3", "line 4", "...")
