"""A night tells whom it concerns, and so does ``notify``."""

from __future__ import annotations

import json
import subprocess
import threading

import pytest

from processes import wait_until
from servers.rest_faults import Reply, serving


@pytest.fixture
def hook(nightly):
    """A receiver and a place that tells it; ``reply`` is what it answers."""
    nightly.until(0)
    replies = [Reply(204, b"")]
    with serving(lambda call: replies[0]) as service:
        config = nightly.folder / "anomscan.toml"
        config.write_text(
            config.read_text()
            + f'[[notify]]\nname = "ops"\nsink = "webhook"\nurl = "{service.url}"\ndeadline_s = 0.1\n'
        )
        nightly.replies, nightly.service = replies, service
        yield nightly


def told(place) -> list[list[str]]:
    """By call, the keys."""
    bodies = [json.loads(call.body) for call in place.service.calls]
    return [[each["key"] for change in body["changes"] for each in change["incidents"]] for body in bodies]


def test_what_is_new_is_told_once_by_the_night_that_found_it(hook):
    code, _, err = hook("night")
    assert code == 0, err
    (listed,) = json.loads(hook.good("incidents", "list", "--json", "--state", "open"))
    assert "notify 'ops': 1 change told (1 new)" in err
    body = json.loads(hook.service.calls[0].body)
    (change,) = body["changes"]
    assert (change["what"], change["incidents"][0]["id"]) == ("new", listed["id"])
    assert "below expected since" in change["text"]
    assert hook("night")[0] == 0
    hook.good("notify", "send")
    assert len(hook.service.calls) == 1


def test_what_is_not_delivered_is_exit_5_and_comes_the_next_night(hook):
    hook.replies[0] = Reply(500, {"message": "out of order"})
    code, _, err = hook("night", "--fail-on", "new")
    assert code == 5
    assert "notify 'ops': http://127.0.0.1" in err
    assert "answered with status 500: out of order" in err
    assert hook("night")[0] == 5
    hook.replies[0] = Reply()
    assert hook("night")[0] == 0
    assert len({tuple(each) for each in told(hook)}) == 1
    calls = len(hook.service.calls)
    assert hook("night")[0] == 0
    assert len(hook.service.calls) == calls


def test_a_scan_with_the_ledger_posts_and_notify_sends(hook):
    hook.good("fetch")
    hook.good("scan", "--all", "--ledger", "-o", "r.jsonl")
    assert hook.service.calls == []
    hook.good("notify", "send")
    assert len(told(hook)) == 1


def test_a_dry_run_sends_nothing_and_leaves_it_for_the_next(hook):
    out = hook.good("night", "--dry-run")
    head, body = out.splitlines()
    assert head == "notify 'ops' would send:"
    assert json.loads(body)["title"] == "1 new"
    assert hook.good("notify", "send", "--dry-run").startswith("notify 'ops' would send:\n")
    assert hook.service.calls == []
    hook.good("night")
    assert len(told(hook)) == 1


def test_a_test_is_sent_at_once_and_says_that_it_is_one(hook):
    code, _, err = hook("notify", "test", "ops")
    assert (code, err) == (0, "notify 'ops': delivered\n")
    body = json.loads(hook.service.calls[0].body)
    assert (body["test"], body["changes"]) == (True, [])
    hook.replies[0] = Reply(404)
    assert hook("notify", "test", "ops")[0] == 5
    code, _, err = hook("notify", "test", "opps")
    assert code == 2
    assert "did you mean 'ops'?" in err


def test_on_a_quiet_night_only_the_heartbeat_is_heard(hook):
    hook.good("night")
    config = hook.folder / "anomscan.toml"
    config.write_text(config.read_text() + "heartbeat = true\n")
    hook.good("night")
    assert json.loads(hook.service.calls[-1].body)["title"] == "nothing new"
    assert told(hook)[1:] == [[]]


def test_a_night_that_is_killed_while_it_sends_tells_the_same_again(hook, anomscan):
    holding = threading.Event()

    def hold(call):
        if not holding.is_set():
            holding.set()
            service.gone.wait()
        return Reply(204, b"")

    config = hook.folder / "anomscan.toml"
    with serving(hold) as service:
        config.write_text(config.read_text().replace(hook.service.url, service.url))
        with subprocess.Popen([anomscan, "-q", "night"], cwd=hook.folder) as process:
            wait_until(holding.is_set, process)
            process.kill()
        hook.service = service
        assert hook("night")[0] == 0
    first, second = told(hook)
    assert first == second
    assert len(first) == 1


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('sink = "webhok"\nurl = "https://x"', "'notify[0]' needs a sink: one of 'webhook', 'mail'"),
        ('sink = "webhook"', "'notify[0].url' is missing"),
        ('sink = "webhook"\nurl = "https://x"\nstate = []', "unknown key 'notify[0].state' (did you mean 'states'?)"),
        ('sink = "webhook"\nurl = "https://x"\nmin_age = "long"', "'long' is not a length of time"),
        ('sink = "webhook"\nurl = "https://x"\n[[notify]]\nname = "ops"\nsink = "webhook"\nurl = "x"', "two targets"),
    ],
)
def test_settings_that_are_wrong_are_told_with_their_line(nightly, lines, said):
    config = nightly.folder / "anomscan.toml"
    config.write_text(config.read_text() + f'[[notify]]\nname = "ops"\n{lines}\n')
    code, _, err = nightly("config", "check")
    assert code == 2
    assert said in err
    assert "anomscan.toml line" in err


def test_no_secret_is_shown(nightly):
    config = nightly.folder / "anomscan.toml"
    config.write_text(
        config.read_text() + '[[notify]]\nname = "ops"\nsink = "webhook"\nurl = "https://x/s3cret"\ntoken = "s3cret"\n'
    )
    shown = nightly.good("config", "show")
    assert 'name = "ops"' in shown
    assert "s3cret" not in shown
