"""The table of adjustments in docs/http.md names every kind that an app may apply, with all its fields and its example."""

from __future__ import annotations

import json
import re
from pathlib import Path

from laurels.engine.adjustments import kinds_for

DOCUMENT = Path(__file__).parents[2] / "docs" / "http.md"
ROW = re.compile(r"^\| `(\w+)` \| ([^|]+) \| `(\{.*\})` \|$", re.MULTILINE)


def test_every_body_of_an_adjustment_is_documented_with_its_fields() -> None:
    rows = {kind: (fields, json.loads(example)) for kind, fields, example in ROW.findall(DOCUMENT.read_text("utf-8"))}
    kinds = {kind.kind: kind for kind in kinds_for("app")}
    assert rows.keys() == kinds.keys()
    for name, (fields, example) in rows.items():
        declared = {field.name: field for field in kinds[name].fields()}
        assert set(re.findall(r"`(\w+)`", fields)) == declared.keys(), name
        assert example.keys() <= declared.keys()
        assert example.keys() >= {one for one, field in declared.items() if field.default is None}
        for one, value in example.items():
            declared[one].parse(value)
