"""Watched names: those by which code reaches what its own text does not say.

All are as they are known outside of a module: `from importlib import import_module as load` is no way around them.
"""

from __future__ import annotations

IMPORTING = {"importlib.import_module", "__import__"}
# These run code that no text tells, or lead to modules that the search path did not lead to before.
HIDING = {
    "exec", "eval", "compile", "__builtins__", "importlib", "runpy.run_path", "runpy.run_module",
    "importlib.util.spec_from_file_location", "importlib.util.module_from_spec",
    "importlib.machinery.SourceFileLoader", "importlib.metadata.entry_points", "pkgutil.resolve_name",
    "pydoc.locate", "hydra.utils.instantiate", "site.addsitedir", "sys.executable",
    *(f"{module}.{name}" for module in ("pickle", "cloudpickle", "dill") for name in ("load", "loads", "Unpickler")),
    "joblib.load",
}  # fmt: skip
# Programs in other processes are no code of ours, but for Python's.
RUNNING = ("subprocess.", "os.system", "os.popen", "os.exec", "os.spawn", "os.posix_spawn", "asyncio.create_subprocess")
INTERPRETERS = {"python", "python3", "torchrun", "accelerate"}
SEARCH = ("sys.path.", "sys.meta_path.", "sys.path_hooks.")
# Whoever asks for these sees texts, docstrings or annotations: then every word counts.
READS_TEXT = {
    "inspect.signature", "inspect.getsource", "inspect.getsourcelines", "inspect.getdoc", "inspect.getfullargspec",
    "inspect.get_annotations", "inspect.getcomments", "inspect.getmembers", "inspect.findsource", "inspect.Signature",
    "inspect.Signature.from_callable", "typing.get_type_hints", "transformers.utils.get_json_schema",
    "torch.jit.script", "msgspec.json.schema", "msgspec.json.schema_components",
}  # fmt: skip
TEXTS = {"__doc__", "__annotations__", "__code__"}
READS_FILES = (
    "importlib.resources", "importlib.util.find_spec", "pkgutil.get_data", "inspect.getfile", "inspect.getsourcefile",
)  # fmt: skip
PLACES = {"__file__", "__path__", "__spec__", "__loader__", "co_filename"}
# These lead to what nothing names. A computed `getattr` does not: the class of its object counts whole anyway.
WIDE = {"__subclasses__", "__globals__", "f_globals"}
IS_WIDE = ("gc.get_objects", "gc.get_referrers", "sys.modules")
GENERIC = {"list", "dict", "tuple", "set", "frozenset", "type"}  # a text in what they are given is a type's name
ENDLESS = 99  # folders up: more than there are
CLIMBING = {"parent", "dirname", "pardir"}


def is_hiding(name: str) -> bool:
    """Tell whether who mentions a name, as it is known outside, may run what no text tells."""
    return name in IMPORTING or name in HIDING or f"{name}.".startswith(SEARCH)
