"""The zoo: each thing is made once, whole, by one process; what is damaged is named and never merged."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import safetensors
import torch

import harness.storage.zoo
from harness.errors import BadWeights
from harness.storage.zoo import RECIPE, Zoo, load_weights, require_finite, save_weights

WANTED = {"corpus": "isear", "seed": 1}

needs_fork = pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")


def writes(text: str, made: list[str] | None = None) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        assert list(folder.iterdir()) == [], "it gets an empty folder"
        (folder / "file").write_text(text)
        if made is not None:
            made.append(text)

    return make


def in_another_process(root: Path, make: Callable[[Path], None]) -> BaseProcess:
    """A process that asks the zoo for WANTED. Forked, because a fresh one would spend its life importing torch."""
    process = multiprocessing.get_context("fork").Process(target=Zoo(root).get, args=("members", WANTED, make))
    process.start()
    return process


# -- made once -------------------------------------------------------------------------------------------------------


def test_a_thing_is_made_once(tmp_path: Path) -> None:
    zoo, made = Zoo(tmp_path), list[str]()
    assert not zoo.has("members", WANTED)
    folder = zoo.get("members", WANTED, writes("first", made))
    assert zoo.has("members", WANTED) and folder == zoo.path("members", WANTED)
    assert Zoo(tmp_path).get("members", WANTED, writes("second", made)) == folder
    assert (folder / "file").read_text() == "first" and made == ["first"]


def test_another_recipe_or_kind_is_another_thing(tmp_path: Path) -> None:
    zoo = Zoo(tmp_path)
    places = {zoo.get("members", WANTED, writes("a")), zoo.get("gram", WANTED, writes("b"))}
    places.add(zoo.get("members", {**WANTED, "seed": 2}, writes("c")))
    assert len(places) == 3 and {(p / "file").read_text() for p in places} == {"a", "b", "c"}


def test_others_may_read_what_was_made(tmp_path: Path) -> None:
    assert Zoo(tmp_path).get("members", WANTED, writes("x")).stat().st_mode & 0o555 == 0o555


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failed_make_leaves_nothing_and_may_be_tried_again(error: type[BaseException], tmp_path: Path) -> None:
    zoo = Zoo(tmp_path)

    def fails(folder: Path) -> None:
        (folder / "half").write_text("")
        raise error("stopped")

    with pytest.raises(error, match="stopped"):
        zoo.get("members", WANTED, fails)
    assert not zoo.has("members", WANTED)
    assert [p.name for p in (tmp_path / "members").iterdir() if p.is_dir()] == []
    assert (zoo.get("members", WANTED, writes("whole")) / "file").read_text() == "whole"


@needs_fork
def test_a_killed_make_leaves_nothing_usable_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    def dies(folder: Path) -> None:
        (folder / "half").write_text("")
        os.kill(os.getpid(), signal.SIGKILL)

    killed = in_another_process(tmp_path, dies)
    killed.join(timeout=60)
    assert killed.exitcode == -signal.SIGKILL
    zoo = Zoo(tmp_path)
    assert not zoo.has("members", WANTED)
    leftover = [p for p in (tmp_path / "members").iterdir() if p.is_dir()]
    assert len(leftover) == 1 and (leftover[0] / "half").exists()
    other = tmp_path / "members" / ".0123456789abcdef-in-use"  # another recipe's, which may be at work
    other.mkdir()
    folder = zoo.get("members", WANTED, writes("whole"))
    assert sorted(p.name for p in folder.iterdir()) == ["file", RECIPE]
    assert not leftover[0].exists() and other.exists()


@needs_fork
def test_two_processes_make_it_once(tmp_path: Path) -> None:
    made = tmp_path / "made.txt"

    def slowly(folder: Path) -> None:
        with made.open("a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(0.3)

    running = [in_another_process(tmp_path / "zoo", slowly) for _ in range(3)]
    for process in running:
        process.join(timeout=60)
    assert [process.exitcode for process in running] == [0, 0, 0]
    assert len(made.read_text().split()) == 1 and Zoo(tmp_path / "zoo").has("members", WANTED)


def test_threads_make_it_once(tmp_path: Path) -> None:
    made: list[str] = []

    def slowly(folder: Path) -> None:
        time.sleep(0.05)
        made.append("made")

    threads = [threading.Thread(target=lambda: Zoo(tmp_path).get("members", WANTED, slowly)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == ["made"] and Zoo(tmp_path).has("members", WANTED)


def test_a_folder_without_its_recipe_is_named_and_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness.storage.zoo, "SETTLING", 0.01)
    zoo = Zoo(tmp_path)
    folder = zoo.get("members", WANTED, writes("x"))
    (folder / RECIPE).unlink()
    with pytest.raises(BadWeights, match=f"{folder} has no {RECIPE}.*delete it"):
        zoo.get("members", WANTED, writes("y"))
    assert (folder / "file").read_text() == "x", "nothing is deleted silently"


# -- weights that cannot be believed ---------------------------------------------------------------------------------


def weights() -> dict[str, torch.Tensor]:
    return {
        "b.weight": torch.arange(6.0).reshape(2, 3),
        "a": torch.tensor(1.5),
        "c": torch.ones(3, dtype=torch.bfloat16),
    }


def test_weights_come_back_bit_for_bit(tmp_path: Path) -> None:
    save_weights(weights(), tmp_path / "x.safetensors")
    found = load_weights(tmp_path / "x.safetensors")
    assert sorted(found) == ["a", "b.weight", "c"]
    assert all(torch.equal(found[n], w) and found[n].dtype == w.dtype for n, w in weights().items())


def test_a_view_is_saved_as_its_own_content(tmp_path: Path) -> None:
    whole = torch.arange(6.0).reshape(2, 3)
    save_weights({"turned": whole.T, "row": whole[1]}, tmp_path / "x.safetensors")
    found = load_weights(tmp_path / "x.safetensors")
    assert torch.equal(found["turned"], whole.T) and torch.equal(found["row"], whole[1])


@pytest.mark.parametrize("keep", [0, 5, 40, -1])
def test_a_truncated_file_is_named(keep: int, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_weights(weights(), path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BadWeights) as error:
        load_weights(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_what_is_named_for_deletion_is_what_must_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness.storage.zoo, "SETTLING", 0.01)
    zoo = Zoo(tmp_path)
    folder = zoo.get("members", WANTED, lambda f: save_weights(weights(), f / "model.safetensors"))
    (folder / "model.safetensors").write_bytes(b"")
    with pytest.raises(BadWeights, match=f"delete {folder} and it will be made again"):
        load_weights(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    with pytest.raises(BadWeights, match=f"delete {folder} and it will be made again"):
        load_weights(folder / "model.safetensors")


def test_a_disk_that_is_full_is_an_operating_system_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise safetensors.SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(harness.storage.zoo, "save_file", full)
    with pytest.raises(OSError, match=r"model\.safetensors cannot be written .*No space left"):
        save_weights(weights(), tmp_path / "model.safetensors")


@pytest.mark.parametrize(("value", "kind"), [(float("nan"), "NaN"), (float("inf"), "an infinite value")])
def test_a_parameter_that_is_not_finite_is_named(value: float, kind: str) -> None:
    bad = weights()
    bad["b.weight"][1, 2] = value
    with pytest.raises(BadWeights, match=rf"isear: b\.weight holds {kind}"):
        require_finite("isear", bad)
    require_finite("isear", weights())
    require_finite("isear", {"count": torch.tensor([2**62])})


@pytest.mark.parametrize("kind", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_large_numbers_are_finite_though_their_sum_is_not_and_infinities_that_cancel_are_not(kind: torch.dtype) -> None:
    large = torch.full((8,), torch.finfo(kind).max, dtype=kind)
    require_finite("isear", {"large": large})
    with pytest.raises(BadWeights, match="both holds"):
        require_finite("isear", {"large": large, "both": torch.tensor([1, -1], dtype=kind) * float("inf")})


def test_tensors_that_are_made_when_asked_for_are_told_apart(tmp_path: Path) -> None:
    class Made(dict[str, torch.Tensor]):
        def __getitem__(self, name: str) -> torch.Tensor:
            return torch.full((3,), float(ord(name)))

    save_weights(Made(dict.fromkeys("abcd", torch.empty(0))), tmp_path / "x.safetensors")
    assert {name: x[0].item() for name, x in load_weights(tmp_path / "x.safetensors").items()} == {
        name: float(ord(name)) for name in "abcd"
    }


def test_a_tensor_with_several_names_is_written_once(tmp_path: Path) -> None:
    shared = torch.arange(1000.0)
    save_weights({"b": shared, "a": shared, "c": shared.clone()}, tmp_path / "x.safetensors")
    assert (tmp_path / "x.safetensors").stat().st_size < 2.5 * shared.numel() * 4
    found = load_weights(tmp_path / "x.safetensors")
    assert found.keys() == {"a", "b", "c"} and all(torch.equal(x, shared) for x in found.values())
    assert found["a"] is found["b"]
