"""The plugin's settings, which napari shows among its preferences."""

from __future__ import annotations

from typing import Final

from napari.settings import get_plugin_settings

PLUGIN: Final = "napari-sa2va"


def setting(group: str, name: str, default: str) -> str:
    """Return a setting; the default where napari does not know the plugin."""
    settings = get_plugin_settings().get(PLUGIN)
    return default if settings is None else str(getattr(getattr(settings, group), name))


def store_setting(group: str, name: str, value: str) -> None:
    """Change a setting; napari writes it to disk."""
    settings = get_plugin_settings().get(PLUGIN)
    if settings is not None:
        setattr(getattr(settings, group), name, value)
