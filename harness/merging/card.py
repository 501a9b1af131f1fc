"""The card of a streamed merge: what it was made of, by which formula, and the hashes of its files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCardData

from harness.export.names import shown
from harness.streaming.agreed import Agreed
from harness.streaming.merge import Made
from methods.catalogue import BUILT_IN

LINEAGE = "mergeboard.json"


@dataclass(frozen=True, eq=False)
class Facts:
    """What the card says."""

    said: Sequence[str]  # the words of the command line
    method: Mapping[str, Any]
    base: str | None
    members: Mapping[str, str]  # name -> where it lies
    models: Agreed
    made: Made
    seed: int


def write_card(folder: Path, facts: Facts) -> None:
    """Write README.md, and the same for programs."""
    (folder / "README.md").write_text(_card(facts), encoding="utf-8")
    text = json.dumps(_lineage(facts), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    (folder / LINEAGE).write_text(text, encoding="utf-8")


def _lineage(facts: Facts) -> dict[str, Any]:
    """Folders by their last names: where they lie on this machine is nobody's matter."""
    return {
        "method": dict(facts.method),
        "seed": facts.seed,
        "base": None if facts.base is None else _last(facts.base),
        "members": {name: _last(where) for name, where in facts.members.items()},
        "sha256": dict(facts.made.hashes),
        "merged without the base": facts.models.averaged if facts.base is not None else [],
        "second names, left out": list(facts.models.left_out),
    }


def _card(facts: Facts) -> str:
    places = [*([facts.base] if facts.base is not None else []), *facts.members.values()]
    repositories = [_last(where).partition("@")[0] for where in places if not Path(where).is_dir()]
    name = facts.method["name"]
    front = ModelCardData(
        base_model=list(dict.fromkeys(repositories)) or None,
        base_model_relation="merge" if repositories else None,
        library_name="transformers",
        tags=["mergeboard", "merge", name],
    )
    rows = [] if facts.base is None else [("base", shown(_last(facts.base)))]
    rows += [(f"member {shown(name)}", shown(_last(where))) for name, where in facts.members.items()]
    table = "\n".join(f"| {who} | {where} |" for who, where in rows)
    hashes = "\n".join(f"| {file} | `{digest}` |" for file, digest in facts.made.hashes.items())
    recipe = json.dumps(dict(facts.method), indent=1, ensure_ascii=False)
    drawn = "" if name in BUILT_IN else f"Seed {facts.seed}.\n\n"  # what we have draws by its options alone
    return (
        f"---\n{front.to_yaml()}\n---\n\n# A merge by {name}\n\n"
        "Made by mergeboard from files to files, without an exam: nothing here says how good it is.\n\n"
        f"## Comes from\n\n| | |\n| --- | --- |\n{table}\n\n"
        f"## How it was made\n\n```json\n{recipe}\n```\n\n{drawn}"
        f"## Files\n\n| file | sha256 |\n| --- | --- |\n{hashes}\n"
    )


def _last(where: str) -> str:
    """A folder's last name; a name of the hub's as it is."""
    return Path(where).name if Path(where).is_dir() else where
