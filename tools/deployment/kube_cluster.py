"""A real Kubernetes of one node on this machine, in namespaces of its own: with their first process everything in them ends.

The first process waits for the end of its input, which is ours: it comes however we die. Beside the namespaces there are a pair of
interfaces (gone with the network's namespace), folders of cgroups, some settings of the kernel that the kubelet writes, and a
temporary folder; these are undone at the end.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
import time
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from tools.deployment.compose import COMMAND_SECONDS_MAX, LOOK_SECONDS, ComposeFailed, Deployment
from tools.deployment.kube_parts import (
    ADDRESS,
    CGROUP,
    CNI_FOLDERS,
    CNI_PLUGINS,
    COREDNS_IMAGE,
    INTERFACE,
    OUTSIDE,
    PAUSE_IMAGE,
    Parts,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

PART_SECONDS_MAX = 180
"""Until a part of the cluster answers, on a busy machine."""
END_SECONDS_MAX = 60
PROGRAMS = (
    "docker", "kubectl", "containerd", "containerd-shim-runc-v2", "ctr", "runc", "ip", "iptables", "nsenter", "unshare",
    "sysctl", "openssl",
)  # fmt: skip
SETTINGS = (
    "vm.overcommit_memory", "vm.panic_on_oom", "kernel.panic", "kernel.panic_on_oops", "kernel.keys.root_maxkeys",
    "kernel.keys.root_maxbytes",
)  # fmt: skip
"""What the kubelet sets, of what is not the network's namespace's own."""
CGROUPS = Path("/sys/fs/cgroup")
FIRST = r"""
set -e
read -r pid _ </proc/self/stat
mount -t proc proc /proc
for each in /run /var/lib /var/log; do mount -t tmpfs tmpfs "$each"; done
ip link set lo up
sysctl -qw net.ipv4.ip_forward=1
ip link add nowhere type bridge
ip link set nowhere up
echo "$pid"
cat
exit 0
"""
"""The first process: what the parts would write beside their folder is in memory; `cat` ends with our end of the pipe.

The shell stays (hence the last line): it takes leave of processes whose parents have died.
"""


def lacks() -> list[str]:
    """Return what this machine lacks for a cluster, a sentence each."""
    found = [] if os.geteuid() == 0 else ["it has to run as root: it makes namespaces, interfaces and cgroups"]
    found += [f"there is no {name} on the PATH" for name in PROGRAMS if shutil.which(name) is None]
    if plugins() is None:
        found.append(f"CNI's {', '.join(CNI_PLUGINS)} are nowhere (Debian: containernetworking-plugins)")
    if Path(f"/sys/class/net/{INTERFACE}").exists():
        found.append(f"the interface {INTERFACE} is there: another run has it")
    return found


def plugins() -> Path | None:
    """Return where CNI's plugins are."""
    return next((f for f in CNI_FOLDERS if all((f / name).exists() for name in CNI_PLUGINS)), None)


def controllers() -> list[Path]:
    """Return the roots of the cgroups: of each controller, or of all (cgroup v2)."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS]
    return [p for p in CGROUPS.iterdir() if p.is_dir() and not p.is_symlink() and p.name != "unified"]


@contextmanager
def cgroups(shares: int) -> Iterator[None]:
    """Hold the folders that all pods are in; `shares`: of the CPU, 0: as the system has it."""
    try:
        for root in controllers():
            inner = root / CGROUP
            inner.mkdir(exist_ok=True)
            for name in ("cpuset.cpus", "cpuset.mems"):
                if (inner / name).exists() and (root / name).exists():
                    (inner / name).write_text((root / name).read_text())
            if shares and (inner / "cpu.shares").exists():
                (inner / "cpu.shares").write_text(str(shares))
        yield
    finally:
        # With cgroup v1, containers have folders beside the controllers' too.
        for root in {*controllers(), CGROUPS / "unified"}:
            for path, _, _ in os.walk(root / CGROUP, topdown=False):
                with suppress(OSError):
                    Path(path).rmdir()


@contextmanager
def settings_kept() -> Iterator[None]:
    """Put the kernel's settings back in the end."""
    files = {name: Path("/proc/sys", *name.split(".")) for name in SETTINGS}
    before = {name: file.read_text() for name, file in files.items() if file.exists()}
    try:
        yield
    finally:
        for name, value in before.items():
            if files[name].read_text() != value:
                files[name].write_text(value)


@dataclass
class Cluster:
    """A cluster that runs."""

    parts: Parts
    first: int
    """The id of the first process of its namespaces."""
    runner: Deployment
    """Calls programs outside, kubectl among them."""
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def inside(self, *words: str) -> list[str]:
        """Return how a program is called in the namespaces."""
        return ["nsenter", f"--target={self.first}", "--net", "--mount", "--pid", "--", *words]

    async def within(self, *words: str, seconds_max: float = COMMAND_SECONDS_MAX) -> str:
        """Run a program in the namespaces; return what it prints. ComposeFailed."""
        return await self.runner.call(*self.inside(*words), seconds_max=seconds_max)

    async def kubectl(self, *words: str, seconds_max: float = COMMAND_SECONDS_MAX) -> str:
        """Give a command to kubectl, which is outside; return what it prints. ComposeFailed."""
        return await self.runner.call("kubectl", *words, seconds_max=seconds_max)

    async def ctr(self, *words: str) -> str:
        """Give a command to containerd, about the pods' containers. ComposeFailed."""
        return await self.within("ctr", "-a", str(self.parts.containerd), "-n", "k8s.io", *words)

    def proc(self, pid: int) -> Path:
        """Return what the kernel says of a process in the namespaces, by its id there."""
        return Path("/proc", str(self.first), "root", "proc", str(pid))

    def start(self, name: str) -> None:
        """Start a part."""
        here = self.parts.programs / name
        program = str(here) if here.exists() else name
        with (self.parts.work / f"{name}.log").open("wb") as log:
            self.running[name] = subprocess.Popen(  # noqa: S603 - ours, or from the PATH
                self.inside(program, *self.parts.arguments()[name]),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    async def answers(self, name: str, *words: str) -> None:
        """Wait until a program succeeds that shows that a part works. ComposeFailed."""
        until = time.monotonic() + PART_SECONDS_MAX
        while True:
            try:
                await self.runner.call(*words)
            except ComposeFailed as exc:
                if self.running[name].poll() is not None or time.monotonic() > until:
                    raise ComposeFailed(f"{name} does not answer: {exc}\n{self.last(name)}") from None
                await trio.sleep(LOOK_SECONDS)
            else:
                return

    def last(self, name: str, lines: int = 15) -> str:
        """Return the last lines of a part's log."""
        return "\n".join((self.parts.work / f"{name}.log").read_text(errors="replace").splitlines()[-lines:])

    def dead(self) -> list[str]:
        """Return the parts that have ended by themselves."""
        return [name for name, process in self.running.items() if process.poll() is not None]

    async def images(self, *names: str) -> None:
        """Bring images of the Docker engine into containerd."""
        file = self.parts.work / "images.tar"
        await self.runner.call("docker", "save", "-o", str(file), *names)
        await self.ctr("images", "import", str(file))
        file.unlink()

    async def own_images(self) -> None:
        """Make images of the programs that run in pods; containerd has them then."""
        for name, image in (("pause", PAUSE_IMAGE), ("coredns", COREDNS_IMAGE)):
            file = self.parts.work / f"{name}.tar"
            await self.runner.call("tar", "-C", str(self.parts.programs), "-cf", str(file), name)
            await self.runner.call("docker", "import", "-c", f'ENTRYPOINT ["/{name}"]', str(file), image)
            file.unlink()
        await self.images(PAUSE_IMAGE, COREDNS_IMAGE)


async def connect(cluster: Cluster) -> None:
    """Lay the pair of interfaces; inside, what is for nobody goes nowhere."""
    inner = f"{INTERFACE}-in"
    call = cluster.runner.call
    await call("ip", "link", "add", INTERFACE, "type", "veth", "peer", "name", inner, "netns", str(cluster.first))
    await call("ip", "address", "add", f"{OUTSIDE}/30", "dev", INTERFACE)
    await call("ip", "link", "set", INTERFACE, "up")
    await cluster.within("ip", "address", "add", f"{ADDRESS}/30", "dev", inner)
    await cluster.within("ip", "link", "set", inner, "up")
    await cluster.within("ip", "route", "add", "default", "dev", "nowhere", "src", ADDRESS)


async def bring_up(cluster: Cluster) -> None:
    """Start all parts, each once what it needs is there. ComposeFailed."""
    work = cluster.parts.work
    for path, text in cluster.parts.files(secrets.token_hex(16)).items():
        file = work / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o600)
    (work / "volume").mkdir(mode=0o700)
    (work / "resolv.conf").chmod(0o644)
    await cluster.runner.call("openssl", "genrsa", "-out", str(work / "certs/sa.key"), "2048")
    await connect(cluster)
    cluster.start("containerd")
    cluster.start("etcd")
    cluster.start("kube-apiserver")
    await cluster.answers("containerd", *cluster.inside("ctr", "-a", str(cluster.parts.containerd), "version"))
    await cluster.own_images()
    await cluster.answers("kube-apiserver", "kubectl", "get", "--raw=/readyz")
    for name in ("kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"):
        cluster.start(name)
    await cluster.answers("kubelet", "kubectl", "wait", "--for=condition=Ready", "node", "--all", "--timeout=5s")
    await cluster.kubectl("apply", "-f", str(work / "cluster.yaml"))
    await cluster.answers(
        "kubelet", "kubectl", "-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=5s"
    )


@contextmanager
def namespaces() -> Iterator[int]:
    """Hold namespaces for the network, mounts and processes; gives the id of their first process. ComposeFailed."""
    with subprocess.Popen(  # noqa: S603 - as it stands here
        ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=KILL", "bash", "-c", FIRST],  # noqa: S607 - from the PATH
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
    ) as holder:  # fmt: skip
        assert holder.stdin is not None
        assert holder.stdout is not None
        try:
            line = holder.stdout.readline()
            if not line.strip().isdigit():
                raise ComposeFailed("the namespaces could not be made: see above")
            yield int(line)
        finally:
            holder.stdin.close()
            try:
                holder.wait(END_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                holder.kill()
            subprocess.run(["ip", "link", "delete", INTERFACE], capture_output=True, check=False)  # noqa: S603, S607 - from the PATH


@contextmanager
def folder() -> Iterator[Path]:
    """Hold a temporary folder; containers' files are of many users."""
    work = Path(tempfile.mkdtemp(prefix="qpq-kube-"))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


@asynccontextmanager
async def running(programs: Path, shares: int) -> AsyncIterator[Cluster]:
    """Hold a cluster: nothing of it is left afterwards. ComposeFailed, if it does not come up.

    The end waits without giving way: nothing else runs by then, and nothing may cut it short.
    """
    network = plugins()
    assert network is not None
    with settings_kept(), folder() as work, cgroups(shares), namespaces() as first:
        parts = Parts(programs, work, network)
        cluster = Cluster(parts, first, Deployment("", {"KUBECONFIG": str(parts.kubeconfig)}, []))
        await bring_up(cluster)
        yield cluster
