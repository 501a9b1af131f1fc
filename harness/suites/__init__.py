"""What is asked: settings over corpora. Every suite is a package of its own here, or a stranger's that registers.

A name is imported when it is first asked for: settings are words, and read where there is no NumPy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.suites.base import Lesson, Suite, Where
    from harness.suites.registry import SUITES, looked_up, near, owner_of, register, resolve
    from harness.suites.setting import Setting

__all__ = ["SUITES", "Lesson", "Setting", "Suite", "Where", "looked_up", "near", "owner_of", "register", "resolve"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    base, setting = ("Lesson", "Suite", "Where"), ("Setting",)
    module = "base" if name in base else "setting" if name in setting else "registry"
    return getattr(import_module(f"harness.suites.{module}"), name)
