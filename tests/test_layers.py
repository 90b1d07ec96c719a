"""The layers: nodes -> graph.node -> store, and nothing heavy before it is needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = ("store", "graph", "nodes")
HEAVY = (
    "numpy", "zarr", "xarray", "dask", "distributed", "torch", "transformers", "trl", "datasets", "networkx", "rich",
    "scipy", "matplotlib", "PIL", "cryptography",
)  # fmt: skip


def modules(layer):
    return sorted((ROOT / layer).rglob("*.py"))


def imported(path, only_top_level=False):
    """Return the dotted names that a module imports; those under `if TYPE_CHECKING:` are not imports of a run."""
    names = set()

    def visit(node, depth):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            return
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        if not (only_top_level and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))):
            for child in ast.iter_child_nodes(node):
                visit(child, depth + 1)

    visit(ast.parse(path.read_text()), 0)
    return names


def test_store_imports_nothing_of_ours():
    for path in modules("store"):
        assert not {name for name in imported(path) if name.split(".")[0] in ("graph", "nodes")}, path


def test_graph_imports_no_nodes():
    for path in modules("graph"):
        assert not {name for name in imported(path) if name.split(".")[0] == "nodes"}, path


def test_nodes_import_of_graph_only_the_contract():
    for path in modules("nodes"):
        found = {name for name in imported(path) if name.split(".")[0] == "graph"}
        assert all(name.startswith("graph.node.") for name in found), path


def test_modules_import_only_light_things_at_their_top():
    # zarr_store is a zarr Store itself, zarr_bfloat16 a data type of zarr: they are imported where zarr is.
    light = {*sys.stdlib_module_names, "msgspec", *LAYERS}
    allowed = {
        "store/digest.py": {"blake3"},
        "store/zarr_store.py": {"zarr"},
        "store/zarr_bfloat16.py": {"numpy", "zarr"},
    }
    for layer in LAYERS:
        for path in modules(layer):
            name = path.relative_to(ROOT).as_posix()
            found = {item.split(".")[0] for item in imported(path, only_top_level=True)}
            assert found <= light | allowed.get(name, set()), name


PROBE = """
import sys
import graph.cli, graph.run, graph.plan, graph.show, graph.progress
from pathlib import Path
from graph.kinds import find_kind
from graph.registry import registered
for name in registered():
    find_kind(name, Path())
print([name for name in {heavy} if name in sys.modules])
"""


def test_commands_and_all_kinds_load_nothing_heavy():
    code = PROBE.format(heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("layer", LAYERS)
def test_no_module_is_a_drawer_for_everything(layer):
    names = {path.stem for path in modules(layer)}
    assert not names & {"utils", "util", "common", "helpers", "base", "manager", "misc"}
