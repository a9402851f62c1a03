"""What is written as TOML is read back as it was."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from anomscan.config.toml import toml_key, toml_value

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(TEXT, TEXT | st.lists(TEXT, max_size=3) | st.booleans() | st.integers(-(2**63), 2**63 - 1))
def test_any_key_and_value_is_read_back(key: str, value: object) -> None:
    assert tomllib.loads(f"{toml_key(key)} = {toml_value({key: value})}") == {key: {key: value}}


def test_a_windows_path_is_written_as_it_is() -> None:
    assert toml_value(r"C:\data\fleet.csv") == r"'C:\data\fleet.csv'"
    assert tomllib.loads(f"x = {toml_value(chr(92) + chr(1))}") == {"x": "\\\x01"}
