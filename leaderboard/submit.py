"""A branch of git with one's records, to be offered: checked first, made beside the working tree, pushed by nobody.

Everything happens in a work tree of its own, which is removed again: the files that one is working on are never
touched, and where anything fails nothing is left.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

from harness.records.git import git
from harness.records.record import RunRecord, Store
from leaderboard import audit, publish, text
from leaderboard.audit.marks import misgraded
from leaderboard.tables.answers import files_named_by, gold_of
from leaderboard.tables.said import said

NAMED = re.compile(r"(?!refs/)[A-Za-z0-9][A-Za-z0-9._/-]{0,99}")

TOUCHED = (publish.PUBLISHED.as_posix(), "docs", "README.md")


class Refused(ValueError):
    """Nothing was submitted; each line says why, and what to do."""

    @property
    def lines(self) -> list[str]:
        """One for each thing that is wrong."""
        return str(self).splitlines()


def submit(root: Path, local: Store, name: str = "") -> list[str]:
    """Make the branch. Gives lines for what was made and what is left to do.

    Args:
        root: a checkout whose tree is clean.
        local: the store with the records.
        name: the branch; "" for one that is named by model and by what the records hold.

    Errors: `Refused`.
    """
    if name and not NAMED.fullmatch(name):
        raise Refused(
            f"--name={text.plain(name)}: wanted letters, digits, dots, dashes and slashes, up to 100, not refs/..."
        )
    _require_clean(root)
    new = _new(root, local)
    branch = name or _named_by(new)
    if git(root, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}").returncode == 0:
        raise Refused(
            f"there is a branch {branch} already; give this one another name with --name, or remove that one: "
            f"git worktree prune && git branch -D {branch}"
        )
    unknown = {commit[:50] for commit in set(map(_commit, new)) if not _known(root, commit)}
    message = f"{len(new)} {'record' if len(new) == 1 else 'records'} of {_models(new)}\n\n{checklist(new, unknown)}"
    try:
        with tempfile.TemporaryDirectory(prefix="mergeboard-", ignore_cleanup_errors=True) as folder:
            try:
                message = _committed(root, Path(folder) / "tree", branch, local, message)
            finally:  # this one alone: others may lie on a disk that is away
                git(root, "worktree", "remove", "--force", str(Path(folder) / "tree"))
    except BaseException as error:
        git(root, "branch", "-D", branch)
        if isinstance(error, OSError):
            raise Refused(f"the branch cannot be written: {error}") from None
        raise
    return [
        f"branch {branch}: {message}",
        f"Nothing was pushed. Look at it with: git show --stat {branch}",
        f"Offer it with: git push -u origin {branch}, and open a pull request with the list above.",
    ]


def _committed(root: Path, work: Path, branch: str, local: Store, message: str) -> str:
    """Make the commit in a work tree of its own; the message that it has in the end."""
    _do(root, "worktree", "add", "--quiet", "-b", branch, str(work), "HEAD")
    refused = publish.publish(work, local)[1]
    if refused:
        raise Refused("\n".join(refused))
    if untrue := len(publish.untrue(work)):
        told = f"{untrue} {'number' if untrue == 1 else 'numbers'}"
        message += f"- [ ] docs/findings.md says what records do not, in {told}; a sentence is to be written anew\n"
    there = [path for path in TOUCHED if (work / path).exists()]
    _do(work, "add", "--all", "--force", *there)  # whatever this machine's git leaves out
    _do(work, "commit", "--quiet", "-m", message)
    left = git(work, "status", "--porcelain", "--ignored", "--", *there).stdout.splitlines()
    if left:
        raise Refused(f"git left {left[0][3:]} out of the commit; look at its settings: git check-ignore, git config")
    return message


def _commit(record: RunRecord) -> str:
    """The commit that made it, `-dirty` where the tree had changes."""
    return text.plain(str(record.environment.get("commit")))


def _known(root: Path, commit: str) -> bool:
    """Whether this checkout has such a commit."""
    plain = commit.removesuffix("-dirty")
    named = re.fullmatch("[0-9a-f]{4,64}", plain)
    return bool(named) and git(root, "cat-file", "-e", f"{plain}^{{commit}}").returncode == 0


def checklist(new: Sequence[RunRecord], unknown: Collection[str] = ()) -> str:
    """What was checked, and what only the person who submits can say.

    Args:
        unknown: commits of records that the checkout does not have.
    """
    beside = {path.parts[0] for record in new for path in files_named_by(record)}
    texts = "what models wrote, word by word" if "texts" in beside else "no texts"
    named = {_commit(record) for record in new}
    commits = sorted({commit[:12] for commit in named})
    done = [
        "every record hashes to its name, and its predictions give its scores again",
        f"each names its command and its commit: {text.listed(commits)}",
        "the pages are what the records say",
    ]
    open_ = [
        f"what is in it may be published: scores, gold labels as numbers, {texts}",
        "the models and data can be had by others, or it is said where they are",
        "the machine did nothing else that would make the costs too high, or it is said",
    ]
    if unknown:
        open_.append(f"where these commits are, which this checkout does not have: {text.listed(sorted(unknown))}")
    open_ += ["why it was run from a tree with changes"] if any(commit.endswith("-dirty") for commit in named) else []
    return "".join([*(f"- [x] {line}\n" for line in done), *(f"- [ ] {line}\n" for line in open_)])


def _new(root: Path, local: Store) -> list[RunRecord]:
    """The records that are not published yet. Errors: `Refused` if there is none, or one does not hold up."""
    found, known = audit.load(local), gold_of(local)
    published = audit.load(Store(root / publish.PUBLISHED))
    told = audit.told_first(published.records, found.records)
    wrong, new = [*found.damaged, *found.foreign], []
    for record in found.records:
        if record.path not in published.places:
            new.append(record)
            wrong += [*audit.unlikely(record), *audit.disguised(record, told)]
            wrong += [*audit.reproduce(record, known), *misgraded(record, known, local)]
    if wrong:
        raise Refused("\n".join(f"{text.plain(line)}; nothing was submitted" for line in wrong))
    if not new:
        raise Refused(f"no record of {local.root} is new; {_otherwise(found.records, published)}")
    return new


def _otherwise(mine: Sequence[RunRecord], published: audit.Loaded) -> str:
    """Whether what is published says the same as one's own records."""
    scores = {record.path: record.score for record in published.records}
    apart = [record for record in mine if abs(record.score - scores[record.path]) > audit.APART]
    if not apart:
        return "everything in it is published already"
    first = f"{apart[0].path} scores {apart[0].score:.4f}, and {scores[apart[0].path]:.4f} as it is published"
    more = f", and {len(apart) - 1} more like it" if len(apart) > 1 else ""
    return f"but {first}{more}: look at what differs; who replaces a published record removes its file first"


def _named_by(new: Sequence[RunRecord]) -> str:
    digest = hashlib.sha256("\n".join(sorted(record.key for record in new)).encode()).hexdigest()[:8]
    model = re.sub(r"[^A-Za-z0-9]+", "-", new[0].model).strip("-")[:40] or "model"
    return f"records/{model}-{digest}"


def _models(new: Sequence[RunRecord]) -> str:
    models = text.listed(sorted({text.plain(record.model) for record in new}))
    return f"{models} on {text.listed(sorted({text.plain(said(record).suite) for record in new}))}"


def _require_clean(root: Path) -> None:
    try:
        found = git(root, "status", "--porcelain")
    except OSError as error:
        raise Refused(f"git cannot be run ({error.strerror}); install it first") from None
    if found.returncode:
        raise Refused(f"{root.absolute()} is no checkout of git; clone the repository and work there")
    if inside := git(root, "rev-parse", "--show-prefix").stdout.strip():
        raise Refused(f"{root.absolute()} is {inside} of a checkout; run this at the checkout's own root")
    if git(root, "config", "--bool", "core.sparseCheckout").stdout.strip() == "true":
        raise Refused("the checkout is sparse, and pages want all records: git sparse-checkout disable, then again")
    if changed := found.stdout.splitlines():
        rest = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise Refused(f"the tree has changes ({changed[0][3:]}{rest}); commit or stash them first: git stash -u")


def _do(root: Path, *words: str) -> None:
    done = git(root, *words)
    if done.returncode:
        lines = (done.stderr or done.stdout).splitlines()
        found = [line for line in lines if line.startswith(("fatal:", "error:"))] or lines
        raise Refused(f"git {words[0]} failed: {' '.join(' '.join(found).split()):.300}")
