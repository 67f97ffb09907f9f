"""Each mistake is named with its key, its place and a way out; and all of them at once."""

import pytest

from hotdesk.config import ConfigMistakes, load
from tests.config.conftest import Write

PROJECT = "[projects.amelia]\nrepo = 'a.git'\ncommand = ['agent']\n"
MAIL = "[mail]\ndomain = 'desk.example.org'\nkey = 'env:MAIL_KEY'\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("backend = 'postgres://x/y'", "backend: is not the URL of a backend"),
        ("backend = 'sqlite://hotdesk.db'", "write sqlite:///hotdesk.db for a file here"),
        ("backend = 'sqlite:///x.db?mode=ro'", "backend: is not the URL"),
        ("backend = 'sqlite://[/x'", "backend: is not the URL"),
        ("backend = 'aws://europe/hotdesk'", "write aws://eu-west-1/hotdesk"),
        ("backend = 7", "backend: should be a text, found 7, in hotdesk.toml:1"),
        ("[worker]\nidle_exit_seconds = 0", "worker.idle_exit_seconds: "),
        ("pool = 3", "pool: should be a table, found 3"),
        ("[pool]\nmin_workers = true", "pool.min_workers: should be a number, found True"),
        ("[pool]\nmin_workers = 'x'", "found 'x', in hotdesk.toml:2"),
        ("[pool]\nmin_workers = -1", "pool.min_workers: should be greater than or equal to 0"),
        ("[pool]\nmin_workers = 5", "pool: min_workers is 5, more than max_workers, 4"),
        ("[pool]\nidle_second = 5", "did you mean pool.idle_seconds?"),
        ("min_workers = 5", "min_workers: is not a setting, in hotdesk.toml:1 (did you mean pool"),
        ("[[pool.pinned]]\ndesk = 'amelia'", "is not of the form project/user"),
        ("[[pool.pinned]]\ndesk = 'a/b'\nalways = 1", "pool.pinned.0.always: is not a setting"),
        ("[worker]\nlease_seconds = 14", "worker.lease_seconds: should be greater than or equal"),
        ("[worker]\nlease_seconds = 1e9", "worker.lease_seconds: should be less than or equal"),
        ("[worker]\nlease_seconds = nan", "worker.lease_seconds: should be a finite number"),
        ("[worker]\nhandler = 'no_colon'", "worker.handler: should be module:function"),
        ("[limits]\nbackoff_seconds = inf", "limits.backoff_seconds: should be less than"),
        ("[confinement]\nmode = 'strong'", "confinement.mode: should be 'auto', 'bubblewrap'"),
        ("data_dir = '~nobody-here/x'", "data_dir: there is no such home"),
        ("[mail]\ndomain = 'desk.example.org'", "mail.key: is missing"),
        (MAIL + "listen = 'here'", "mail.listen: should be host:port"),
        (MAIL + "listen = '127.0.0.1:99999999999'", "mail.listen: should be host:port"),
        (MAIL.replace("desk.", "d d."), "mail.domain: is not a domain"),
        (MAIL + "proof = 'relay'", 'mail: proof = "relay" needs relay_name'),
        (MAIL + "proof = 'spf'", "mail.proof: should be 'dmarc', 'relay' or 'none'"),
        (
            MAIL + "[mail.relay]\nhost='x'\ntls = 'no'",
            "mail.relay.tls: should be 'starttls', 'implicit'",
        ),
        (MAIL + "[mail.relay]\nhost='x'\nusername = 'me'", "username and password belong together"),
        ("[projects.Amelia]\nrepo = 'a'\ncommand = ['a']", "projects: project 'Amelia' is not a"),
        ("[projects.'../x']\nrepo = 'a'\ncommand = ['a']", "projects: project '../x' is not a"),
        ("[projects.amelia]\ncommand = ['a']", "projects.amelia.repo: is missing"),
        ("[projects.amelia]\nrepo = ''\ncommand = ['a']", "projects.amelia.repo: should"),
        ("[projects.amelia]\nrepo = '-x'\ncommand = ['a']", "is not the address of a repository"),
        ("[projects.amelia]\nrepo = 'a'\ncommand = []", "either agent or command is needed"),
        ("[projects.amelia]\nrepo = 'a'\ncommand = 'a b'", "command: should be a list, found"),
        (PROJECT + "previw = 'x'", "did you mean projects.amelia.preview?"),
        (PROJECT + "preview = 'https://{nope}'", "{nope} is none of {branch}, {project}"),
        (PROJECT + "preview = 'https://{'", "is none of {branch}"),
        (PROJECT + "preview = 'javascript:x'", "should start with https:// or http://"),
        (PROJECT + "author = 'Anna'", 'projects.amelia.author: should be "Name <address>"'),
        (PROJECT + "users = { scott = ['x y'] }", "is neither an address nor a domain"),
        (PROJECT + "users = { Scott = ['a@example.org'] }", "user 'Scott' is not a name"),
        (PROJECT + "env = { 'A-B' = 'x' }", "'A-B' is not the name of a variable"),
        (PROJECT + "[worker]\nhandler = 'm:f'", "worker.handler and projects exclude each other"),
        (PROJECT + "[[pool.pinned]]\ndesk = 'other/x'", "there is no project other"),
    ],
)
def test_a_mistake_is_named_with_its_key_and_a_way_out(
    write: Write, text: str, complaint: str
) -> None:
    write(text)

    with pytest.raises(ConfigMistakes) as caught:
        load()

    assert complaint in str(caught.value)


def test_all_mistakes_are_named_at_once(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("[pool]\nmin_workers = 'two'\n[worker]\ngrace = 1\n")
    monkeypatch.setenv("HOTDESK_LIMITS__ATTEMPTS_MAX", "0")

    with pytest.raises(ConfigMistakes) as caught:
        load()

    assert [each.key for each in caught.value.mistakes] == [
        "pool.min_workers",
        "worker.grace",
        "limits.attempts_max",
    ]
    assert "found '0', in HOTDESK_LIMITS__ATTEMPTS_MAX" in str(caught.value)


def test_a_variable_that_is_no_setting_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTDESK_POOL__MIN_WORKER", "3")

    with pytest.raises(ConfigMistakes, match=r"did you mean pool\.min_workers\?"):
        load()
