"""Any records, for tests that hold whatever a run may find."""

from __future__ import annotations

from datetime import date, datetime

from hypothesis import strategies as st

from anomscan.incidents.incident import KINDS, Common, Incident, Peak
from anomscan.reports.records import DETECT_SCHEMA, SCAN_SCHEMA, VERDICTS, Anomaly, Record

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
number = st.floats(allow_nan=False, allow_infinity=False)
dates = st.dates(date(1000, 1, 1)).map(str)
instants = st.datetimes(datetime(1000, 1, 1)).map(lambda moment: f"{moment.isoformat()}Z")
anomalies = st.builds(
    Anomaly,
    timestamp=dates | instants,
    values=st.dictionaries(text, number, max_size=3),
    health=st.none() | text,
    score=number,
    cutoff=number,
    sigma=st.none() | number,
    in_sample=st.booleans(),
    contributions=st.lists(st.tuples(text, number), max_size=3),
    expected=st.dictionaries(text, number, max_size=3),
    band=st.dictionaries(text, st.tuples(number, number), max_size=3),
)
numbers = st.dictionaries(text, number, max_size=3)
incidents = st.builds(
    Incident,
    id=st.none() | text,
    kind=st.sampled_from(KINDS),
    since=dates | instants,
    first_flagged=dates | instants,
    last=dates | instants,
    open=st.booleans(),
    days=st.integers(0, 10**6),
    peak=st.none() | st.builds(Peak, timestamp=dates, score=number, sigma=st.none() | number),
    observed=numbers,
    expected=numbers,
    deviation=numbers,
    loss=numbers,
    variables=st.lists(st.tuples(text, number), max_size=3).map(tuple),
    common=st.none() | st.builds(Common, asset=text, since=dates),
)
records = st.builds(
    Record,
    schema=st.sampled_from([SCAN_SCHEMA, DETECT_SCHEMA]),
    asset=text,
    detector=text,
    from_=st.none() | dates,
    to=st.none() | instants,
    spans=st.lists(st.tuples(dates, dates), max_size=3),
    anomalies=st.lists(anomalies, max_size=3),
    verdicts=st.fixed_dictionaries({verdict: st.integers(0, 10**9) for verdict in VERDICTS}),
    error=st.none() | text,
    incidents=st.lists(incidents, max_size=3),
)
