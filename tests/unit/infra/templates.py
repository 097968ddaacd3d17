"""The templates as a parser reads them, and what the code says that they must hold."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from pycep import BicepParser

from shared.adapters import settings
from shared.adapters.settings.kinds import Group

ROOT = Path(__file__).resolve().parents[3]
INFRA = ROOT / "infra"
TEMPLATES = sorted(INFRA.rglob("*.bicep"))

Tree = dict[str, Any]


@cache
def template(name: str) -> Tree:
    """Return a template by its path below infra/: parameters, variables, resources, modules, outputs."""
    tree: Tree = dict(BicepParser().parse(text=(INFRA / name).read_text()))
    return tree


def variable(name: str, of: str) -> Any:
    """Return the value of a variable of a template."""
    return template(of)["variables"][name]["value"]


def resources(kind: str) -> list[Tree]:
    """Return the configurations of all resources of a type that the templates make; of a loop, that of each turn."""
    found = []
    for path in TEMPLATES:
        for one in template(str(path.relative_to(INFRA))).get("resources", {}).values():
            if one["type"] == kind and not one["existing"]:
                config = one["config"]
                found.append(config["config"] if "loop_type" in config else config)
    return found


def platform_settings() -> set[str]:
    """Return the settings that follow from the deployed resources."""
    return set(variable("platformSettings", "modules/function-app.bicep"))


def operator_settings() -> dict[str, bool]:
    """Return the settings that an operator decides, and whether each is required."""
    declared = re.findall(r"^  ([A-Z_]+): string(\??)$", (INFRA / "settings.bicep").read_text(), re.M)
    found = {name: not optional for name, optional in declared}
    assert found.keys() == template("settings.bicep")["types"]["hubSettings"]["value"].keys()
    return found


def setting_fields() -> dict[str, tuple[bool, bool]]:
    """Return every setting that the code reads: whether it is required, whether it is a secret."""
    assert settings.__all__
    return {
        str(field.alias): (field.is_required(), "Secret" in str(field.annotation) or "Secret" in str(field.metadata))
        for group in Group.__subclasses__()
        for field in group.model_fields.values()
    }


def string_literals(*folders: str) -> set[str]:
    """Return every text in the code of folders."""
    found = set()
    for tree in syntax_trees(*folders):
        found |= {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
    return found


def syntax_trees(*folders: str) -> Iterator[ast.Module]:
    """Yield the code of folders, module by module."""
    for folder in folders:
        for path in (ROOT / folder).rglob("*.py"):
            yield ast.parse(path.read_text())
