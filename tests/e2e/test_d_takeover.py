"""A host that was set up by hand with a tutorial's commands is brought over with its weights.

On a fleet of its own, so that it stays the way it was found until the deploy.
"""

import os
import subprocess
import sys
from collections.abc import Iterator

import msgspec
import pytest

from fleet.plan.document import Plan
from tests.e2e.test_1_refusals import assert_refused, untouched
from tests.e2e.tutorial import MODEL, TOKEN, Tutorial, Watch
from tests.e2e.world import REPOSITORY, World, wait_for
from tests.sandbox.fleet import Fleet

NAMED = ("--data", 'runtime_take_over=["tgi"]')
GAP = 120  # seconds: a busy machine
SHARD = "model-00002-of-00002.safetensors"


@pytest.fixture(scope="module")
def tutorial() -> Iterator[Tutorial]:
    fleet = Fleet("tutorial")
    fleet.down(purge=True)
    fleet.up()
    made = Tutorial(World(fleet))
    made.set_up()
    yield made
    fleet.down(purge=True)


def _plan(tutorial: Tutorial) -> Plan:
    models = str(tutorial.world.directory / "depot" / "hub")  # its name is not known here
    command = ["-m", "fleet.cli", "plan", str(tutorial.inventory()), "--json", "--models", models]
    done = subprocess.run(
        [sys.executable, *command],
        cwd=REPOSITORY,
        env={**os.environ, "STOKER_SANDBOX": str(tutorial.world.directory)},
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert TOKEN.encode() not in done.stdout + done.stderr
    return msgspec.json.decode(done.stdout, type=Plan)


def test_without_the_key_it_is_refused_and_nothing_changes(tutorial: Tutorial) -> None:
    with untouched(tutorial.world, tutorial.host):
        run = tutorial.world.deploy()
    assert_refused(run, "container tgi", "port 8080", "runtime_take_over = ('tgi',)")
    assert TOKEN not in run.output
    assert tutorial.answers(8080)


def test_the_plan_says_what_will_happen(tutorial: Tutorial) -> None:
    with untouched(tutorial.world, tutorial.host):
        made = _plan(tutorial)
    assert made.verdict == "changes", made
    [host] = made.hosts
    [taken] = host.takeovers
    [weights] = taken.weights
    assert (taken.container, taken.running, taken.engine) == ("tgi", True, "main")
    assert (taken.ports, taken.gpus) == (("0.0.0.0:8080",), "all (legacy)")
    assert taken.secrets == ("HUGGING_FACE_HUB_TOKEN",)
    assert (weights.repo, weights.commit) == (MODEL, tutorial.commit)
    assert weights.cache == "/root/data"
    assert weights.bytes > 250_000
    assert host.downloads == ()
    assert any("legacy hook" in warning for warning in host.warnings)
    [engine] = host.engines
    assert engine.gap is not None
    assert engine.gap.felt


def test_it_is_brought_over_with_its_weights(tutorial: Tutorial) -> None:
    tutorial.fetched()
    with Watch(tutorial) as watch:
        run = tutorial.world.deploy(*NAMED)
        wait_for("SERVING", lambda: tutorial.world.phase(tutorial.host) == "SERVING", 60)
    assert run.code == 0, run.output
    assert watch.refused < 5, "the old container did not answer although it was not stopped yet"
    assert watch.gap < GAP
    assert "it held HUGGING_FACE_HUB_TOKEN, for all to read: revoke" in run.output
    answer = tutorial.world.gateway(tutorial.host).chat("Are you still the same?")
    assert answer.status == 200
    assert tutorial.fetched() == []
    shared = tutorial.shell(f"find /var/lib/stoker/models -name '{SHARD}' -samefile "
                            f"$(readlink -f {tutorial.snapshot}/{SHARD})")  # fmt: skip
    assert shared, "the weights were copied, though they could be linked"


def test_what_the_tutorial_left_open_is_closed(tutorial: Tutorial) -> None:
    assert "tgi" not in tutorial.shell("docker ps -a --format '{{.Names}}'").split()
    assert not tutorial.answers(8080)
    listening = tutorial.shell("ss -Hltn sport = :8080 | awk '{ print $4 }'").split()
    assert listening == ["127.0.0.1:8080"]
    # By a pattern that does not find itself in its own command line.
    places = "cat /var/lib/docker/containers/*/*.json /proc/[0-9]*/environ 2>/dev/null; true"
    told = tutorial.shell(f"docker ps -aq | xargs docker inspect; {places}")
    assert "Tutorial" not in told
    assert tutorial.shell(f"ls {tutorial.snapshot}/")  # the old cache is the operator's


def test_a_second_run_finds_nothing_to_do(tutorial: Tutorial) -> None:
    run = tutorial.world.deploy(*NAMED)
    assert run.code == 0, run.output
    assert run.changed == []


def test_a_file_that_is_corrupt_in_the_cache_is_downloaded_again(tutorial: Tutorial) -> None:
    """By what the deploy runs, for weights that are gone."""
    world = tutorial.world
    token = (world.directory / "hf-token").read_text().strip()
    at = f"/var/lib/stoker/models/stoker--tiny-llama/{tutorial.commit}"
    tutorial.shell(
        f"rm -r {at}; f=$(readlink -f {tutorial.snapshot}/{SHARD}); "
        "printf x | dd of=$f bs=1 seek=100000 conv=notrunc 2>/dev/null; sha256sum $f >/root/sum"
    )
    tutorial.fetched()
    tutorial.shell(
        f"umask 077; mkdir -p /run/stoker/secrets/main; echo {token} "
        ">/run/stoker/secrets/main/hf-token; stoker-weights use main /root/data; "
        "systemctl start stoker-weights@main"
    )
    [path] = tutorial.fetched()
    assert path.endswith(SHARD)
    assert tutorial.shell("stoker-weights verify").startswith("good")
    tutorial.shell("sha256sum -c --quiet /root/sum")  # what lies in the cache is left as it is
