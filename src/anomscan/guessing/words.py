"""What columns are called, in English and German exports."""

from __future__ import annotations

import re
from collections.abc import Iterable

_ASSETS = (
    "asset assets device site plant turbine inverter inv wr wec wtg wea unit machine meter serial serialnumber sn "
    "station sensor system farm park string module disk drive pump motor vehicle node host randid anlage gerät "
    "standort zähler equipment thing installation location source"
)
_QUANTITIES = (
    "power energy yield temp temperature wind speed pressure voltage volt current amp ampere humidity irradiance "
    "irradiation rpm torque flow vibration frequency freq yaw pitch angle direction ratio load cpu mem memory disk "
    "value val pr kw kwh mw mwh w wh kwp poa ghi rate level count latency leistung energie temperatur ertrag druck "
    "spannung strom drehzahl windgeschwindigkeit wert mean avg rms"
)
_TIMES = "time timestamp date datetime ts day epoch unix when zeit zeitstempel datum uhrzeit tag fecha hora stamp t"
_LATE = "created updated inserted ingested received processed arrived modified commissioned installed loaded sync"
_TAGS = "tag tagname variable parameter param signal measurement channel metric point quantity field datapoint register"
_HEALTHS = "health status state quality condition zustand qc availability"
_COHORTS = "region cohort group cluster country area zone fleet class model type manufacturer portfolio make climate"
_LABELS = "label anomaly anomalous is_anomaly fault faulty outlier target truth event"
_PLACES = "lat lon latitude longitude elevation altitude capacity kwp nominal rated year month hour weekday dow doy"
_INDEXES = "index id row nr no number rownum unnamed seq"
_TOTALS = "total sum summe average mean avg min max median gesamt overall all portfolio"

_UNIT = re.compile(r"[\[(]\s*[^\])]{1,12}\s*[\])]")


def tokens(name: str) -> list[str]:
    """The words of a column's name, in small letters, without digits.

    >>> tokens("activePower_avg [kW]"), tokens("WTG01")
    (['active', 'power', 'avg', 'k', 'w'], ['wtg'])
    """
    split = re.sub(r"(?<=[a-zäöüß])(?=[A-ZÄÖÜ])", " ", name)
    return re.findall(r"[a-zäöüß]+", split.lower())


def _is(name: str, words: str) -> bool:
    known = words.split()
    own = tokens(name)
    return bool(set(own) & set(known)) or "".join(own) in known


def names_asset(name: str) -> bool:
    """Whether a column of this name may hold ids of assets."""
    own = tokens(name)
    return _is(name, _ASSETS) or own[-1:] == ["id"]


def names_time(name: str) -> bool:
    """Whether it may hold times."""
    return _is(name, _TIMES)


def names_late(name: str) -> bool:
    """Whether it tells when a row was written, or an asset installed, rather than what time the row is about."""
    return _is(name, _LATE)


def names_tag(name: str) -> bool:
    """Whether it may tell which variable a value is of."""
    return _is(name, _TAGS)


def names_health(name: str) -> bool:
    """Whether it may hold the health."""
    return _is(name, _HEALTHS)


def names_cohort(name: str) -> bool:
    """Whether it may say which assets belong together."""
    return _is(name, _COHORTS)


def names_label(name: str) -> bool:
    """Whether it may hold somebody's labels."""
    return _is(name, _LABELS)


def names_place(name: str) -> bool:
    """Whether it may hold a number that belongs to an asset, or a part of a date."""
    return _is(name, _PLACES) and not _UNIT.search(name)


def names_index(name: str) -> bool:
    """Whether it may number the rows."""
    own = tokens(name)
    return not own or (len(own) == 1 and own[0] in _INDEXES.split())


def names_total(name: str) -> bool:
    """Whether it sums up other columns."""
    return _is(name, _TOTALS)


def names_sum(name: str) -> bool:
    """Whether it is a word for a sum and nothing else, as the last line of a table has it.

    >>> names_sum("Grand total"), names_sum("Total energy")
    (True, False)
    """
    own = tokens(name)
    return bool(own) and set(own) <= {*_TOTALS.split(), "grand", "all", "overall"} and names_total(name)


def names_quantity(name: str) -> bool:
    """Whether it is a quantity, or has a unit."""
    return _is(name, _QUANTITIES) or bool(_UNIT.search(name))


#: Letters before a number that mean a quantity as often as an asset, as T1.
_AMBIGUOUS = set("tvipxyufcqn")
_SERIES = {"series", "feature", "col", "column", "var", "variable", "ch", "channel", "sensor", "dim", "value", "signal"}


def stem(name: str) -> str:
    """The name without its numbers.

    >>> stem("INV 07"), stem("INV 1.12 Power")
    ('inv', 'inv power')
    """
    return " ".join(re.sub(r"\d+([.,:/-]\d+)*", " ", name.lower()).replace("_", " ").replace("-", " ").split())


def look_like_assets(names: Iterable[str]) -> bool:
    """Whether columns are called as assets are: a word for one and a number, or codes such as S001 or R80711."""
    listed = list(names)
    stems = {stem(name) for name in listed}
    if len(stems) > max(1, len(listed) // 3) or not all(re.search(r"\d", name) for name in listed):
        return False
    for each in stems:
        words = set(tokens(each))
        if words & (_SERIES - set(_ASSETS.split()) | {"sensor"}):
            return False
        if each and len(each) == 1 and (each in _AMBIGUOUS or not all(re.search(r"\d\d", name) for name in listed)):
            return False
    own = {word for each in stems for word in tokens(each)}
    if own & set(_ASSETS.split()):
        return len(stems) == 1 or not own & (set(_QUANTITIES.split()) - set(_ASSETS.split()))
    return not own & set(_QUANTITIES.split())
