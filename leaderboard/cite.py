"""How to cite this project and its records: BibTeX and CITATION.cff, made from what pyproject.toml says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

FILE, METADATA = Path("CITATION.cff"), Path("pyproject.toml")
FORMATS = ("bibtex", "cff")


def citation(root: Path, form: str = "bibtex") -> str:
    """The citation in one of FORMATS. Errors: `ValueError` where the metadata are not at hand."""
    project = _project(root)
    return _bibtex(project) if form == "bibtex" else _cff(project)


def _project(root: Path) -> dict[str, str]:
    path = root / METADATA
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        return {
            "name": str(told["name"]),
            "version": str(told["version"]),
            "says": str(told["description"]),
            "license": str(told["license"]),
            "author": " and ".join(str(author["name"]) for author in told["authors"]),
            "url": str(told.get("urls", {}).get("Repository", "")),
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: does not say what a citation needs ({error})") from None


def _bibtex(told: dict[str, str]) -> str:
    fields = {
        "title": f"{{{told['name']}}}: {_tex(told['says'])}",
        "author": f"{{{_tex(told['author'])}}}",  # a group is one name
        "version": told["version"],
        "note": f"Software and records, {told['license']}",
    } | ({"url": told["url"]} if told["url"] else {})
    inner = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
    return f"@software{{{told['name']},\n{inner}\n}}\n"


def _cff(told: dict[str, str]) -> str:
    lines = {
        "cff-version": "1.2.0",
        "message": "If you use mergeboard or its records, please cite it as below and name the commit.",
        "type": "software",
        "title": told["name"],
        "abstract": told["says"],
        "version": told["version"],
        "license": told["license"],
    } | ({"repository-code": told["url"]} if told["url"] else {})
    said = "".join(f"{name}: {_quoted(value)}\n" for name, value in lines.items())
    return f"{said}authors:\n  - name: {_quoted(told['author'])}\n"


def _quoted(value: str) -> str:
    return value if re.fullmatch(r"\d+\.\d+\.\d+|[a-z]+", value) else "'" + value.replace("'", "''") + "'"


def _tex(value: str) -> str:
    return re.sub(r"([&%$#_{}])", r"\\\1", value)
