"""What each preset says of a run, read from what the real programs printed."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from hotdesk.agents.aider import Aider
from hotdesk.agents.codex import Codex
from hotdesk.agents.dialect import AgentSettings, Began, Dialect, Invocation, ProblemKind, Turn
from hotdesk.agents.gemini import Gemini
from hotdesk.agents.known import KNOWN
from hotdesk.agents.opencode import OpenCode
from hotdesk.runners.redaction import Redaction
from tests.presets.reading import ID, TURN, read, said, seen, used

KEY = "the-key-of-the-model"
URL = "http://127.0.0.1:4774"
SETTINGS = AgentSettings(model="m1", key=KEY, base_url=URL)
PRESETS: Sequence[Dialect] = (Codex(), OpenCode(), Gemini(), Aider())
every = pytest.mark.parametrize("dialect", PRESETS, ids=lambda each: each.name)


def invoked(dialect: Dialect, **changed: object) -> Invocation:
    return dialect.invocation(SETTINGS, replace(TURN, **changed))  # type: ignore[arg-type] # fields of any kind


@every
def test_every_preset_is_known_by_its_name(dialect: Dialect) -> None:
    assert type(KNOWN[dialect.name]()) is type(dialect)


@every
def test_key_and_prompt_stand_on_no_command_line(dialect: Dialect) -> None:
    told = invoked(dialect)

    line = " ".join(told.argv)
    assert KEY not in line
    assert "make it blue" not in line
    assert b"make it blue" in told.stdin
    assert KEY in told.env.values()
    assert KEY not in repr(told)


@every
def test_without_a_key_none_is_named(dialect: Dialect) -> None:
    told = dialect.invocation(replace(SETTINGS, key=""), TURN)

    assert not [name for name in told.env if name.endswith("KEY")]


@every
def test_a_program_of_the_project_takes_the_place_of_its_own(dialect: Dialect) -> None:
    told = dialect.invocation(replace(SETTINGS, program=("nice", "agent")), TURN)

    at = told.argv.index("nice")
    assert told.argv[at + 1] == "agent"
    assert dialect.program not in told.argv[at:]


@every
def test_a_run_that_did_its_work_is_a_success(dialect: Dialect) -> None:
    signs, report = read(dialect, seen(f"{dialect.name}_work"))

    assert report.problem is None
    assert report.text.endswith("It is blue now.")
    assert report.tokens_in >= 100
    assert report.tokens_out >= 7
    assert report.cost_usd is None
    assert report.turns >= 1
    assert "index.html" in [target for _, target in used(signs)]
    assert len([sign for sign in signs if isinstance(sign, Began)]) == 1


@every
def test_a_refused_key_is_for_an_operator_whatever_the_exit_status(dialect: Dialect) -> None:
    for exit_code in (0, 1):
        _, report = read(dialect, seen(f"{dialect.name}_401"), exit_code=exit_code)

        assert report.problem is not None
        assert report.problem.kind is ProblemKind.LOGIN
        assert report.problem.reason.endswith("a valid one where the project's key is")
        assert report.text == ""


@every
def test_a_key_that_a_program_repeats_reaches_neither_log_nor_report(dialect: Dialect) -> None:
    output = seen(f"{dialect.name}_401").replace(b"***", KEY.encode())
    assert KEY.encode() in output
    redaction = Redaction([KEY])
    clean = redaction.pass_on(output) + redaction.finish()

    signs, report = read(dialect, clean, exit_code=1)

    assert KEY not in said(signs)
    assert KEY not in repr(report)
    assert "***" in repr(report)


@every
def test_a_run_without_a_word_is_broken_even_with_exit_status_0(dialect: Dialect) -> None:
    _, report = read(dialect, b"")

    assert report.problem is not None
    assert report.problem.kind is ProblemKind.BROKEN
    assert "Next: " in report.problem.reason


@every
def test_a_stopped_run_is_no_problem_and_no_success(dialect: Dialect) -> None:
    output = seen(f"{dialect.name}_work")[: len(seen(f"{dialect.name}_work")) // 2]

    _, report = read(dialect, output, exit_code=130, was_stopped=True)

    assert report.problem is None
    assert report.text == ""


@every
def test_it_does_not_matter_where_the_output_is_cut(dialect: Dialect) -> None:
    for name in ("work", "401"):
        output = seen(f"{dialect.name}_{name}")

        whole = read(dialect, output)
        for size in (1, 7, 100):
            assert read(dialect, output, size=size) == whole


@every
def test_nothing_but_conversations_outlives_a_run(dialect: Dialect) -> None:
    known = {
        "codex": ("sessions",),
        "opencode": ("nothing",),
        "gemini": (".gemini/tmp",),
        "aider": ("nothing",),
    }

    assert dialect.kept == known[dialect.name]


@pytest.mark.parametrize("dialect", [OpenCode(), Aider()], ids=lambda each: each.name)
def test_what_cannot_be_gone_on_with_is_never_remembered(dialect: Dialect, tmp_path: Path) -> None:
    (tmp_path / "chat.md").write_text(TURN.prompt)

    assert not dialect.remembers(tmp_path, ID, "")
    assert "--session" not in invoked(dialect, session_id=ID).argv


@pytest.mark.parametrize("dialect", [Codex(), OpenCode(), Aider()], ids=lambda each: each.name)
def test_what_the_repository_says_is_handed_over_behind_the_prompt(dialect: Dialect) -> None:
    told = invoked(dialect, guidance="Use tabs.").stdin.decode()

    assert dialect.guidance_files
    assert told.startswith(TURN.prompt)
    assert told.endswith("in its own file for agents:\n\nUse tabs.")
    assert "agents:" not in invoked(dialect).stdin.decode()


@pytest.mark.parametrize("name", ["codex", "gemini"])
def test_a_model_without_room_gives_the_job_back(name: str) -> None:
    _, report = read(KNOWN[name](), seen(f"{name}_429"), exit_code=1)

    assert report.problem is not None
    assert report.problem.kind is ProblemKind.RATE_LIMIT
    assert report.problem.is_given_back


@pytest.mark.parametrize("name", ["codex", "gemini"])
def test_an_answer_that_breaks_off_may_work_later(name: str) -> None:
    _, report = read(KNOWN[name](), seen(f"{name}_breaks"), exit_code=0)

    assert report.problem is not None
    assert report.problem.kind is ProblemKind.API
    assert report.problem.is_retryable


@pytest.mark.parametrize("name", ["codex", "gemini"])
def test_the_last_event_is_the_end_of_a_run_and_nothing_before_it_is(name: str) -> None:
    for output in (seen(f"{name}_work"), seen(f"{name}_401")):
        reader = KNOWN[name]().reader(TURN)
        ends = []
        for line in output.splitlines(keepends=True):
            assert all(reader.feed(line))
            if line.startswith(b"{"):
                ends.append(reader.has_ended)

        assert ends == [False] * (len(ends) - 1) + [True]


def test_codex_says_what_it_runs_and_what_fails() -> None:
    signs, _ = read(Codex(), seen("codex_work"))

    assert "[command: /bin/bash -lc 'cat nope']\n" in said(signs)
    assert "[failed: cat: nope: No such file or directory]\n" in said(signs)
    assert "[edit: index.html]\n" in said(signs)


def test_codex_goes_on_with_a_conversation_by_its_id() -> None:
    assert invoked(Codex(), session_id=ID).argv[-3:] == ("resume", ID, "-")
    assert "resume" not in invoked(Codex(), session_id="--last").argv


def test_codex_asks_where_the_project_says() -> None:
    (provider,) = [each for each in invoked(Codex()).argv if each.startswith("model_providers")]
    (usual,) = [
        each
        for each in Codex().invocation(AgentSettings(), TURN).argv
        if each.startswith("model_providers")
    ]

    assert f'base_url="{URL}"' in provider
    assert f'base_url="{Codex().model_url}"' in usual


def test_codex_is_told_not_to_trust_the_workspace() -> None:
    assert 'projects={"/srv/space"={trust_level="untrusted"}}' in invoked(Codex()).argv


def test_codex_remembers_prompts_and_not_what_the_agent_wrote(tmp_path: Path) -> None:
    rollout(tmp_path, message("user", "[hotdesk job j1] blue"), message("assistant", "[j2]"))

    assert Codex().remembers(tmp_path, ID, "")
    assert Codex().remembers(tmp_path, ID, "[hotdesk job j1]")
    assert not Codex().remembers(tmp_path, ID, "[j2]")
    assert not Codex().remembers(tmp_path, ID.replace("0", "1"), "")
    assert not Codex().remembers(tmp_path, "*", "")


def test_codex_remembers_no_prompt_from_before_it_was_made_shorter(tmp_path: Path) -> None:
    rollout(tmp_path, message("user", "[j1]"), {"type": "compacted"}, message("user", "[j2]"))

    assert not Codex().remembers(tmp_path, ID, "[j1]")
    assert Codex().remembers(tmp_path, ID, "[j2]")


def rollout(session: Path, *events: object) -> None:
    folder = session / "sessions/2026/11/22"
    folder.mkdir(parents=True)
    lines = (json.dumps(event, separators=(",", ":")) for event in events)
    (folder / f"rollout-2026-11-22T10-00-00-{ID}.jsonl").write_text("\n".join(lines))


def message(role: str, words: str) -> dict[str, object]:
    content = [{"type": "input_text", "text": words}]
    return {
        "type": "response_item",
        "payload": {"type": "message", "role": role, "content": content},
    }


def test_opencode_takes_its_settings_from_us_alone() -> None:
    told = invoked(OpenCode())
    config = json.loads(told.env["OPENCODE_CONFIG_CONTENT"])

    assert told.env["OPENCODE_DISABLE_PROJECT_CONFIG"] == "1"
    assert KEY not in told.env["OPENCODE_CONFIG_CONTENT"]
    assert config["model"] == config["small_model"] == "hotdesk/m1"
    assert config["enabled_providers"] == ["hotdesk"]
    assert config["provider"]["hotdesk"]["options"]["baseURL"] == URL


def test_opencode_asks_a_vendor_in_its_own_words() -> None:
    settings = replace(SETTINGS, model="anthropic/claude-x")
    told = OpenCode().invocation(settings, TURN)
    config = json.loads(told.env["OPENCODE_CONFIG_CONTENT"])

    assert config["model"] == "anthropic/claude-x"
    assert config["provider"]["anthropic"]["npm"] == "@ai-sdk/anthropic"


def test_opencode_says_what_it_cost_only_if_it_knows() -> None:
    step = {"type": "step_finish", "part": {"reason": "stop", "cost": 0.25}}

    _, report = read(OpenCode(), json.dumps(step).encode())
    _, free = read(OpenCode(), json.dumps({**step, "part": {"reason": "stop", "cost": 0}}).encode())

    assert report.cost_usd == 0.25
    assert free.cost_usd is None


@pytest.mark.parametrize("cost", [1e300, float("nan"), float("inf"), -1, True, "1", None])
def test_a_cost_that_cannot_be_is_none(cost: object) -> None:
    step = {"type": "step_finish", "part": {"reason": "stop", "cost": cost}}

    _, report = read(OpenCode(), json.dumps(step).encode())

    assert report.cost_usd is None


def test_opencode_ends_with_0_when_an_answer_broke_off() -> None:
    _, report = read(
        OpenCode(), b'{"type":"step_finish","part":{"reason":"unknown"}}\n', exit_code=0
    )

    assert report.problem is not None
    assert report.problem.kind is ProblemKind.API


def test_gemini_takes_the_settings_that_only_a_file_can_say() -> None:
    told = Gemini().invocation(replace(SETTINGS, turns_max=5), TURN)
    written = json.loads(told.env["HOTDESK_GEMINI_SETTINGS"])

    assert told.argv[:2] == ("/bin/sh", "-c")
    assert written["security"]["auth"]["selectedType"] == "gemini-api-key"
    assert written["hooksConfig"] == {"enabled": False}
    assert written["model"]["maxSessionTurns"] == 5
    assert KEY not in told.env["HOTDESK_GEMINI_SETTINGS"]


def test_gemini_finds_its_settings_in_the_file_and_the_prompt_on_its_input(tmp_path: Path) -> None:
    look = 'cat "$GEMINI_CLI_HOME/.gemini/settings.json"; echo; env | grep -c SETTINGS; cat'
    settings = replace(SETTINGS, program=("/bin/sh", "-c", look, "look"))

    written, left, *prompt = started(Gemini().invocation(settings, in_folder(tmp_path)))

    assert json.loads(written)["security"]["auth"]["selectedType"] == "gemini-api-key"
    assert left == "0"
    assert "\n".join(prompt) == TURN.prompt


def in_folder(folder: Path) -> Turn:
    return replace(TURN, workspace=folder, session=folder / "session")


def started(told: Invocation) -> Sequence[str]:
    """Start what stands in for the program, and return the lines that it prints."""
    env = {"PATH": "/usr/bin:/bin", **told.env}
    ran = subprocess.run(told.argv, input=told.stdin, env=env, capture_output=True, check=True)
    return ran.stdout.decode().splitlines()


def test_gemini_is_told_where_its_model_is_so_that_no_env_file_can_say_it() -> None:
    told = Gemini().invocation(AgentSettings(), TURN)

    assert told.env["GOOGLE_GEMINI_BASE_URL"] == Gemini().model_url


def test_gemini_without_a_key_is_for_an_operator() -> None:
    _, report = read(Gemini(), seen("gemini_nokey"), exit_code=41)

    assert report.problem is not None
    assert report.problem.kind is ProblemKind.LOGIN


def test_gemini_that_used_up_its_turns_says_so_by_its_exit_status() -> None:
    _, report = read(Gemini(), seen("gemini_stopped"), exit_code=53)

    assert report.problem is not None
    assert report.problem.kind is ProblemKind.TURNS


def test_gemini_goes_on_with_the_file_that_holds_the_conversation(tmp_path: Path) -> None:
    chats = tmp_path / ".gemini/tmp/7/chats"
    chats.mkdir(parents=True)
    whole = chats / f"session-1795-{ID[:8]}.jsonl"
    prompt = {"type": "user", "content": [{"text": "[hotdesk job j1] blue"}]}
    answer = {"type": "gemini", "content": "[hotdesk job j2]"}
    head = {"sessionId": ID}
    whole.write_text("\n".join(map(json.dumps, (head, prompt, answer))))
    (chats / f"session-2026-11-22-{ID[:8]}.jsonl").write_text(json.dumps(head))

    told = invoked(Gemini(), session=tmp_path, session_id=ID)

    assert told.argv[-2:] == ("--session-file", str(whole))
    assert Gemini().remembers(tmp_path, ID, "[hotdesk job j1]")
    assert not Gemini().remembers(tmp_path, ID, "[hotdesk job j2]")
    assert not Gemini().remembers(tmp_path, f"{ID[:-1]}f", "")


def test_gemini_remembers_only_what_is_left_when_its_history_is_written_anew(
    tmp_path: Path,
) -> None:
    chats = tmp_path / ".gemini/tmp/7/chats"
    chats.mkdir(parents=True)
    first = {"type": "user", "content": [{"text": "[j1]"}]}
    second = {"$set": {"messages": [{"type": "user", "content": [{"text": "[j2]"}]}]}}
    lines = map(json.dumps, ({"sessionId": ID}, first, second))
    (chats / f"session-1-{ID[:8]}.jsonl").write_text("\n".join(lines))

    assert not Gemini().remembers(tmp_path, ID, "[j1]")
    assert Gemini().remembers(tmp_path, ID, "[j2]")


def test_aider_takes_no_prompt_for_a_command_of_its_own() -> None:
    for prompt in ("/run rm", "!ls"):
        assert invoked(Aider(), prompt=prompt).stdin == f"\n{prompt}".encode()


def test_aider_finds_its_prompt_in_a_file_and_nothing_on_its_input(tmp_path: Path) -> None:
    look = 'while [ "$1" != --message-file ]; do shift; done; cat "$2"; echo; wc -c'
    settings = replace(SETTINGS, program=("/bin/sh", "-c", look, "look"))
    (tmp_path / "session").mkdir()

    *prompt, left = started(Aider().invocation(settings, in_folder(tmp_path)))

    assert "\n".join(prompt) == TURN.prompt
    assert left.strip() == "0"


@pytest.mark.parametrize(
    ("model", "vendor"),
    [
        ("sonnet", "ANTHROPIC"),
        ("anthropic/claude-x", "ANTHROPIC"),
        ("gpt-5", "OPENAI"),
        ("", "OPENAI"),
        ("deepseek/deepseek-chat", "DEEPSEEK"),
        ("together_ai/x", "TOGETHER_AI"),
    ],
)
def test_aider_is_given_the_key_by_the_name_of_its_vendor(model: str, vendor: str) -> None:
    told = Aider().invocation(replace(SETTINGS, model=model), TURN)

    assert told.env[f"{vendor}_API_KEY"] == KEY
    assert told.env[f"{vendor}_API_BASE"] == URL
    assert told.env["PYTHON_DOTENV_DISABLED"] == "1"


def test_aider_answers_without_its_edits() -> None:
    _, report = read(Aider(), seen("aider_work"))

    assert report.text == "I will make it blue.\n\nIt is blue now."


def test_aider_says_what_it_cost_and_counts_in_thousands() -> None:
    usage = (
        b"Tokens: 4.1k sent, 1.2k cache write, 120 received. Cost: $0.02 message, $0.05 session."
    )

    _, report = read(Aider(), b"Aider v1\nRepo-map: off\nDone.\n" + usage)

    assert (report.tokens_in, report.tokens_out) == (4100, 120)
    assert report.cost_usd == 0.05


def test_aider_that_counts_nonsense_is_not_believed() -> None:
    usage = b"Tokens: 1.2.3k sent, 9 received. Cost: $1 message, $1.2.3 session."

    _, report = read(Aider(), b"Aider v1\nRepo-map: off\nDone.\n" + usage)

    assert (report.tokens_in, report.tokens_out) == (0, 9)
    assert report.cost_usd is None


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("RateLimitError", ProblemKind.RATE_LIMIT),
        ("ContextWindowExceededError", ProblemKind.PROMPT),
        ("ContentPolicyViolationError", ProblemKind.REFUSAL),
        ("APIConnectionError", ProblemKind.API),
        ("NotFoundError", ProblemKind.LOGIN),
    ],
)
def test_aider_ends_with_0_and_an_error(error: str, kind: ProblemKind) -> None:
    _, report = read(Aider(), f"Aider v1\nlitellm.{error}: {error}: no\n".encode())

    assert report.problem is not None
    assert report.problem.kind is kind


def test_aider_that_is_answered_after_an_error_has_succeeded() -> None:
    error = b"litellm.RateLimitError: wait\nRetrying in 1 seconds...\n\n"

    _, report = read(Aider(), error + b"Done.\nTokens: 1 sent, 2 received.\n")

    assert report.problem is None
    assert report.tokens_out == 2
