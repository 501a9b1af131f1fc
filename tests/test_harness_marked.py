"""Which suites run is known from settings, not from names of files: before the first import, and while collecting."""

from __future__ import annotations

import sys

import pytest

from harness.session import marked
from tests.small_world import Project

QUIET = ("-p", "no:cacheprovider", "--collect-only", "--model=tiny-encoder", "--method=simple")
ASKS = """
import pytest
from harness.suites import Setting

@pytest.mark.setting(Setting({suite!r}, "two", ("tec", "isear"), "all", heads=("same",)))
def test_two(question):
    question.ask()
"""


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        (ASKS.format(suite="emotion"), True),
        ("SOURCE = '@pytest.mark.setting(x)'\ndef test_it(): pass", False),
        ("# @pytest.mark.setting(x)\ndef test_it(): pass", False),
        ("import pytest\npytestmark = pytest.mark.setting(None)", True),
        ("def broken(:  # mark.setting", False),
    ],
)
def test_a_file_asks_where_its_code_carries_a_setting(text: str, asks: bool, pytester: pytest.Pytester) -> None:
    path = pytester.makepyfile(test_some=text)
    for word in (path.name, f"{path.name}::test_two", ".", str(path)):
        assert marked.asks(pytester.parseconfig("-p", "harness.plugin", word)) == asks, word


def test_folders_that_are_never_collected_ask_nothing(pytester: pytest.Pytester) -> None:
    for folder in (".hidden", "node_modules", "__pycache__"):
        pytester.mkdir(folder).joinpath("test_some.py").write_text(ASKS)
    pytester.makepyfile(helper=ASKS)
    assert not marked.asks(pytester.parseconfig("-p", "harness.plugin", "."))


def test_a_suite_in_a_package_is_named_by_the_package(
    project: Project, monkeypatch: pytest.MonkeyPatch, pytester: pytest.Pytester
) -> None:
    """A wrong word ends the session at once there too, whatever the file is called."""
    package = pytester.mkpydir("their_package")
    (package / "suite.py").write_text(ASKS.format(suite="emotion"))
    monkeypatch.syspath_prepend(pytester.path)
    for name in ("their_package", "their_package.suite"):
        wanted = ("-o", "python_files=suite.py", "--pyargs", name)
        result = pytester.runpytest_inprocess(*wanted, *QUIET, "--seeds=1", "-q")
        assert [line for line in result.outlines if "::" in line] == [
            "their_package/suite.py::test_two[tiny-encoder-s1-tec+isear-simple]"
        ]
        wrong = pytester.runpytest_inprocess(*wanted, *QUIET, "--set=epoch=3")
        assert wrong.ret == pytest.ExitCode.USAGE_ERROR and "Did you mean 'epochs'?" in wrong.stderr.str()
        wrong.stdout.no_fnmatch_line("*test session starts*")
        for module in [name for name in sys.modules if name.startswith("their_package")]:
            monkeypatch.delitem(sys.modules, module)


def test_a_suite_that_nobody_registered_is_a_wrong_word(project: Project) -> None:
    project.pytester.makepyfile(test_mine=ASKS.format(suite="emotoin"))
    result = project.pytester.runpytest_inprocess("test_mine.py", *QUIET)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in result.errlines if line.strip()]
    assert line.startswith("ERROR: no suite named 'emotoin'. Did you mean 'emotion'?")
    result.stdout.no_fnmatch_line("collected*")


def test_settings_that_are_added_while_collecting_are_met(project: Project) -> None:
    """No marker stands in the file: the command line is checked when the first one is met."""
    project.pytester.makepyfile(
        test_late="""
        import pytest
        from harness.suites.emotion.suite import PAIRWISE

        def test_two(question):
            question.ask()

        getattr(pytest.mark, "setting")(PAIRWISE)(test_two)
        """
    )
    listed = project.pytester.runpytest_inprocess("test_late.py", *QUIET, "--seeds=1", "-q")
    assert sum("::test_two[" in line for line in listed.outlines) == 10
    wrong = project.pytester.runpytest_inprocess("test_late.py", *QUIET, "--set=epoch=3")
    assert wrong.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in wrong.errlines if line.strip()]
    assert "Did you mean 'epochs'?" in line
