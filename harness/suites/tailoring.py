"""The protocol of a suite: its own knobs with its own values beside those of every protocol, then the user's."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from harness.protocol.changed import knobs_of, with_setting
from harness.protocol.own import Own
from harness.protocol.protocol import Protocol
from harness.protocol.protocols import TAILORED, tailored
from harness.suites.base import Suite
from harness.suites.registry import near, owner_of


def protocol_of(
    protocol: Protocol, suite: Suite | None, tags: Collection[str], settings: Sequence[str] = ()
) -> Protocol:
    """The protocol as it is where these tags hold, with the user's `NAME=VALUE` settings on top.

    A knob of another suite is checked and changes nothing: one command may name several suites.
    """
    own = Own() if suite is None else suite.knobs()
    lines = TAILORED if suite is None else (*TAILORED, *suite.tailored)
    found = tailored(replace(protocol, own=own), tags, (), lines)
    for setting in settings:
        name, separator, _ = setting.partition("=")
        of_others = separator and "." not in name and name not in (*knobs_of(Protocol), *knobs_of(type(own)))
        if of_others and (owner := owner_of(name)) is not None:
            with_setting(replace(found, own=owner.knobs()), setting)
            continue
        found = with_setting(found, setting, [knob for other in near() for knob in knobs_of(other.knobs)])
    return found
