"""The generated reference: complete, and what the code says now."""

from scripts import write_reference
from soloist.infra.errors import REGISTRY
from soloist.infra.settings import Settings


def test_every_code_has_its_cause_and_cure() -> None:
    texts = write_reference.error_texts()
    assert texts.keys() == REGISTRY.keys()
    page = write_reference.reference()["errors.md"]
    for code, text in texts.items():
        assert f"\n## {code}\n" in page
        assert text.keys() == {"when", "cure"}
        assert min(len(text["when"]), len(text["cure"])) > 15, code


def test_every_setting_is_told_with_its_limits() -> None:
    page = "\n".join(write_reference.settings_page())
    assert "| `SOLOIST_PORT` | `port` | `8600` | a whole number from 0 to 65535 |" in page
    assert "| `SOLOIST_RATE_LIMIT_READ` | `rate_limit_read` | `100/minute` |" in page
    assert "`first`, `open`, `closed`" in page
    assert all(f"| `SOLOIST_{name.upper()}` | `{name}` |" in page for name in Settings.model_fields)


def test_written_files_are_what_the_code_says() -> None:
    stale = [name for name, text in write_reference.reference().items() if not _written(name, text)]
    assert stale == [], "run `make docs`"


def _written(name: str, text: str) -> bool:
    path = write_reference.FOLDER / name
    return path.is_file() and path.read_text(encoding="utf-8") == text
