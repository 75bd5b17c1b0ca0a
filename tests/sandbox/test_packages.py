"""The stub packages and their repositories, as dpkg, apt and gpg see them."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from tests.sandbox.archive import Entry
from tests.sandbox.depot import digest_for
from tests.sandbox.packages import deb, docker_ce, module, nvidia, repository, toolkit
from tests.sandbox.packages.signing import ensure_key, sign
from tests.sandbox.packages.stub import stub
from tests.sandbox.shell import SandboxError

PARTS = nvidia.Parts(b"library " + nvidia.OWN_VERSION + bytes(nvidia.ROOM), b"tool", b"module")


def field(package: Path, name: str) -> str:
    command = ["dpkg-deb", "--field", str(package), name]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def written(directory: Path, content: bytes) -> Path:
    path = directory / "package.deb"
    path.write_bytes(content)
    return path


def test_dpkg_reads_what_we_write(tmp_path: Path) -> None:
    files = {"/usr/bin/tool": Entry(b"#!/bin/sh\n", 0o755), "/etc/tool.conf": Entry(b"a = 1\n")}
    package = written(tmp_path, deb.build(stub("tool", "1.0-1", depends="python3", files=files)))
    assert field(package, "Depends") == "python3"
    root = tmp_path / "root"
    subprocess.run(["dpkg-deb", "--extract", str(package), str(root)], check=True)
    assert (root / "etc/tool.conf").read_text() == "a = 1\n"
    assert (root / "usr/bin/tool").stat().st_mode & 0o777 == 0o755


def test_a_file_below_etc_is_a_conffile() -> None:
    content = deb.build(
        stub("tool", "1", files={"/etc/tool.conf": Entry(b""), "/usr/x": Entry(b"")})
    )
    assert deb.control_files(content)["conffiles"].content == b"/etc/tool.conf\n"


def test_each_driver_package_depends_on_its_own_version() -> None:
    packages = [package.control for package in nvidia.packages(PARTS)]
    drivers = [control for control in packages if control["Package"] == "nvidia-driver-cuda"]
    assert [control["Version"] for control in drivers] == list(nvidia.VERSIONS)
    for control in drivers:
        assert f"libnvidia-ml1 (= {control['Version']})" in control["Depends"]


def test_a_library_carries_its_own_version() -> None:
    [library] = [p for p in nvidia.driver("580.178.04-1", PARTS) if p.name == "libnvidia-ml1"]
    [(path, entry)] = library.files.items()
    assert path.endswith("libnvidia-ml.so.580.178.04")
    assert entry.content.rstrip(b"\0") == b"library " + nvidia.OWN_VERSION + b"580.178.04"


@pytest.mark.parametrize(("version", "there"), [("595.91.07-1", True), ("620.70.06-1", False)])
def test_the_proprietary_module_ends_with_its_last_branch(version: str, *, there: bool) -> None:
    names = {package.name for package in nvidia.driver(version, PARTS)}
    assert ("nvidia-kernel-dkms" in names) is there


def test_a_module_says_its_version() -> None:
    made = module.module(module.template(), "595.91.07")
    assert b"\0version=595.91.07\0" in made
    assert len(made) == len(module.template())


def test_a_pinning_package_pins_its_branch_and_leaves_the_toolkit_alone() -> None:
    (pin,) = nvidia.pinning("595").files.values()
    assert b"Pin: version 595*\nPin-Priority: 1000\n" in pin.content
    assert b"container-toolkit" not in pin.content


def test_toolkit_packages_come_in_lock_step() -> None:
    for version in toolkit.VERSIONS:
        for package in toolkit.toolkit(version):
            for wanted in package.control.get("Depends", "").split(", "):
                assert wanted in {"", "python3"} or wanted.endswith(f"(= {version})")


def debian(name: str, depends: str, path: str) -> bytes:
    """A package as Debian could have built it."""
    package = stub(name, "1.0-1", depends=depends, files={path: Entry(name.encode())})
    control = {**package.control, "Conflicts": "docker-ce", "Recommends": "git"}
    return deb.build(deb.Package(control, package.files, {"postinst": "#!/bin/sh\n"}))


def test_docker_comes_under_its_own_names(tmp_path: Path) -> None:
    sources = {
        "docker.io": debian(
            "docker.io", "adduser, containerd (>= 1.4~), runc", "/usr/sbin/dockerd"
        ),
        "docker-cli": debian("docker-cli", "libc6", "/usr/bin/docker"),
        "containerd": debian("containerd", "runc (>= 0.1~), libc6", "/usr/bin/containerd"),
        "runc": debian("runc", "libc6", "/usr/sbin/runc"),
    }
    made = {
        deb.control_of(content)["Package"]: content
        for content in docker_ce.packages("trixie", sources)
    }
    assert set(made) == set(docker_ce.versions("trixie"))
    engine = deb.control_of(made["docker-ce"])
    assert engine["Version"] == "5:28.5.1-1~debian.13~trixie"
    assert engine["Depends"] == "adduser, docker-ce-cli, containerd.io"
    assert engine["Conflicts"] == "docker.io"
    assert "Recommends" not in engine
    assert deb.control_files(made["docker-ce"])["postinst"].content == b"#!/bin/sh\n"
    package = written(tmp_path, made["containerd.io"])
    root = tmp_path / "root"
    subprocess.run(["dpkg-deb", "--extract", str(package), str(root)], check=True)
    assert (root / "usr/bin/containerd").exists()
    assert (root / "usr/sbin/runc").exists()


def test_the_index_names_size_and_digest() -> None:
    content = deb.build(stub("tool", "1.0-1"))
    (paragraph,) = repository.packages_index({"tool.deb": content}, "./").split("\n\n")
    control = deb.parse_control(paragraph)
    assert control["Filename"] == "./tool.deb"
    assert control["Size"] == str(len(content))
    assert control["SHA256"] == hashlib.sha256(content).hexdigest()


def test_gpg_verifies_a_signed_repository_and_refuses_a_changed_one(tmp_path: Path) -> None:
    release = repository.write_flat(tmp_path / "apt", [deb.build(stub("tool", "1"))], "Test")
    ensure_key(tmp_path / "secret.asc")
    public = tmp_path / "key.asc"
    fingerprint = sign(tmp_path / "secret.asc", [release], public)
    assert len(fingerprint) == 40
    keyring = tmp_path / "keyring.gpg"
    subprocess.run(["gpg", "--dearmor", "--output", str(keyring), str(public)], check=True)
    verify = [
        "gpgv",
        "--keyring",
        str(keyring),
        str(release.with_name("Release.gpg")),
        str(release),
    ]
    assert subprocess.run(verify, check=False, capture_output=True).returncode == 0
    release.write_text(release.read_text().replace("Test", "Evil"))
    assert subprocess.run(verify, check=False, capture_output=True).returncode != 0


def test_the_digest_is_that_of_the_name_that_was_pushed() -> None:
    known = ["127.0.0.1:1/stoker/x@sha256:old", "127.0.0.1:2/stoker/x@sha256:new"]
    assert digest_for("127.0.0.1:2/stoker/x", known) == "sha256:new"
    with pytest.raises(SandboxError, match="knows no digest of"):
        digest_for("127.0.0.1:3/stoker/x", known)
