"""Settings that have a name already and that this version cannot honour: refused, never ignored."""

from __future__ import annotations

from ..errors import SettingsError
from .settings import FIELDS, Settings

LATER = (
    "dashboard",
)  # fmt: skip


def check_supported(settings: Settings) -> None:
    """Raise SettingsError for a setting that was given and would have no effect."""
    for name in LATER:
        if getattr(settings, name) != FIELDS[name].default:
            raise SettingsError(f"{name} is not available in this version of eisenmp")
