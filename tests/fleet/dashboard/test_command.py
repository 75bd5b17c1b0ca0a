"""`stoker dashboard` as it is typed: in a process of its own, until it is ended."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from fleet.render import ROOT
from tests.page import scenes
from tests.page.site import Site


async def begun(*words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fleet.cli", "dashboard", *words),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


def inventory(directory: Path, port: int) -> str:
    image, revision = "x@sha256:" + "a" * 64, "a" * 40
    data = {
        "driver_gpu_count": 1,
        "engine_image": image,
        "engine_model": "a/b",
        "engine_revision": revision,
        "agent_port": port,
        "agent_listen": "0.0.0.0",
    }
    hosts = [
        ("gpu-1", {**data, "ssh_hostname": "127.0.0.1"}),
        ("gpu-2", {**data, "ssh_hostname": "127.0.0.2", "agent_port": 1}),
        ("gpu-3", {**data, "ssh_hostname": "10.255.0.3", "agent_listen": "127.0.0.1"}),
        ("gpu-4", {**data, "agent_prot": 1}),
        ("other", data),
    ]
    path = directory / "hosts.py"
    path.write_text(f"hosts = {hosts!r}\n")
    return str(path)


async def test_it_shows_the_hosts_of_the_inventory(tmp_path: Path) -> None:
    site = Site()
    await site.start()
    site.show(scenes.healthy())
    path = inventory(tmp_path, site.port)
    process = await begun(path, "--limit", "gpu-*", "--listen", "127.0.0.1:0")
    assert process.stdout is not None
    async with asyncio.timeout(60):
        line = (await process.stdout.readline()).decode()
    assert line.startswith(f"4 nodes of {path}: http://127.0.0.1:"), line
    url = line.rpartition(": ")[2].strip()
    async with aiohttp.ClientSession() as http, asyncio.timeout(20):
        while True:
            nodes = (await (await http.get(f"{url}v1/fleet")).json())["nodes"]
            found = {one["name"]: one for one in nodes}
            if all(one["link"] != "asking" for one in nodes) and found["gpu-1"]["phase"]:
                break
            await asyncio.sleep(0.1)
    assert [one["name"] for one in nodes][-1] == "gpu-1"
    assert found["gpu-1"]["link"] == "fresh"
    assert found["gpu-2"]["problem"].endswith("Connection refused")
    assert "set agent_listen" in found["gpu-3"]["problem"]
    assert "agent_prot: unknown key" in found["gpu-4"]["problem"]
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(10):
        assert await process.wait() == 0
    await site.stop()


@pytest.mark.parametrize(("listen", "status"), [("127.0.0.1:0", 421), ("0.0.0.0:0", 200)])
async def test_it_answers_to_other_names_where_others_reach_it(
    tmp_path: Path, listen: str, status: int
) -> None:
    process = await begun(inventory(tmp_path, 1), "--listen", listen)
    assert process.stdout is not None
    async with asyncio.timeout(60):
        line = (await process.stdout.readline()).decode()
    url = line.rpartition(": ")[2].strip().replace("0.0.0.0", "127.0.0.1")
    async with aiohttp.ClientSession() as http, asyncio.timeout(20):
        answer = await http.get(f"{url}v1/fleet", headers={"Host": "desk.example"})
        assert answer.status == status, line
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(10):
        assert await process.wait() == 0


@pytest.mark.parametrize("listen", ["9760", "127.0.0.1:", "127.0.0.1:99999", "::1:9760"])
async def test_where_it_listens_must_be_said_in_full(tmp_path: Path, listen: str) -> None:
    process = await begun(inventory(tmp_path, 9750), "--listen", listen)
    out, error = await process.communicate()
    assert (process.returncode, out) == (2, b"")
    assert b"use ADDRESS:PORT, such as 127.0.0.1:9760 or [::1]:9760" in error


def test_pyinfra_and_its_patches_stay_out_of_the_dashboard() -> None:
    program = "import sys, fleet.dashboard.__main__; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not {"pyinfra", "gevent"} & set(done.stdout.split())
