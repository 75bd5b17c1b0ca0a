"""A host as a tutorial leaves it: Docker by hand, `docker run` with a token, weights beside it.

The legacy hook that `--gpus all` needs is a stub here: it does nothing, as there is no real GPU.
"""

import json
import os
import ssl
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

from tests.e2e.world import REPOSITORY, World, wait_for

TOKEN = "hf_" + "Tutorial" * 4
HUB_PORT = 8443
DATA = "/root/data"
MODEL = "stoker/tiny-llama"
DOCKER = """
export DEBIAN_FRONTEND=noninteractive
printf '#!/bin/sh\\n' >/usr/bin/nvidia-container-runtime-hook
chmod 755 /usr/bin/nvidia-container-runtime-hook
apt-get -qy --no-install-recommends install docker.io docker-cli iptables >/dev/null
docker pull -q IMAGE
"""
# What fills a cache of the Hub on any machine; its settings are read when it is imported.
FILL = (
    "import sys; from huggingface_hub import snapshot_download as get; "
    "get(sys.argv[1], revision=sys.argv[2], cache_dir=sys.argv[3])"
)


class Watch:
    """Asks on both ways, several times a second, while a block runs: the old port, the gateway.

    `refused` = the longest time in which the old container did not answer before it was gone;
    `gap` = seconds from its last answer to the first of the gateway.
    """

    def __init__(self, tutorial: "Tutorial") -> None:
        self._tutorial, self._over = tutorial, threading.Event()
        self._old: list[float] = []
        self._new: list[float] = []
        self._begun = time.monotonic()

    def __enter__(self) -> Self:
        self._threads = [
            threading.Thread(target=self._ask, args=one, daemon=True)
            for one in ((self._old, self._old_answers), (self._new, self._new_answers))
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(30)

    @property
    def refused(self) -> float:
        """See above."""
        return max(after - before for before, after in pairwise([self._begun, *self._old]))

    @property
    def gap(self) -> float:
        """See above."""
        return self._new[0] - self._old[-1]

    def _ask(self, answers: list[float], asked: Callable[[], bool]) -> None:
        while not self._over.wait(0.3):
            if asked():
                answers.append(time.monotonic())

    def _old_answers(self) -> bool:
        return self._tutorial.answers(8080)

    def _new_answers(self) -> bool:
        try:
            return self._tutorial.world.gateway(self._tutorial.host).chat("You?").status == 200
        except OSError:
            return False


class Tutorial:
    """The host and its depot."""

    def __init__(self, world: World) -> None:
        self.world, self.host = world, world.hosts[0]
        depot = json.loads((world.directory / "depot.json").read_text())
        self.image, self.commit = depot["images"]["tgi"], depot["models"][MODEL]
        self.hub = f"https://{world.fleet.layout.depot_address}:{HUB_PORT}"
        self.snapshot = f"{DATA}/models--{MODEL.replace('/', '--')}/snapshots/{self.commit}"

    def set_up(self) -> None:
        """Do as the tutorial says."""
        self.world.shell(self.host, DOCKER.replace("IMAGE", self.image), deadline=120)
        self._fill()
        self.world.shell(
            self.host,
            f"docker run -d --name tgi --gpus all --shm-size 1g -p 8080:80 --restart always "
            f"-e HUGGING_FACE_HUB_TOKEN={TOKEN} -v {DATA}:/data {self.image} "
            # The simulator asks no Hub: it serves a directory.
            f"--model-id {self.snapshot.replace(DATA, '/data')}",
        )
        wait_for("the tutorial's answer", lambda: self.answers(8080), 30)

    def answers(self, port: int) -> bool:
        """Say whether anybody answers on a port of the host, from outside."""
        url = f"http://{self.world.address(self.host)}:{port}/health"
        try:
            with urllib.request.urlopen(url, timeout=3) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def shell(self, command: str) -> str:
        """Run a shell command on the host as root."""
        return self.world.shell(self.host, command)

    def fetched(self) -> list[str]:
        """Return the paths of files that were asked of the Hub since it was last asked for them."""
        log = self._ask("GET", "/_sim/log")
        self._ask("DELETE", "/_sim/log")
        return [e["path"] for e in log if e["method"] == "GET" and "/resolve/" in e["path"]]

    def inventory(self) -> Path:
        """Write an inventory in which the container is named."""
        path = self.world.directory / "inventory.py"
        path.write_text(
            "import runpy as _runpy\n"
            f"_made = _runpy.run_path({str(REPOSITORY / 'inventory/sandbox.py')!r})\n"
            "hosts = [(n, {**d, 'runtime_take_over': ('tgi',)}) for n, d in _made['simulated']]\n"
        )
        return path

    def _fill(self) -> None:
        ca = str(self.world.directory / "ca.pem")
        token = (self.world.directory / "hf-token").read_text().strip()
        settings = {"HF_ENDPOINT": self.hub, "HF_TOKEN": token, "SSL_CERT_FILE": ca}
        with tempfile.TemporaryDirectory() as scratch:
            cache = Path(scratch) / "data"
            subprocess.run(
                [sys.executable, "-c", FILL, MODEL, self.commit, str(cache)],
                env={**os.environ, **settings, "HF_HUB_DISABLE_TELEMETRY": "1"},
                check=True, capture_output=True,
            )  # fmt: skip
            tar = Path(scratch) / "cache.tar"
            with tarfile.open(tar, "w") as made:
                made.add(cache, "data")
            config = str(self.world.directory / "ssh_config")
            with tar.open("rb") as content:
                command = ["ssh", "-F", config, self.host, "sudo tar -C /root -x"]
                subprocess.run(command, stdin=content, check=True, capture_output=True)

    def _ask(self, method: str, path: str) -> Any:
        trust = ssl.create_default_context(cafile=str(self.world.directory / "ca.pem"))
        request = urllib.request.Request(self.hub + path, method=method)
        with urllib.request.urlopen(request, timeout=10, context=trust) as answer:
            return json.load(answer)
