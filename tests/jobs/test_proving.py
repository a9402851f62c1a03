"""A proof: detectors that look ahead are caught, honest ones pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from anomscan.backtest.asset import Stretch
from anomscan.backtest.fleet import Backtest
from anomscan.backtest.rules import Rules
from anomscan.backtest.verdicts import Verdict
from anomscan.detectors.base import Capabilities, Scores
from anomscan.detectors.rcf import Forest
from anomscan.detectors.rcf.detector import RcfDetector
from anomscan.detectors.score_cache import ScoreCache
from anomscan.detectors.score_cache import file as kept_file
from anomscan.errors import AssetError, ProofError
from anomscan.incidents.joining import Joining
from anomscan.jobs.job import Known
from anomscan.jobs.proving import Proof, known, prove, refuse_unknown
from anomscan.jobs.sampling import SAMPLE, draw
from anomscan.jobs.work import Work
from anomscan.reports.records import SCAN_SCHEMA, read_records
from anomscan.store.store import Store
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.rows import Layout
from anomscan.telemetry.series import Series
from anomscan.telemetry.shingles import shingles

pytestmark = pytest.mark.slow

SHINGLE = 3
JOINING = Joining(shingle=3, close_after=7, silent_after=3)
RULES = Rules(window=40, shingle=SHINGLE)
START = np.datetime64("2017-01-01", "us")
ALL, NO_BOUND = Stretch(), Known()
LAYOUT = Layout(Cadence.parse("1D"), ("x", "y"))
ASSETS = [f"asset{number}" for number in range(8)]
DAYS = 150


def day(number):
    return START + np.timedelta64(number, "D")


class Distance:
    """Honest: how far the newest sample lies from the shingle's mean."""

    name, fingerprint, trained_through = "distance", "1", None
    capabilities = Capabilities()

    def score(self, batch, shingle, rows=None):
        return [Scores(one.timestamps, self.scores(one, shingle, batch)) for one in batch]

    def scores(self, series, shingle, batch):
        score = np.full(len(series), np.nan)
        if len(series) >= shingle:
            points = shingles(series.values, shingle).reshape(-1, shingle, len(series.variables))
            score[shingle - 1 :] = np.abs(points[:, -1] - points.mean(axis=1)).sum(axis=1)
        return score

    def contributions(self, series, rows, shingle):
        return np.abs(series.values[rows])


class Standardised(Distance):
    """Scores in partitions of the whole series' own spread."""

    def scores(self, series, shingle, batch):
        score = super().scores(series, shingle, batch)
        return (score - np.nanmean(score)) / np.nanstd(score)


class Tomorrow(Distance):
    """Wants to see whether it was a spike: the next sample has a say."""

    def scores(self, series, shingle, batch):
        score = super().scores(series, shingle, batch)
        score[:-1] += 0.01 * np.abs(np.diff(series.values[:, 0]))
        return score


class Sparing(Distance):
    """Lets a spike pass that is over the next day, and is honest on all other days."""

    def scores(self, series, shingle, batch):
        score = super().scores(series, shingle, batch)
        over = np.append(score[1:] < score[:-1] / 2, False) & (score > 1)
        return np.where(over, score * (1 - 2**-52), score)


class Centred(Distance):
    """The contributions alone know the future."""

    def contributions(self, series, rows, shingle):
        return np.abs(series.values[rows] - series.values.mean(axis=0))


class Crowd(Distance):
    """Asks how many assets there are in the batch."""

    def scores(self, series, shingle, batch):
        return super().scores(series, shingle, batch) / len(batch)


class Overall(Distance):
    """Measures each asset by all that the batch will ever see."""

    def scores(self, series, shingle, batch):
        return super().scores(series, shingle, batch) / np.nanmean(np.concatenate([each.values for each in batch]))


class Learning(Distance):
    """Scores lower each time it is asked."""

    asked = 0

    def scores(self, series, shingle, batch):
        self.asked += 1
        return super().scores(series, shingle, batch) / (1 + self.asked / 100)


class Failing(Distance):
    """Has no score for a short history."""

    def score(self, batch, shingle, rows=None):
        found = super().score(batch, shingle)
        return [AssetError("too short") if len(one) < 120 else each for one, each in zip(batch, found, strict=True)]


class Noisy(Distance):
    """A service whose last digits depend on how many samples it is asked about."""

    noise = 1e-8

    def scores(self, series, shingle, batch):
        return super().scores(series, shingle, batch) * (1 + self.noise * (len(series) % 7))


class NoisyService(Noisy):
    capabilities = Capabilities(remote=True, contribution=True)


class Part(Distance):
    """Honest, and scores no more than it is asked for."""

    def score(self, batch, shingle, rows=None):
        whole = super().score(batch, shingle)
        if rows is None:
            return whole
        return [replace(each, score=_only(each.score, part)) for each, part in zip(whole, rows, strict=True)]


def _only(score, part):
    kept = np.full(len(score), np.nan)
    kept[part] = score[part]
    return kept


def values_of(number, n=DAYS):
    values = np.random.default_rng(number).normal(0.8, 0.02, (n, 2))
    values[60 + 7 * number], values[130], values[n - 1] = 3.0, 2.0, 4.0
    return values


def commit(store, rows, arrived="2020-01-01"):
    assets, days, values, health = zip(*rows, strict=True)
    columns = [
        pa.array(assets, pa.string()),
        pa.array([at.astype(object) for at in days], pa.timestamp("us")),
        *[pa.array([value[column] for value in values], pa.float64()) for column in range(2)],
        pa.array(health, pa.string()),
    ]
    with store.writer("fleet", LAYOUT, arrived_at=np.datetime64(arrived, "us")) as writer:
        writer.append(pa.Table.from_arrays(columns, schema=LAYOUT.schema))
        writer.commit()


@pytest.fixture
def store(tmp_path):
    """Eight assets, some with holes and with days of unknown health; the last one is short."""
    store = Store.create(tmp_path / "store")
    rows = []
    for number, asset in enumerate(ASSETS):
        n = DAYS if number < 7 else 20
        for place, value in enumerate(values_of(number)[:n].tolist()):
            if number not in (2, 3) or place not in (70, 71, 125):
                rows.append((asset, day(place), value, "Unknown" if place % 40 == 9 else "Ok"))
    commit(store, rows)
    return store


@pytest.fixture
def work(store):
    """Make what does the partitions of a run."""

    def make(detector, *, rules=RULES, stretch=ALL, known=NO_BOUND, cache=None):
        return Work(store.snapshot("fleet"), known, Backtest(detector, rules, stretch), SCAN_SCHEMA, cache, JOINING)

    return make


def results(work):
    """The results of a run, one partition an eighth of the fleet or so."""
    cut = work.snapshot.cut(as_of=work.known.as_of)
    return sorted(
        (each for partition in cut.partitions(400) for each in work(partition).results), key=lambda each: each.asset
    )


def proof(work, most=SAMPLE):
    return prove(work, draw(results(work), most, 1), lambda steps: None)


def test_an_honest_detector_passes(work):
    ticks = []
    honest = work(Distance())
    claims = draw(results(honest), SAMPLE, 1)
    found = prove(honest, claims, ticks.append)
    assert found == Proof(100, 7, sum(claim.verdict is Verdict.ANOMALOUS for claim in claims), 0)
    assert found.anomalous >= 14
    assert ticks == [1] * 100


@pytest.mark.parametrize(
    "options",
    [
        {"rules": replace(RULES, calendar=False)},
        {"rules": replace(RULES, include_newest=False, skip_health=())},
        {"stretch": Stretch(days=1)},
        {"stretch": Stretch(days=30)},
        {"stretch": Stretch(day(60), day(80))},
        {"known": Known(through=day(100))},
        {"known": Known(as_of=np.datetime64("2020-01-02", "us"), through=day(127))},
    ],
)
@pytest.mark.parametrize("detector", [Distance, Part])
def test_it_passes_whatever_the_rules_and_the_days(work, detector, options):
    made = work(detector(), **options)
    every = draw(results(made), 10_000, 1)
    found = prove(made, every, lambda steps: None)
    assert found.verdicts == len(every) > 0
    assert found.anomalous > 0


def test_a_day_on_which_nothing_was_measured_is_proved_too(work):
    made = work(Distance())
    (gap,) = [claim for claim in draw(results(made), 10_000, 1) if claim.at == day(70) and claim.asset == ASSETS[2]]
    assert gap.verdict is Verdict.NO_DATA
    assert prove(made, [gap], lambda steps: None).verdicts == 1


@pytest.mark.parametrize("detector", [Standardised, Tomorrow, Sparing, Overall])
def test_a_detector_that_looks_ahead_is_caught(work, detector):
    with pytest.raises(ProofError) as caught:
        proof(work(detector()))
    line = str(caught.value)
    assert line.startswith("asset 'asset")
    assert "2017-" in line
    assert "detector 'distance' looks ahead: later rows have a say in it" in line
    assert "score" in line
    assert caught.value.exit_code == 2


def test_contributions_of_the_future_are_caught(work):
    with pytest.raises(ProofError, match=r"anomalous, contributions \[.* looks ahead"):
        proof(work(Centred()))


def test_a_detector_that_looks_at_its_neighbours_is_caught(work):
    with pytest.raises(ProofError, match="the other assets that were scored with it have a say in it"):
        proof(work(Crowd()))


def test_a_detector_that_learns_while_it_scores_is_caught(work):
    with pytest.raises(ProofError, match="does not say the same twice"):
        proof(work(Learning()))


def test_a_verdict_that_cannot_be_recomputed_is_none(work):
    with pytest.raises(ProofError, match=r"asset 'asset0', .* this verdict cannot be recomputed: too short"):
        proof(work(Failing()))


def test_the_last_digits_may_differ_at_a_service_and_nowhere_else(work):
    assert proof(work(NoisyService())).verdicts == 100
    with pytest.raises(ProofError):
        proof(work(Noisy()))


class NoisierService(NoisyService):
    noise = 1e-4


def test_more_than_the_last_digits_of_a_service_count(work):
    with pytest.raises(ProofError):
        proof(work(NoisierService()))


@pytest.fixture(scope="module")
def forest():
    points = np.concatenate([shingles(values_of(number)[:60], SHINGLE) for number in range(7)])
    return Forest.fit(points, trees=20, sample_size=64, seed=0)


@pytest.fixture
def cache(tmp_path):
    return ScoreCache.of(
        tmp_path / "scores", fingerprint="1", shingle=SHINGLE, gaps=RULES.long_gaps, reads=True, writes=True
    )


def test_a_forest_passes_with_and_without_kept_scores(work, forest, cache):
    detector = RcfDetector("rcf", forest, "model")
    assert proof(work(detector)).verdicts == 100
    made = work(detector, cache=cache)
    results(made)
    assert len(list(cache.folder.iterdir())) == len(made.snapshot.cut().partitions(400)) > 2
    found = proof(made)
    assert found.verdicts == 100
    assert found.anomalous > 10


def test_a_kept_score_that_is_wrong_is_caught(work, forest, cache):
    made = work(RcfDetector("rcf", forest, "model"), cache=cache)
    results(made)
    partition = made.snapshot.cut().partitions(400)[0]
    columns = made.cache.read(partition)
    kept = columns.kept()
    asset = next(asset for asset, each in kept.items() if len(each.scores) == DAYS)
    scores = kept[asset].scores.copy()
    scores[100, 0] = np.nextafter(scores[100, 0], 9)
    (path,) = [path for path in cache.folder.iterdir() if kept_file.partition_of(path) == partition]
    kept_file.write(path, partition, {**kept, asset: replace(kept[asset], scores=scores)}, columns.files, columns.gaps)
    with pytest.raises(ProofError, match=f"asset '{asset}', .*a score that was kept is wrong.*--rescore"):
        proof(made, 10_000)


def test_verdicts_up_to_the_end_of_the_training_are_in_sample_and_are_counted(work):
    class Trained(Distance):
        trained_through = day(130)

    made = work(Trained(), stretch=Stretch(day(125), day(149)))
    said = {}
    for result in results(made):
        (record,) = read_records([result.line.decode()])
        said |= {(record.asset, each.timestamp): each.in_sample for each in record.anomalies}
    assert {at: flag for (_, at), flag in said.items()} == {"2017-05-11": True, "2017-05-30": False}
    found = proof(made, 10_000)
    assert (found.verdicts, found.in_sample) == (7 * 25, 7 * 6)


def test_in_sample_is_part_of_what_is_proved(work):
    class Forgetful(Distance):
        trained_through = day(149)

    made = work(Forgetful())
    claims = draw(results(made), SAMPLE, 1)
    with pytest.raises(ProofError, match=r"in_sample True.*in_sample False"):
        prove(work(Distance()), claims, lambda steps: None)


def test_revisions_that_had_not_arrived_have_no_say(store, work):
    before = Known(as_of=np.datetime64("2020-06-01", "us"))
    first = results(work(Distance(), known=before))
    commit(store, [(ASSETS[0], day(place), (0.0, 0.0), "Ok") for place in (90, 91)], "2021-01-01")
    made = work(Distance(), known=before)
    assert results(made) == first
    claims = draw(first, 10_000, 1)
    assert prove(made, claims, lambda steps: None).verdicts == len(claims)
    with pytest.raises(ProofError, match="asset 'asset0', 2017-0"):
        prove(work(Distance()), claims, lambda steps: None)


def test_rows_that_the_run_may_not_know_are_refused(store):
    (series,) = store.snapshot("fleet").read(store.snapshot("fleet").cut(assets=[ASSETS[0]]).single()[0])
    arrived = np.datetime64("2020-01-01", "us")
    refuse_unknown(series, Known(arrived, day(DAYS - 1)))
    refuse_unknown(series, Known())
    for bound, when in (
        (Known(arrived - np.timedelta64(1, "us")), "2017-01-01"),
        (Known(through=day(100)), "2017-04-12"),
    ):
        with pytest.raises(ProofError, match=f"asset 'asset0', {when}: .* may not know"):
            refuse_unknown(series, bound)


class Careless:
    """A snapshot that forgets what was asked of it."""

    def __init__(self, snapshot):
        self.cut, self.layout, self._snapshot = snapshot.cut, snapshot.layout, snapshot

    def whole(self, partition, *, as_of=None):
        return self._snapshot.read(partition)


def test_a_store_that_gives_rows_of_later_is_caught(store, work):
    commit(store, [(ASSETS[0], day(place), (0.8, 0.8), "Ok") for place in (DAYS, DAYS + 1)], "2021-01-01")
    made = work(Distance(), known=Known(as_of=np.datetime64("2020-06-01", "us")))
    assert proof(made).verdicts == SAMPLE
    careless = replace(made, snapshot=Careless(made.snapshot))
    with pytest.raises(ProofError, match=r"asset 'asset0', 2017-05-31: .* may not know"):
        prove(careless, draw(results(careless), 10_000, 1), lambda steps: None)


def test_known_is_what_came_up_to_a_day():
    days = np.array([day(0), day(1), day(5)])
    series = Series("a", LAYOUT.cadence, ("x",), days, np.arange(3.0)[:, None], np.zeros(3, np.int32), ("Ok",), days)
    assert known(series, day(1)).timestamps.tolist() == days[:2].tolist()
    assert known(series, day(5)) is series
    gap = known(series, day(3))
    assert gap.timestamps.tolist() == [*days[:2].tolist(), day(3).astype(object)]
    assert gap.values.ravel().tolist()[:2] == [0, 1]
    assert np.isnan(gap.values[2, 0])
    assert [gap.health(row) for row in range(3)] == ["Ok", "Ok", None]
    assert np.isnat(gap.arrived_at[2])
