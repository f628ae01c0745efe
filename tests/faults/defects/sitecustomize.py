"""Run by every Python process with this folder on its path: put one deliberate defect into the module that it is of."""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

VARIABLE = "FAULTS_DEFECT"


def _defects() -> ModuleType:
    # By its place: the package of the tests would import more than this interpreter has, or needs.
    spec = importlib.util.spec_from_file_location("faults_defects", Path(__file__).with_name("__init__.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class DefectiveLoader(SourceFileLoader):
    """Compiles a module's source with other words in it, and leaves the cache of compiled modules alone."""

    def get_code(self, fullname: str) -> CodeType:
        defect = _defects().DEFECTS[os.environ[VARIABLE]]
        return compile(defect.spoil(Path(self.get_filename(fullname)).read_text()), self.path, "exec")


class DefectFinder(MetaPathFinder):
    """Finds the module that the defect is of."""

    def __init__(self, module: str) -> None:
        self._module = module

    def find_spec(self, fullname: str, path: object, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname != self._module:
            return None
        spec = PathFinder.find_spec(fullname, path, target)  # type: ignore[arg-type]
        if spec is not None and spec.origin is not None:
            spec.loader = DefectiveLoader(fullname, spec.origin)
        return spec


if VARIABLE in os.environ:
    sys.meta_path.insert(0, DefectFinder(_defects().DEFECTS[os.environ[VARIABLE]].module))
