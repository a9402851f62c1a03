"""What the page of the fleet tells, and in which order."""

from dataclasses import replace

import numpy as np

from anomscan.incidents.incident import Common, Incident
from anomscan.incidents.ledger import Acknowledged, Entry, Ledger, Note, Snoozed, Spell
from anomscan.reports.asset.embedded import Embedded, View
from anomscan.reports.fleet.briefing import Briefing
from anomscan.reports.fleet.cells import CODES, Cells, Reported
from anomscan.reports.fleet.packing import levels
from anomscan.reports.fleet.payload import Days, fleet_json
from anomscan.reports.fleet.rows import Rows
from anomscan.reports.fleet.told import Memory
from anomscan.reports.records import SCAN_SCHEMA, VERDICTS, Anomaly, Record

DAY = np.timedelta64(1, "D")


def incident(id_: str | None = None, **changes) -> Incident:
    one = Incident(
        *(id_, "dropped", "2026-03-01", "2026-03-03", "2026-03-09", True, 5, None),
        *({}, {}, {"x": -0.5}, {"x": 2.0}, (("x", 1.0),), None),
    )
    return replace(one, **changes)


def record(asset: str, *incidents: Incident, over: float = 0.0, **changes) -> Record:
    found = [Anomaly("2026-03-09", {"x": 0.0}, None, 2.0 + over, 2.0, None, False, [])] if over else []
    counts = dict.fromkeys(VERDICTS, 0) | {"ok": 10}
    one = Record(SCAN_SCHEMA, asset, "chart", "2026-03-01", "2026-03-10", [], found, counts, None, list(incidents))
    return replace(one, **changes)


def entry(id_: str, asset: str, state: str, **changes) -> Entry:
    spell = Spell("2026-03-01", "2026-03-03", "2026-03-09", 5)
    one = Entry(
        id_, "fleet", asset, "chart", "2026-03-03", state, "dropped", (spell,), "2026-03-03", deviation={"x": -0.5}
    )
    return replace(one, **changes)


def memory(*entries: Entry) -> Memory:
    ledger = Ledger.of(entries, {("fleet", "chart"): "2026-03-10"})
    return Memory.of(ledger, "fleet", "chart", "2026-03-11")


def ranked(records, memory=None, who=None):
    rows = Rows(memory, who or {})
    for _ in rows.watch(records):
        pass
    return rows.ranked()


def test_rows_are_ranked_by_state_then_by_what_is_muted_then_by_the_area_over_the_cut_off():
    states = {"a": "closed", "b": "quiet", "c": "ongoing", "d": "reopened", "e": "new", "f": "new", "g": "new"}
    entries = [entry(asset * 12, asset, state) for asset, state in states.items()]
    entries[4] = replace(entries[4], acknowledged=Acknowledged("ann", "2026-03-10T00:00:00Z", "known"))
    records = [record(asset, incident(asset * 12), over=ord(asset)) for asset in states]
    found = ranked([*records, record("h")], memory(*entries))
    assert [row.asset for row in found] == ["g", "f", "e", "d", "c", "b", "a", "h"]
    assert found[0].area == ord("g") / 2
    assert (found[2].incidents[0].muted, found[-1].state) == ("acknowledged by ann", "none")


def test_what_is_silent_comes_first_among_its_state_and_of_its_asset():
    silent = incident(kind="silent", since="2026-03-08", variables=(), deviation={})
    found = ranked([
        record("a", incident(), over=9.0),
        record("b", incident(days=30), silent, over=1.0),
        record("c", silent),
        record("d", incident(open=False), replace(silent, open=False), over=99.0),
    ])  # fmt: skip
    assert [row.asset for row in found] == ["b", "c", "a", "d"]
    assert [told.incident.kind for told in found[0].incidents] == ["silent", "dropped"]


def test_without_a_ledger_an_incident_is_open_or_closed():
    found = ranked([record("a", incident()), record("b", incident(open=False))])
    assert [(row.asset, row.state) for row in found] == [("a", "open"), ("b", "closed")]


def test_spans_of_an_old_record_stand_for_incidents():
    old = record("a", over=1.0, spans=[("2026-03-03", "2026-03-09")])
    (row,) = ranked([old])
    assert [(told.state, told.incident.last, told.incident.days) for told in row.incidents] == [
        ("closed", "2026-03-09", 1)
    ]


def test_the_ledger_adds_what_the_run_does_not_show_and_what_people_wrote():
    gone = entry("1" * 12, "a", "closed", closed="2026-03-10")
    long_ago = entry("2" * 12, "a", "closed", closed="2026-02-01")
    at = "2026-03-10T00:00:00Z"
    snoozed = entry("3" * 12, "b", "ongoing", snoozed=Snoozed("2026-04-01", "bob", at, "spare part"))
    snoozed = replace(snoozed, notes=(Note("<b>", "eve", at),))
    a, b = sorted(
        ranked([record("a"), record("b", incident("3" * 12))], memory(gone, long_ago, snoozed)),
        key=lambda row: row.asset,
    )
    assert [told.incident.id for told in a.incidents] == ["1" * 12]
    (told,) = b.incidents
    assert told.muted == "snoozed until 2026-04-01 by bob"
    assert told.remarks == ("snoozed until 2026-04-01 by bob: spare part", "eve, 2026-03-10T00:00:00Z: <b>")


def test_the_briefing_folds_the_assets_of_a_common_cause_into_one_row():
    common = Common("cohort:R1", "2026-03-01")
    records = [record("cohort:R1", incident()), *(record(asset, incident(common=common)) for asset in "abc"),
               record("d", incident(kind="silent")), record("e", error="no column")]  # fmt: skip
    briefing = Briefing.of(ranked(records), remembered=False)
    (section, closed) = briefing.sections
    assert [(item.cohort, [row.asset for row, _ in item.members]) for item in section.items] == [
        ("", []), ("R1", ["a", "b", "c"])]  # fmt: skip
    assert closed.items == []
    assert [row.asset for row in briefing.silent] == ["d"]
    assert [(reason, [row.asset for row in rows]) for reason, rows in briefing.unjudged] == [("no column", ["e"])]


def test_what_is_not_judged_has_its_reason():
    nothing = dict.fromkeys(VERDICTS, 0)
    found = ranked(
        [record("a", verdicts=nothing | {"warming-up": 3, "no-data": 1}), record("b", verdicts=nothing), record("c")]
    )
    assert [row.unjudged for row in found] == [
        "no data; warming up: too little history for a cut-off", "nothing was reported of it", ""]  # fmt: skip


def test_the_list_of_assets_gives_names_tags_and_safe_addresses():
    who = {"a": {"cohort": "R1", "name": "Roof", "tags": "snow, new site;x", "url": "javascript:alert(1)"},
           "b": {"url": "https://example.com/b"}}  # fmt: skip
    a, b = ranked([record("a"), record("b")], None, who)
    assert (a.cohort, a.name, a.tags, a.url) == ("R1", "Roof", ("snow", "new site", "x"), "")
    assert b.url == "https://example.com/b"


def test_a_cell_never_carries_a_state_over_a_gap():
    cells = Cells.of("2025-01-01", "2026-03-10")
    assert (cells.count, cells.unit) == (365, "day")
    one = record("a", verdicts=dict.fromkeys(VERDICTS, 0) | {"ok": 2, "silent": 2, "no-data": 5, "warming-up": 1})
    at = np.array(["2026-03-02", "2026-03-08"], "M8[us]")
    told = cells.verdicts(Reported.of(one), at, np.array([CODES["ok"], CODES["anomalous"]], np.uint8))
    names = {code: name for name, code in CODES.items()} | {0: ""}
    assert [names[int(code)] for code in told[-11:]] == [
        "", "warming-up", "ok", *["no-data"] * 5, "anomalous", "silent", "silent"]  # fmt: skip


def test_of_many_samples_of_a_day_the_worst_is_told():
    cells = Cells.of("2026-01-01T00:00:00Z", "2026-03-10T23:00:00Z")
    at = np.datetime64("2026-03-10", "us") + np.arange(24) * np.timedelta64(1, "h")
    codes = np.full(24, CODES["ok"], np.uint8)
    codes[3], codes[5] = CODES["anomalous"], CODES["no-data"]
    one = record("a", from_="2026-03-10T00:00:00Z", to="2026-03-10T23:00:00Z")
    assert cells.verdicts(Reported.of(one), at, codes)[-1] == CODES["anomalous"]
    short = Cells.of("2026-03-10T00:00:00Z", "2026-03-10T23:00:00Z")
    assert short.step_us == 300 * 1_000_000


def test_levels_are_told_between_the_extremes_and_zero_is_missing():
    told, low, high = levels(np.array([1.0, np.nan, 3.0, 2.0]))
    assert (told.tolist(), low, high) == ([1, 0, 255, 128], 1.0, 3.0)
    assert levels(np.array([5.0, 5.0]))[0].tolist() == [128, 128]
    assert levels(np.array([-1.7e308, 1.7e308]))[0].tolist() == [1, 255]
    assert levels(np.array([np.nan]))[0].tolist() == [0]


def test_the_values_of_a_cell_are_their_mean():
    cells = Cells.of("2026-03-01", "2026-03-03")
    at = np.array(["2026-03-01T00", "2026-03-01T12", "2026-03-03T00", "2026-04-01"], "M8[us]")
    np.testing.assert_array_equal(cells.values(at, np.array([1.0, 2.0, 5.0, 9.0])), [1.5, np.nan, 5.0])


def test_the_views_that_are_kept_are_the_first_of_the_page():
    rows = ranked([record(asset, incident(), over=1.0) for asset in "dacb"])
    kept = Embedded(most=2)
    for row in reversed(rows):
        kept.offer(View(row.order, row.asset, row.asset, "x", ""))
    assert [view.asset for view in kept.views] == ["a", "b"] == [row.asset for row in rows[:2]]
    assert kept.left_out == 2


def test_a_common_cause_says_how_far_its_assets_are_off_and_a_single_asset_needs_no_fold():
    common = Common("cohort:R", "2026-03-01")
    shared = [record(asset, incident(common=common, deviation={"x": off})) for asset, off in (("a", -0.2), ("b", -0.5))]
    (item,) = Briefing.of(ranked(shared), remembered=False).sections[0].items
    assert (len(item.members), item.extent) == (2, "up to 50 % below expected")
    cohort = record("cohort:R", incident(deviation={"x": -0.3}))
    (item,) = Briefing.of(ranked([*shared, cohort]), remembered=False).sections[0].items
    assert (len(item.members), item.row.asset, item.extent) == (2, "cohort:R", "30 % below expected")
    (alone,) = Briefing.of(ranked(shared[:1]), remembered=False).sections[0].items
    assert (alone.members, alone.row.asset) == ((), "a")


def test_of_very_many_incidents_each_row_tells_its_worst_and_counts_the_others():
    ends = [str(np.datetime64("1900-01-01") + place) for place in range(25_000)]
    rows = ranked([record("a", *(incident(since=end, last=end, open=False) for end in ends)), record("b", incident())])
    cells = Cells.of("2026-03-01", "2026-03-10")
    told = fleet_json(rows, cells, Days(cells, rows), embedded=(), paged=(), stem=str, link=lambda row: None)
    assert {place: len(each) for place, each in told["incidents"].items()} == {0: 1, 1: 19_999}
    assert (told["most"], told["more"]) == (19_999, {1: 5_001})
