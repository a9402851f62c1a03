"""What columns are called, in English and German exports."""

from __future__ import annotations

import re
from collections.abc import Iterable

_ASSETS = (
    "asset assets device site plant turbine inverter inv wr wec wtg wea unit machine meter serial serialnumber sn "
    "station sensor system farm park string module disk drive pump motor vehicle node host randid anlage gerät "
    "standort zähler equipment thing installation location source wechselrichter windrad maschine messstelle "
    "cell mppt battery rack tracker feeder tank well boiler chiller compressor engine robot building room house "
    "customer kunde"
)
_QUANTITIES = (
    "power energy yield temp temperature wind speed pressure voltage volt current amp ampere humidity irradiance "
    "irradiation rpm torque flow vibration frequency freq yaw pitch angle direction ratio load cpu mem memory disk "
    "value val pr kw kwh mw mwh w wh kwp poa ghi rate level count latency leistung energie temperatur ertrag druck "
    "spannung strom drehzahl windgeschwindigkeit wert messwert mean avg rms"
)
_TIMES = "time timestamp date datetime ts day epoch unix when zeit zeitstempel datum uhrzeit tag fecha hora stamp t"
_LATE = "created updated inserted ingested received processed arrived modified commissioned installed loaded sync"
_TAGS = (
    "tag tagname variable parameter param signal measurement channel metric point quantity field datapoint register "
    "messgröße messgroesse größe groesse kanal kennzahl metrik"
)
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


def name_different_quantities(names: Iterable[str]) -> bool:
    """Whether most names are of quantities, and not all of the same.

    >>> name_different_quantities(["sensor.pv_power", "sensor.temperature"])
    True
    >>> name_different_quantities(["Wind park North", "Wind park South"])
    False
    """
    known = set(_QUANTITIES.split()) - set(_ASSETS.split())
    found = [frozenset(set(tokens(name)) & known) for name in names]
    return 2 * sum(map(bool, found)) > len(found) and len(set(found)) > 1


#: Letters before a number that mean a quantity as often as an asset, as T1, PM10, WS80.
_AMBIGUOUS = (
    "t v i p x y u f c q n ws wd vw acc gyr gyro mag pm ai di ao do ch tc tt pt ft lt pi ti fi li rh co no so nox soc "
    "dc ac pdc pac udc idc uac iac vdc vac max min std"
)
_SERIES = {"series", "feature", "col", "column", "var", "variable", "ch", "channel", "sensor", "dim", "value", "signal"}
#: What a part of a day, of a year, of a month or of a week is called before its number.
_PARTS = (
    "h hh hr hour hours he std stunde stunden uhr int interval intervall period sp qh mtu d day tag m month monat week "
    "kw w woche wk"
)
#: How many parts a day has, of an hour, of half an hour or of a quarter; a year, a month and a week.
_COUNTS = {7, 12, 23, 24, 25, 28, 29, 30, 31, 46, 48, 50, 52, 53, 92, 96, 100}
_CLOCK = re.compile(r"\d{1,2}[:.]\d\d(:\d\d)?(\s*(-|to|bis)\s*\d{1,2}[:.]\d\d(:\d\d)?)?")
#: What tells assets of one name apart: a number, or a capital letter that stands alone after a word.
_NUMBERING = re.compile(r"\d+([.,:/-]\d+)*|(?<=[a-zäöüß][ _-])[A-Z](?![^\W_])")
#: The name of an asset where no word says so: a few letters, then digits.
_CODE = re.compile(r"([a-zäöü]{0,4})[ _-]?(\d+)", re.IGNORECASE)
#: So many columns that are numbered one after another are hardly variables.
_MANY = 30


def stem(name: str) -> str:
    """The name without what numbers it: digits, or a letter that stands alone.

    >>> stem("INV 07"), stem("INV 1.12 Power"), stem("Plant A yield")
    ('inv', 'inv power', 'plant yield')
    """
    return " ".join(_NUMBERING.sub(" ", name).lower().replace("_", " ").replace("-", " ").split())


def look_like_assets(names: Iterable[str]) -> bool:
    """Whether columns are called as assets are: a word for one and a number, or codes such as S001 or R80711."""
    listed = list(names)
    stems = {stem(name) for name in listed}
    if len(stems) > max(1, len(listed) // 3) or not all(map(_NUMBERING.search, listed)):
        return False
    named = [_names_one_asset(each) for each in stems]
    if all(named):
        quantities = set(_QUANTITIES.split()) - set(_ASSETS.split())
        return len(stems) == 1 or not any(set(tokens(each)) & quantities for each in stems)
    return not any(named) and _are_codes(listed)


def _names_one_asset(stem: str) -> bool:
    words = set(tokens(stem))
    return bool(words & set(_ASSETS.split())) and not words & (_SERIES - set(_ASSETS.split()) | {"sensor"})


def _are_codes(names: list[str]) -> bool:
    """Whether names are letters and equally many digits, two or more; or many names, numbered one after another."""
    found = [code.groups() for name in names if (code := _CODE.fullmatch(name.strip()))]
    if len(found) < len(names) or {letters.lower() for letters, _ in found} & {*_AMBIGUOUS.split(), *_SERIES}:
        return False
    numbers, widths = [int(digits) for _, digits in found], {len(digits) for _, digits in found}
    if len(numbers) >= _MANY and numbers == list(range(numbers[0], numbers[0] + len(numbers))):
        return True
    return len(widths) == 1 and (min(widths) > 2 or (min(widths) == 2 and len(names) >= 4))


def look_like_parts(names: Iterable[str]) -> bool:
    """Whether columns are called as the hours of a day are, or the days of a month: 00:15, H01, or 1 to 24.

    >>> look_like_parts(f"H{hour:02d}" for hour in range(1, 25)), look_like_parts(["1", "2", "3"])
    (True, False)
    """
    listed = [name.strip() for name in names]
    if len(listed) > 2 and all(map(_CLOCK.fullmatch, listed)):
        return True
    numbers = [re.fullmatch(r"([^\W\d]*)[ _-]*(\d{1,3})", name) for name in listed]
    found = [(match[1].lower(), int(match[2])) for match in numbers if match is not None]
    if len(found) < len(listed) or len(listed) not in _COUNTS or len({word for word, _ in found}) != 1:
        return False
    counted = [number for _, number in found]
    first = counted[0]
    return (
        first in (0, 1) and counted == list(range(first, first + len(counted))) and found[0][0] in {"", *_PARTS.split()}
    )
