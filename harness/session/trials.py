"""Trials: every model and every member that the user brings is asked a few texts before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from harness.cells.cell import Cell
from harness.checkpoints.brought import key_for, word_of
from harness.checkpoints.names import ModelName
from harness.data.corpus import Corpus
from harness.session.options import Options
from harness.suites.setting import Setting, corpus_of


class Trials:
    """Each trial of a session, made once.

    Args:
        make: gives the laboratory of a model for a setting over these corpora.
        say: takes a line for the user.
    """

    def __init__(
        self,
        options: Options,
        make: Callable[[ModelName, Setting, Mapping[str, Corpus]], Any],
        say: Callable[[str], None],
    ) -> None:
        self._options, self._make, self._say = options, make, say
        self._met: dict[tuple[ModelName, str, str], Exception | None] = {}  # model, suite, member -> what was wrong

    def require(self, cell: Cell, lab: Any) -> None:
        """Try every model and brought member of the session before anything is trained.

        Errors: what this cell's own trials met; those of others are said, and end only their cells.
        """
        setting = cell.setting
        for model in self._options.models_of(setting.suite):
            tried = self._options.given or not model.tiny  # what is built in place needs no trial, members do
            if tried and (model, setting.suite, "") not in self._met:
                self._try(model, setting, lab if model == cell.key.model else None, lab.rows.corpora)
        own = (key_for(self._options.given, member, cell.key.seed) for member in cell.key.members)
        for name in ("", *(word_of(key) for key in own if key is not None)):
            error = self._met.get((cell.key.model, setting.suite, name))
            if error is not None:
                raise error.with_traceback(None)

    def _try(self, model: ModelName, setting: Setting, lab: Any, corpora: Mapping[str, Corpus]) -> None:
        """One model and the members that the user brought, each noted with what was wrong with it, or None."""
        from methods.errors import MergeboardError

        def noted(name: str, what: Callable[[], None]) -> None:
            place = (model, setting.suite, name)
            self._met[place] = None
            try:
                what()
            except MergeboardError as error:
                self._met[place] = error
                self._say(str(error))

        def whole() -> None:
            nonlocal lab
            lab = lab or self._make(model, setting, corpora)
            lab.workshop.try_model()

        noted("", whole)
        for key in self._options.given if self._met[model, setting.suite, ""] is None else ():
            if corpus_of(key[0]) in corpora:
                noted(word_of(key), partial(lab.workshop.try_member, key))
