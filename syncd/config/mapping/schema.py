"""Make the JSON Schema of a mapping for editors, and the table of keys for people.

`python -m syncd.config.mapping.schema` prints the table for `mappings/README.md`.
"""

from __future__ import annotations

import sys
from typing import Any

from syncd.config.mapping.keys import Key, all_keys
from syncd.domain.mapping.mapping import Mapping

SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def mapping_schema() -> dict[str, Any]:
    """Return the JSON Schema of a mapping file, with a description for every key."""
    schema = Mapping.model_json_schema()
    schema["$schema"] = SCHEMA_DIALECT
    schema["title"] = "A mapping of syncd"
    schema["description"] = "One team's rules: which PagerDuty services, which Jira project, what is owed."
    for ours in ("version", "file"):
        schema["properties"].pop(ours)
    for ours in ("name", "ids"):
        schema["$defs"]["ServiceSection"]["properties"].pop(ours)
    # `syncd` has a default in the type, which makes it optional in the schema; in a file it must come first.
    schema["required"] = ["syncd", *schema["required"]]
    for part in ("services", "severities"):
        # `Payments:` with nothing under it is an empty section.
        sections = schema["properties"][part]
        sections["additionalProperties"] = {"anyOf": [sections["additionalProperties"], {"type": "null"}]}
    return schema


def key_table() -> str:
    """Return the table of keys for `mappings/README.md`."""
    rows = ["| key | default | what it says |", "|---|---|---|"]
    # The team's playbook has the same keys as a service's, and the table describes them there.
    rows += [_row(key) for key in all_keys() if not key.path.startswith("playbook[]")]
    return "\n".join(rows) + "\n"


def _row(key: Key) -> str:
    return f"| `{key.path}` | {key.default} | {key.description.replace('|', chr(92) + '|')} |"


if __name__ == "__main__":
    sys.stdout.write(key_table())
