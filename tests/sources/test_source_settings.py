"""What the settings of a source come to."""

from __future__ import annotations

from pathlib import Path

import pytest

from anomscan.config import SqlSource, load
from anomscan.errors import ConfigError

SQL = """
[sources.db]
kind = "sql"
url = "{}"
query = "SELECT asset, timestamp, v FROM t WHERE timestamp BETWEEN :start AND :end"
cadence = "1D"
columns = {{ asset = "asset", values = {} }}
"""


@pytest.mark.parametrize(
    ("url", "resolved"),
    [
        ("sqlite:///a.db", "sqlite:///{base}/a.db"),
        ("sqlite+pysqlite:///../b/a.db?timeout=3", "sqlite+pysqlite:///{base.parent}/b/a.db?timeout=3"),
        ("sqlite:////a.db", "sqlite:////a.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("sqlite:///file:a.db?mode=ro&uri=true", "sqlite:///file:a.db?mode=ro&uri=true"),
        ("sqlite://", "sqlite://"),
        ("mysql+pymysql://u:p@h/d", "mysql+pymysql://u:p@h/d"),
    ],
)
def test_a_sqlite_file_is_relative_to_the_configuration(tmp_path: Path, url: str, resolved: str) -> None:
    (tmp_path / "anomscan.toml").write_text(SQL.format(url, '["v"]'))
    source = load(environ={}, cwd=tmp_path).settings.sources["db"]
    assert isinstance(source, SqlSource)
    assert source.url.get_secret_value() == resolved.format(base=tmp_path)


def test_a_variable_is_named_once(tmp_path: Path) -> None:
    (tmp_path / "anomscan.toml").write_text(SQL.format("sqlite://", '["v", "w", "v"]'))
    with pytest.raises(ConfigError, match=r"columns\.values names 'v' twice"):
        load(environ={}, cwd=tmp_path)


@pytest.mark.parametrize("pattern", ["%F", "%d.%m.%Y %d", "%Y-W%W", "seconds"])
def test_a_timestamp_format_that_cannot_be_one_is_refused_with_the_settings(tmp_path: Path, pattern: str) -> None:
    (tmp_path / "anomscan.toml").write_text(SQL.format("sqlite://", '["v"]') + f'timestamp_format = "{pattern}"\n')
    with pytest.raises(ConfigError, match=f"timestamp_format '{pattern}' is not understood"):
        load(environ={}, cwd=tmp_path)
