"""`syncd schema`: print the JSON Schema of a mapping, for editors."""

from __future__ import annotations

import click

from syncd.commands.shared.output import emit_json


@click.command(help="Print the JSON Schema of a mapping, for editors.")
def command() -> None:
    """Print the schema."""
    from syncd.config.mapping.schema import mapping_schema

    emit_json(mapping_schema())
