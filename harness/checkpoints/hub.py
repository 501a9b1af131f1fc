"""The hub: folders of models and of data sets, each at one commit, fetched once into huggingface_hub's cache."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from glob import escape
from pathlib import Path

from harness.checkpoints.checkpoint import files, weight_files, without_weights
from harness.errors import BadModel, BadWeights

REVISION = re.compile(r"[A-Za-z0-9][\w./-]*")  # a branch, a tag, a commit
_PATIENCE = 10.0  # seconds to wait for the hub's answer
_COMMIT = re.compile(r"[0-9a-f]{40}")


class NotThere(Exception):
    """The hub has no such thing, does not hand it out, or cannot be reached; the text says which, and the cure."""


@lru_cache(maxsize=16)
def folder_of(where: str) -> Path:
    """The local folder of a model: itself, or its snapshot from the hub; `where` is a path or `org/name[@revision]`.

    Only files that decide what the model is are fetched, and weights in one format alone.

    Errors: `BadModel` if the hub cannot be reached, does not know the name or revision, or does not hand it out.
    """
    if Path(where).is_dir():
        return Path(where)
    try:
        return fetched(where)
    except NotThere as error:
        short = where.partition("@")[0].partition("/")[2]
        raise BadModel(f"model {where}: {error}; or give a local folder with --model={short}=FOLDER") from None
    except BadWeights as error:
        raise BadModel(f"model {where}: {error}") from None


def fetched(where: str, weights: bool = True) -> Path:
    """The snapshot of a model or an adapter on the hub, `org/name[@revision]`; without its weights, if so asked.

    Errors: `NotThere`, and `BadWeights` if it holds none.
    """
    name, _, revision = where.partition("@")
    folder = fetch(name, revision or None, without_weights)
    if not weights:
        return folder
    return fetch(name, folder.name, lambda names: [*without_weights(names), *weight_files(folder, names)])


def cached(where: str) -> Path | None:
    """The snapshot of a model on the hub that an earlier session fetched; None if it is not here. Nothing is asked."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    name, _, revision = where.partition("@")
    try:
        return Path(snapshot_download(name, revision=revision or None, allow_patterns=[], local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, OSError):
        return None


def commit_of(folder: Path) -> str | None:
    """The commit that a folder in the hub's cache is a snapshot of; None for any other folder."""
    return folder.name if folder.parent.name == "snapshots" and _COMMIT.fullmatch(folder.name) else None


def source_of(folder: Path) -> str | None:
    """`org/name@commit` of a folder in the hub's cache; None for any other folder."""
    commit = commit_of(folder)
    return None if commit is None else f"{folder.parents[1].name.removeprefix('models--').replace('--', '/')}@{commit}"


def fetch(
    name: str, revision: str | None, choose: Callable[[Sequence[str]], Sequence[str]], kind: str = "model"
) -> Path:
    """The snapshot of a repository, with the files that `choose` takes from their list.

    A commit that is cached is not asked for again. Where the hub cannot be reached, what is cached is taken if it is
    whole.

    Errors: `NotThere`.
    """
    from huggingface_hub import snapshot_download  # only what is on the hub needs it

    listed = False
    try:
        names, offline = _listed(name, revision, kind)
        wanted, listed = [escape(file) for file in choose(names)], offline is None
        return Path(
            snapshot_download(
                name, repo_type=kind, revision=revision, allow_patterns=wanted, local_files_only=offline is not None
            )
        )
    except BadWeights:
        raise
    except Exception as error:  # of the hub, of the network, of the disk, without a common base
        raise NotThere(_reason(name, revision, kind, listed, error)) from error


def _listed(name: str, revision: str | None, kind: str) -> tuple[list[str], Exception | None]:
    """The files of a repository, and why the hub was not to be had if the list is that of the cache."""
    from huggingface_hub import HfApi, get_cached_repo_tree, snapshot_download
    from huggingface_hub.errors import CachedRepoTreeNotFoundError, LocalEntryNotFoundError

    def cached() -> list[str]:
        return [file.path for file in get_cached_repo_tree(name, repo_type=kind, revision=revision)]

    if revision is not None and _COMMIT.fullmatch(revision):
        try:
            return cached(), None
        except CachedRepoTreeNotFoundError:
            pass
    try:
        found = HfApi().repo_info(name, repo_type=kind, revision=revision, timeout=_PATIENCE)
        return [file.rfilename for file in getattr(found, "siblings", None) or []], None
    except Exception as error:
        try:
            folder = Path(
                snapshot_download(name, repo_type=kind, revision=revision, allow_patterns=[], local_files_only=True)
            )
        except LocalEntryNotFoundError:
            raise error from None
        try:
            return cached(), error
        except CachedRepoTreeNotFoundError:
            return list(files(folder)), error  # another program fetched it: whole, as far as can be told


def _reason(name: str, revision: str | None, kind: str, listed: bool, error: Exception) -> str:
    """What went wrong, in one line, and what to do about it."""
    from huggingface_hub import constants, errors

    hub, page = constants.ENDPOINT, f"{constants.ENDPOINT}/{'' if kind == 'model' else f'{kind}s/'}{name}"
    if isinstance(error, errors.GatedRepoError):
        return f"its owner hands it out on request only: ask at {page}, then log in with `hf auth login`"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"{hub} has no {kind} {name}, or it is private (then log in with `hf auth login`)"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{hub} has {name}, but no branch, tag or commit {revision} of it"
    if isinstance(error, errors.RemoteEntryNotFoundError):
        return f"{hub} lists a file of it that is not there ({error.response.url.path})"
    if isinstance(error, errors.HFValidationError):
        return f"no name on the hub looks like {name}; write org/name"
    causes = list(_causes(error))
    if any(isinstance(cause, errors.OfflineModeIsEnabled) for cause in causes) or constants.is_offline_mode():
        return "not in the local cache, or not whole, and HF_HUB_OFFLINE keeps the hub out"
    status = next((c.response.status_code for c in causes if isinstance(c, errors.HfHubHTTPError)), None)
    if status in (401, 403):
        return (
            f"{hub} does not let you have it (error {status}); ask for it at {page}, log in with `hf auth login`, or "
            "mend the token in HF_TOKEN"
        )
    if status is not None:
        return f"not in the local cache, and {hub} answers with error {status}; try again later"
    words = " ".join(str(causes[-1]).split()) or type(causes[-1]).__name__
    if listed:
        return f"its download from {hub} broke off ({words[:200]}); start again, and it goes on where it stopped"
    return (
        f"not in the local cache, and not to be had from {hub} ({words[:200]}); check the network, name a mirror in "
        "HF_ENDPOINT, or set HF_HUB_OFFLINE=1 where all is cached"
    )


def _causes(error: BaseException) -> list[BaseException]:
    """The exception and what it came from, the first cause last."""
    found: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and at not in found:
        found.append(at)
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
    return found
