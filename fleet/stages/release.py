"""release: what this run converges to, laid first, and made current when the host is there.

It is laid before anything reads it: the model stage fetches what its spec says. Traffic notices
neither.
"""

import time
from functools import cache

import msgspec
from pyinfra.api.deploy import deploy

from agent.releases import About
from agent.spec import HostSpec
from fleet.disruption import Disruption
from fleet.facts.bare import Bare
from fleet.operations.release import release_current, release_laid
from fleet.release import given, wanted

DISRUPTION = Disruption.NONE


@deploy("release")
def lay(spec: HostSpec, found: Bare) -> None:
    """Lay the release on the node; a node that converges by itself has it already."""
    if given.release() is None:
        release_laid(name="lay the release", spec=spec, about=about(spec, found.python))


@deploy("release")
def apply(spec: HostSpec, found: Bare) -> None:
    """Make it the current one, last of all."""
    release_current(
        name="make the release current",
        about=about(spec, found.python),
        keep=spec.rollout.keep,
    )


def about(spec: HostSpec, python: str) -> About:
    """Return what this run converges to, the same for the whole run."""
    here = given.release()
    if here is not None:
        return msgspec.json.decode((here / "about.json").read_bytes(), type=About)
    return wanted.about(spec, python, _begun())


@cache
def _begun() -> float:
    """Return when this run began: all its hosts get a release of the same time."""
    return time.time()
