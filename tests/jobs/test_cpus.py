"""How many threads a run takes by default: what the machine, the mask and the control groups allow."""

import os

import pytest

from anomscan.jobs.engines.cpus import usable_cpus


@pytest.fixture
def four(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(4)), raising=False)


def groups(tmp_path, text):
    own = tmp_path / "own"
    own.write_text(text)
    return own


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("max 100000", 4), ("100000 100000", 1), ("150000 100000", 2), ("1000 100000", 1), ("900000 100000", 4)],
)
def test_the_quota_of_a_control_group_counts(tmp_path, four, quota, expected):
    (tmp_path / "control/machine/job").mkdir(parents=True)
    (tmp_path / "control/machine/job/cpu.max").write_text(f"{quota}\n")
    assert usable_cpus(tmp_path / "control", groups(tmp_path, "0::/machine/job\n")) == expected


def test_the_quota_of_a_group_around_it_counts_too(tmp_path, four):
    (tmp_path / "control/machine/job").mkdir(parents=True)
    (tmp_path / "control/machine/job/cpu.max").write_text("300000 100000\n")
    (tmp_path / "control/machine/cpu.max").write_text("200000 100000\n")
    assert usable_cpus(tmp_path / "control", groups(tmp_path, "0::/machine/job\n")) == 2


def test_in_a_container_the_root_is_its_own_group(tmp_path, four):
    (tmp_path / "control").mkdir()
    (tmp_path / "control/cpu.max").write_text("200000 100000\n")
    assert usable_cpus(tmp_path / "control", groups(tmp_path, "0::/not/shown/here\n")) == 2


@pytest.mark.parametrize(("quota", "expected"), [("-1", 4), ("250000", 3)])
def test_the_first_version_of_control_groups(tmp_path, four, quota, expected):
    (tmp_path / "control/cpu/job").mkdir(parents=True)
    (tmp_path / "control/cpu/job/cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "control/cpu/job/cpu.cfs_period_us").write_text("100000")
    own = groups(tmp_path, "5:memory:/job\n4:cpu,cpuacct:/job\n0::/\n")
    assert usable_cpus(tmp_path / "control", own) == expected


def test_without_control_groups_the_mask_counts(tmp_path, four):
    assert usable_cpus(tmp_path / "none", tmp_path / "none") == 4
