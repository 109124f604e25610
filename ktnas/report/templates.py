"""How pages are filled in."""

from jinja2 import Environment, PackageLoader, StrictUndefined


def page_environment() -> Environment:
    """Environment of the templates beside this module; a name that is missing is an error."""
    return Environment(
        loader=PackageLoader("ktnas", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
