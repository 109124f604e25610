"""Where the YAML files live: inside an installed package, or beside it in a source checkout."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def resource_dir(name: str) -> Path:
    """Directory ``spaces`` or ``conf``, installed or editable, whatever the working directory."""
    for candidate in (PACKAGE / "data" / name, PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"ktnas was installed without its '{name}' directory; reinstall it")
