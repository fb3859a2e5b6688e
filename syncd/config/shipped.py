"""Find the files that syncd ships: beside the package in a checkout, inside it in a wheel."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

FOLDERS = ("mappings", "templates", "systemd")


def shipped(name: str) -> Path:
    """Return the shipped folder `mappings`, `templates` or `systemd`; raise `FileNotFoundError`."""
    package = Path(str(files("syncd")))
    for folder in (package / "shipped" / name, package.parent / name):
        if name in FOLDERS and folder.is_dir():
            return folder
    raise FileNotFoundError(f"syncd was installed without its folder {name}")
