"""Templates: one a remote file, in `templates/`, named after it."""

from pathlib import Path

import jinja2

ROOT = Path(__file__).resolve().parent.parent

_environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(ROOT / "templates"),
    undefined=jinja2.StrictUndefined,
    keep_trailing_newline=True,
    trim_blocks=True,
    lstrip_blocks=True,
    autoescape=False,  # noqa: S701 - these are configuration files, not HTML
)


def render(template: str, **values: object) -> str:
    """Fill in a template; an undefined name is an error."""
    return _environment.get_template(template).render(**values)
