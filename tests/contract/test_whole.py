"""Nothing of the document can be skipped silently: each of its blocks, tables and lists is used by a test here."""

import ast
from pathlib import Path
from types import ModuleType

import pytest

from tests.contract import blocks, tables, test_error_codes, test_parameters
from tests.contract.matching import parsed

HERE = Path(__file__).parent


def names_of(module: ModuleType) -> set[str]:
    return {name for name in vars(module) if name.isupper()}


def used_in_tests(module: ModuleType) -> set[str]:
    """What of the module the tests beside this file name."""
    short = module.__name__.rpartition(".")[2]
    return {
        node.attr
        for file in HERE.glob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == short
    }


def test_copy_holds_every_json_block() -> None:
    assert len(names_of(blocks)) == 23
    for name in names_of(blocks):
        assert isinstance(parsed(getattr(blocks, name)), dict), name


@pytest.mark.parametrize("module", [blocks, tables])
def test_all_of_the_copy_is_used(module: ModuleType) -> None:
    assert names_of(module) - used_in_tests(module) == set()


def test_every_parameter_and_every_code_has_its_case() -> None:
    cases = {path: tuple(parameters) for path, parameters in test_parameters.CASES.items()}
    assert cases == tables.PARAMETERS
    assert test_error_codes.CASES.keys() == tables.ERROR_CODES.keys()
