"""All sections together."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from pydantic import Field, field_validator, model_validator

from anomscan.config.detector_sections import DetectorSettings, RcfSettings
from anomscan.config.maintenance import MaintenanceSettings
from anomscan.config.notify_sections import NotifySettings
from anomscan.config.section import Section, told
from anomscan.config.sections import (
    AssetsSettings,
    Defaults,
    IncidentsSettings,
    NightSettings,
    ReportSettings,
    ScanSettings,
    StoreSettings,
    TrainSettings,
)
from anomscan.config.source_sections import FilesSource, RestSource, SourceSettings, SqlSource
from anomscan.errors import ConfigError


def _detectors() -> dict[str, DetectorSettings]:
    return {"rcf": RcfSettings()}


class Settings(Section):
    """All settings; relative paths have been made absolute against the folder of the file."""

    defaults: Defaults = Defaults()
    store: StoreSettings = StoreSettings()
    sources: dict[str, SourceSettings] = Field(default_factory=dict)
    detectors: dict[str, DetectorSettings] = Field(default_factory=_detectors)
    incidents: IncidentsSettings = IncidentsSettings()
    maintenance: tuple[MaintenanceSettings, ...] = ()
    assets: AssetsSettings = AssetsSettings()
    train: TrainSettings = TrainSettings()
    scan: ScanSettings = ScanSettings()
    report: ReportSettings = ReportSettings()
    night: NightSettings = NightSettings()
    notify: tuple[NotifySettings, ...] = ()

    @field_validator("notify")
    @classmethod
    @told
    def _names_differ(cls, routes: tuple[NotifySettings, ...]) -> tuple[NotifySettings, ...]:
        names = [route.name for route in routes]
        if twice := next((name for place, name in enumerate(names) if name in names[:place]), None):
            raise ConfigError(f"two targets are called '{twice}'", hint="give each a name of its own")
        return routes

    @model_validator(mode="after")
    @told
    def _maintenance_of_whom(self) -> Settings:
        for each in self.maintenance:
            for name in ("cohort", "tags"):
                if getattr(each, name) and not (self.assets.given and getattr(self.assets.columns, name)):
                    raise ConfigError(
                        f"[[maintenance]] names {name}, which nothing gives",
                        hint=f"set [assets] and its columns.{name}",
                    )
        return self

    def source(self, name: str | None) -> tuple[str, FilesSource | SqlSource | RestSource]:
        """The source a command uses: the one named, else the default, else the only one.

        Raises
        ------
        ConfigError
            If there is no such source, or none can be chosen.
        """
        name = name or self.defaults.source
        if name is None and len(self.sources) == 1:
            name = next(iter(self.sources))
        if not self.sources:
            raise ConfigError(
                "the settings have no source",
                hint="write [sources.NAME] into anomscan.toml, or name your file with --config; "
                "config.example.toml shows every key",
            )
        if name is None:
            known = ", ".join(sorted(self.sources))
            raise ConfigError(
                f"which source? the settings have {known}", hint="name one with --source or [defaults] source"
            )
        if name not in self.sources:
            raise ConfigError(
                f"there is no source '{name}' in the settings", hint=nearest(name, self.sources, "sources")
            )
        return name, self.sources[name]

    def detector(self, name: str | None) -> tuple[str, DetectorSettings]:
        """The detector a command uses: the one named, else the default.

        Raises
        ------
        ConfigError
            If there is no such detector.
        """
        name = name or self.defaults.detector
        if name not in self.detectors:
            raise ConfigError(
                f"there is no detector '{name}' in the settings", hint=nearest(name, self.detectors, "detectors")
            )
        return name, self.detectors[name]


def nearest(name: str, known: Iterable[str], what: str) -> str:
    """A hint for an unknown name: the nearest known one, or all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else f"known {what}: {', '.join(names) or 'none'}"
