"""What takes long is told, also by workers, which have no terminal of their own (a session of them: failures)."""

from __future__ import annotations

import threading
import time

from harness.session import voice


def test_lines_of_several_workers_are_heard_whole_and_each_once() -> None:
    heard: list[str] = []
    ears = voice.Ears(heard.append)
    said = [f"worker {w} says {'a long line ' * 20}, number {i}" for w in range(4) for i in range(50)]
    threads = [
        threading.Thread(target=lambda w: [voice.send(ears.file, s) for s in (*said[w::4], "all say this")], args=(w,))
        for w in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ears.close()
    assert sorted(heard) == sorted([*said, "all say this"])
    assert not ears.file.exists()
    voice.send(ears.file, "too late")
    assert not ears.file.exists(), "nobody listens, and nothing is left"


def test_a_line_is_heard_while_the_work_goes_on() -> None:
    heard: list[str] = []
    ears = voice.Ears(heard.append)
    voice.send(ears.file, "fine-tuning")
    end = time.monotonic() + 20
    while not heard and time.monotonic() < end:
        time.sleep(0.01)
    assert heard == ["fine-tuning"]
    ears.close()
