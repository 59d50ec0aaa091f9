"""docs/reference/events.md is made from the classes: every type, every field, a sample that is what is sent."""

import json
import re

from scripts import write_reference
from soloist.events.model import TYPES


def test_page_tells_every_type_and_field_with_a_sample() -> None:
    page = write_reference.reference()["events.md"]
    sections = dict(re.findall(r"\n## (\S+)\n(.*?)(?=\n## |\Z)", page, re.DOTALL))
    assert sections.keys() == TYPES.keys()
    for name, text in sections.items():
        sample = json.loads(re.search(r"```json\n(.*?)```", text, re.DOTALL)[1])  # type: ignore[index]
        rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|$", text, re.MULTILINE)
        assert list(sample) == ["type", "timestamp", "data"]
        assert sample["type"] == name
        assert list(sample["data"]) == [field for field, _, _ in rows]
        assert all(kind.strip() and len(meaning.strip()) > 5 for _, kind, meaning in rows)
        assert f"| [`{name}`](#{name.replace('.', '')}) |" in page
