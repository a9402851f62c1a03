"""Lists of assets in the store, where something else is in their place."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from anomscan.errors import OutputError, StoreError
from anomscan.store.asset_list import keep_asset_list, read_asset_list

AT = np.datetime64("2024-01-01", "us")


def test_a_file_in_the_place_of_the_folder_stays(tmp_path: Path) -> None:
    (tmp_path / "assets").write_text("mine")
    with pytest.raises(OutputError, match=r"000001\.parquet cannot be written"):
        keep_asset_list(tmp_path, {"a": {"cohort": "c"}}, AT)
    assert (tmp_path / "assets").read_text() == "mine"


def test_a_pipe_in_the_place_of_a_list_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    os.mkfifo(tmp_path / "assets" / "000001.parquet")
    with pytest.raises(StoreError, match=r"000001\.parquet is damaged"):
        read_asset_list(tmp_path)
