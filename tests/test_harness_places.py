"""Places to write to are tried before anything is trained, and the trial leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.session.places import require_file, require_folder
from methods.errors import MergeboardError
from tests.small_world import Project
from tests.test_harness_options import refused


def file_in_the_way(there: Path) -> Path:
    (there / "file").write_text("mine")
    return there / "file"


def below_a_file(there: Path) -> Path:
    return file_in_the_way(there) / "results"


def of_the_kernel(there: Path) -> Path:
    return Path("/proc/mergeboard/results")


def link_to_nowhere(there: Path) -> Path:
    (there / "link").symlink_to(there / "nowhere")
    return there / "link" / "results"


def link_to_itself(there: Path) -> Path:
    (there / "loop").symlink_to(there / "loop")
    return there / "loop"


def of_a_name_too_long(there: Path) -> Path:
    return there / "a" / ("x" * 300)


def of_a_path_too_long(there: Path) -> Path:
    return there / "/".join(["x" * 200] * 40)


WRONG = [
    *(file_in_the_way, below_a_file, of_the_kernel, link_to_nowhere, link_to_itself),
    *(of_a_name_too_long, of_a_path_too_long),
]


@pytest.mark.parametrize("make", WRONG)
def test_a_place_that_cannot_be_written_is_one_line(make: Callable[[Path], Path], tmp_path: Path) -> None:
    place = make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(MergeboardError, match=r"^--results .*: it cannot be written") as error:
        require_folder("--results", place)
    assert "\n" not in str(error.value) and sorted(tmp_path.rglob("*")) == before


def test_a_place_that_is_not_there_yet_is_not_made(tmp_path: Path) -> None:
    require_folder("--results", tmp_path / "a" / "b" / "c")
    require_folder("--results", tmp_path)
    require_file("--leaderboard", tmp_path / "a" / "page.md")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["results", "cache", "leaderboard"])
@pytest.mark.parametrize("make", [below_a_file, of_the_kernel])
def test_a_session_that_could_not_keep_anything_does_not_begin(
    option: str, make: Callable[[Path], Path], project: Project
) -> None:
    words = ["suites/", f"--{option}={make(project.path)}", "-p", "no:cacheprovider"]
    assert f"--{option} " in refused(project.pytester.runpytest_inprocess(*words))


def test_a_folder_for_a_file_is_refused(project: Project) -> None:
    words = ["suites/", f"--leaderboard={project.path}", "-p", "no:cacheprovider"]
    assert "it is a folder; name a file in it" in refused(project.pytester.runpytest_inprocess(*words))
