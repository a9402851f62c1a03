"""What a target reads: a common cause is one entry, and nothing in the data can pretend to be more than text."""

from __future__ import annotations

import json
import re

import pytest

from anomscan.errors import ConfigError
from anomscan.incidents.ledger import Entry
from anomscan.incidents.notify.digest import Digest, Told, items
from anomscan.incidents.notify.templates import (
    Template,
    as_html,
    as_json,
    as_markdown,
    html_of,
    markdown_of,
    text_of,
)
from incidents.entries import entry

NIGHTS = {("fleet", "chart"): "2026-03-09"}
HOSTILE = [
    'a"b\\c',
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[S1](http://evil.example/)",
    "![x](http://evil.example/x.png)",
    "http://evil.example/x`y",
    "@everyone <!channel> <@U1> @here",
    "x\r\nBcc: eve@evil.example",
    "{{ 7 * 191 }}{% raw %}",
    "``` \n# big\n| a | b |",
    "\u202egpj.exe\x1b[31m",
    "",
    "**bold** _it_ ~~no~~ &lt;b&gt;",
]


def digest(*found: Told, still_open=None, is_test: bool = False) -> Digest:
    return Digest("ops", "2026-03-10T03:15:00Z", NIGHTS, items(found), still_open, is_test)


def told(one: Entry, what: str = "new") -> Told:
    return Told(one, what, f"{one.id}:{what}:2026-03-09")


def test_the_worst_come_first_and_a_common_cause_is_one_entry():
    found = digest(
        told(entry("S1", deviation={"prt7": -0.1})),
        told(entry("S2", common="cohort:R1", deviation={"prt7": -0.4})),
        told(entry("S3", common="cohort:R1", deviation={"prt7": -0.5})),
        told(entry("cohort:R1", deviation={"prt7": -0.3})),
        told(entry("S4", common="cohort:R2", deviation={"prt7": -0.2})),
        told(entry("S5", state="closed"), "closed"),
    )
    assert found.title == "3 new, 1 closed"
    shown = [(each.what, each.common, [one.entry.asset for one in each.told]) for each in found.changes]
    assert shown == [
        ("new", "cohort:R1", ["cohort:R1", "S3", "S2"]),
        ("new", None, ["S4"]),
        ("new", None, ["S1"]),
        ("closed", None, ["S5"]),
    ]
    first = found.as_json()["changes"][0]
    assert first["text"].endswith("still so, 2 assets")
    assert [each["key"] for each in first["incidents"]] == [each.key for each in found.changes[0].told]
    text = text_of(found.as_json())
    assert "- cohort:R1 dropped: 30 % below expected since 2026-03-01 (8 days), still so, 2 assets: S3 (" in text
    assert text.count("S2") == 1


def test_members_of_a_cohort_without_an_incident_of_its_own_are_one_entry_too():
    found = digest(*(told(entry(asset, common="cohort:R1")) for asset in ("S1", "S2")))
    (item,) = found.changes
    assert (item.common, len(item.told)) == ("cohort:R1", 2)


def test_the_key_of_a_digest_is_of_what_it_tells():
    one, two = told(entry("S1")), told(entry("S2"))
    assert digest(one, two).key == digest(two, one).key != digest(one).key
    assert digest().key == digest().key != digest(still_open=[]).key


def test_the_text_is_short_whatever_there_is():
    found = digest(*(told(entry(f"S{number}")) for number in range(200))).as_json()
    assert "and 150 more" in text_of(found)
    assert len(text_of(found).splitlines()) < 60
    assert "and 180 more" in markdown_of(found)
    assert len(found["changes"]) == 200
    assert text_of(digest().as_json()).startswith("Nothing new.")
    assert "Nothing is open" in text_of(digest(still_open=[]).as_json())
    assert "This is a test" in text_of(digest(is_test=True).as_json())


@pytest.mark.parametrize("asset", HOSTILE)
def test_hostile_ids_are_text_everywhere(asset):
    found = digest(
        told(entry(asset, common="cohort:" + asset)), told(entry("S2", common="cohort:" + asset)), told(entry(asset))
    ).as_json()
    assert json.loads(json.dumps(found)) == found
    text, html, markdown = text_of(found), html_of(found), markdown_of(found)
    plain = digest(told(entry("S1", common="cohort:R1")), told(entry("S2", common="cohort:R1")), told(entry("S1")))
    assert len(text.splitlines()) == len(text_of(plain.as_json()).splitlines())
    assert len(markdown.splitlines()) == len(markdown_of(plain.as_json()).splitlines())
    tags = re.compile(r"<[^>]*>")
    assert tags.findall(html) == tags.findall(html_of(plain.as_json()))
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", text + html + markdown)
    # What is not code in the chat's text is ours, and code has neither a mention nor a control of Slack's.
    assert re.sub("`[^`\n]+`", "ID", markdown) == re.sub("`[^`\n]+`", "ID", markdown_of(plain.as_json()))
    assert not re.search("@[a-z]|<", markdown)
    assert "1337" not in text + html + markdown


@pytest.mark.parametrize("asset", HOSTILE)
def test_in_a_template_of_json_a_hostile_id_stays_within_its_text(asset):
    template = Template('{"a": ["{{ digest.target }}", "{{ x }}"], "b": {{ x | tojson }}}', "t", as_json)
    assert json.loads(template.render({"target": "ops"}, x=asset)) == {"a": ["ops", asset], "b": asset}


def test_templates_escape_for_where_they_go_also_through_macros():
    source = "{% macro one(x) %}[{{ x }}]{% endmacro %}{{ one(x) }} {{ 1 }} {{ x | safe }}"
    for escape, shown in ((as_html, "&lt;b&gt;"), (as_markdown, "`\u2039b\u203a`"), (as_json, "<b>")):
        assert Template(source, "t", escape).render({}, x="<b>") == f"[{shown}] 1 <b>\n"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{{ digest.nothing }}", "has no attribute 'nothing'"),
        ("{{ x.__class__.__mro__ }}", "unsafe"),
        ("{{ ().__class__.__bases__ }}", "unsafe"),
        ("{% include '/etc/passwd' %}", "no loader"),
        ("{{ digest.update({}) }}", "unsafe"),
        ("{{ 1 / 0 }}", "division"),
        ("{% for each in range(1000000) %}{% endfor %}", "too big"),
    ],
)
def test_templates_run_in_a_sandbox_and_their_errors_are_told(source, said):
    with pytest.raises(ConfigError, match="the template t fails") as caught:
        Template(source, "t", as_json).render({}, x="x")
    assert said in str(caught.value)


def test_a_template_that_is_none_is_named_with_its_line(tmp_path):
    (tmp_path / "t.json").write_text("{\n{% if %}\n}")
    with pytest.raises(ConfigError, match=r"t\.json line 2 is not a template"):
        Template.read(tmp_path / "t.json", as_json)
    with pytest.raises(ConfigError, match="cannot be read"):
        Template.read(tmp_path / "u.json", as_json)
    (tmp_path / "t.json").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        Template.read(tmp_path / "t.json", as_json)
