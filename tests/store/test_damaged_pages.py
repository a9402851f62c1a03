"""A file of the store whose pages somebody changed, with right checksums."""

from __future__ import annotations

import pytest

from anomscan.errors import StoreError
from anomscan.store.part_reader import reading


@pytest.mark.parametrize("error", [IndexError("index 7 is out of bounds"), KeyError("asset"), ValueError("its rows")])
def test_whatever_numpy_says_of_a_changed_page_the_file_is_damaged(tmp_path, error):
    """As a code of a dictionary that has no such entry."""
    with pytest.raises(StoreError, match=r"rows\.parquet is damaged: "), reading(tmp_path / "rows.parquet"):
        raise error
