"""What agents are asked: our templates, and those of users instead of them."""

from pathlib import Path

import pytest

from hotdesk.agents.prompt import Failure, Prompts, Request, Task, quoted
from hotdesk.errors import ConfigError

NOW = Request(job_id="j9", text="make it blue")


def test_a_prompt_says_no_more_than_there_is_to_say() -> None:
    asked = Prompts.load().task(Task(request=NOW))

    assert asked == (
        "[hotdesk job j9]\n\n"
        "The user asks now:\n~~~\nmake it blue\n~~~\n\n"
        "Work in the current folder. Commit and push nothing, that is done for you. "
        "Your last message is the answer to the user.\n"
    )


def test_a_prompt_tells_where_the_work_of_what_was_interrupted_is() -> None:
    kept = Request(job_id="j1", text="make it red", commit="c0ffee")
    lost = Request(job_id="j2", text="make it round", is_known=True)

    asked = Prompts.load().task(
        Task(request=NOW, interrupted=[kept, lost], attachments=["/srv/logo.png"])
    )

    assert (
        "[hotdesk job j1] The user asked:\n~~~\nmake it red\n~~~\n"
        "What was done for it is in the current folder already, in commit c0ffee.\n"
    ) in asked
    assert (
        "[hotdesk job j2] You know this request.\n"
        "How much was done for it is not known: look at the files.\n"
    ) in asked
    assert "make it round" not in asked
    assert "\n- /srv/logo.png\n" in asked


@pytest.mark.parametrize(
    ("request_", "is_again", "told"),
    [
        (Request(job_id="j9", text="t", is_known=True), True, "look at the files"),
        (Request(job_id="j9", text="t"), True, "look at the files"),
        (Request(job_id="j9", text="t", is_known=True, commit="c1"), True, "in commit c1"),
    ],
)
def test_a_request_that_was_begun_before_says_what_is_left_of_it(
    request_: Request, *, is_again: bool, told: str
) -> None:
    asked = Prompts.load().task(Task(request=request_, is_again=is_again))

    assert told in asked
    assert ("~~~" in asked) != request_.is_known


@pytest.mark.parametrize(
    "text", ["plain", "~~~", "a\n~~~~~\nb", "  ~~~~ x", "\t~~~~", "~~~\r\n~~~~~~", "x\x0b~~~~", ""]
)
def test_no_text_can_close_its_own_quotation(text: str) -> None:
    first, *inside = quoted(text).splitlines()
    *inside, last = inside

    assert first == last
    assert set(first) == {"~"}
    assert not any(line.lstrip().startswith(first) for line in inside)


def test_the_prompt_for_what_failed_repeats_the_request_only_if_it_is_forgotten() -> None:
    failure = Failure(command="npm run build", end="exit status 1", lines="no such page")
    prompts = Prompts.load()

    known = prompts.fix(Request(job_id="j9", text="make it blue", is_known=True), failure)
    forgotten = prompts.fix(NOW, failure)

    assert known.startswith("[hotdesk job j9]\n\nOn what you have changed, this command failed")
    assert "make it blue" not in known
    assert "~~~\nmake it blue\n~~~" in forgotten
    assert "~~~\nno such page\n~~~" in forgotten


def test_a_prompt_of_the_user_replaces_ours_of_its_name_only(tmp_path: Path) -> None:
    (tmp_path / "fix.md").write_text("Mend {{ command }}.")
    (tmp_path / "notes.txt").write_text("no template")

    prompts = Prompts.load(tmp_path)

    failure = Failure(command="make", end="exit status 2", lines="")
    assert prompts.fix(NOW, failure) == "[hotdesk job j9]\n\nMend make.\n"
    assert prompts.task(Task(request=NOW)) == Prompts.load().task(Task(request=NOW))


def test_what_a_user_writes_is_not_read_as_a_template(tmp_path: Path) -> None:
    asked = Prompts.load().task(Task(request=Request(job_id="j1", text="{{ 7 * 7 }} {% raw %}")))

    assert "{{ 7 * 7 }} {% raw %}" in asked


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("task.md", "\n{% if %}", "task.md:2: Expected an expression"),
        ("task.md", "\n\n{{ instruction }}", "task.md:3: 'instruction' is undefined"),
        ("task.md", "{{ request.txt }}", "task.md:1: a request has no attribute 'txt'"),
        ("task.md", "{% for a in interrupted %}\n{{ a.nope }}{% endfor %}", "task.md:2: "),
        ("task.md", "{% if not interrupted %}\n\n{{ nope }}{% endif %}", "task.md:3: 'nope'"),
        ("fix.md", "{{ lines + 1 }}", "fix.md:1: "),
        ("fix.md", "{% include 'other.md' %}", "fix.md:1: other.md"),
        ("fix.md", "{{ 'x' | nope }}", "fix.md:1: No filter named 'nope'"),
        ("tasks.md", "x", "tasks.md: there is no such prompt (use task.md or fix.md)"),
        ("task.md", "\udcff", "task.md cannot be read"),
        ("task.md", "x" * 200_000, "task.md has more than 100000 bytes"),
    ],
)
def test_a_prompt_that_cannot_be_used_is_named_with_its_line(
    tmp_path: Path, name: str, text: str, problem: str
) -> None:
    (tmp_path / name).write_bytes(text.encode(errors="surrogateescape"))

    with pytest.raises(ConfigError) as caught:
        Prompts.load(tmp_path, key="projects.amelia.prompts")

    assert str(caught.value).startswith(f"projects.amelia.prompts: {tmp_path}/{problem}")


def test_a_folder_of_prompts_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere cannot be read"):
        Prompts.load(tmp_path / "nowhere")
