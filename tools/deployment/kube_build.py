"""The programs of a real Kubernetes, built from their Go modules into a folder: what is there already is not built again."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import trio

from tools.deployment.compose import BUILD_SECONDS_MAX, Deployment

if TYPE_CHECKING:
    from pathlib import Path

KUBERNETES = "1.36.3"
"""The newest that `make k8s-check` knows the schemas of; etcd is of the version that it names."""
COREDNS = "1.14.1"
"""The newest that wants nothing newer than this Kubernetes does: all is one module, and what they share is compiled once."""
GO_BUILD_SECONDS_MAX = 4 * BUILD_SECONDS_MAX
"""Two busy cores take more than an hour for Kubernetes."""
OWN = "example.test/qpq-kube"
"""What our module is called: it only requires the real ones, and nobody downloads it."""

ETCD_MAIN = """\
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
"""
COREDNS_MAIN = """\
package main

import (
	"github.com/coredns/coredns/coremain"

	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/ready"
)

func main() { coremain.Run() }
"""
"""The plugins of the usual Corefile of a cluster, less those that ask name servers outside."""
PAUSE_MAIN = """\
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	<-ended
}
"""
"""Holds a pod's namespaces open, and does nothing else."""


PROGRAMS = {
    "pause": "./pause",
    "etcd": "./etcd",
    "coredns": "./coredns",
    **{
        name: f"k8s.io/kubernetes/cmd/{name}"
        for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
    },
}
"""Each program's file, and the package that it is built from."""


def stagings(gomod: str) -> list[str]:
    """Return the modules that Kubernetes' go.mod takes from beside it: their real versions have to be named."""
    return sorted(set(re.findall(r"^\s*(?:require )?(k8s\.io/\S+) v0\.0\.0\s*(?://.*)?$", gomod, re.MULTILINE)))


def kubernetes_gomod(gomod: str, version: str) -> str:
    """Return the go.mod of a module that requires Kubernetes; `gomod`: Kubernetes' own. `go install` refuses its replacements."""
    go = re.search(r"^go (\S+)", gomod, re.MULTILINE)
    assert go is not None
    staged = "".join(f"\t{name} => {name} v0.{version.partition('.')[2]}\n" for name in stagings(gomod))
    return f"module {OWN}\n\ngo {go[1]}\n\nrequire k8s.io/kubernetes v{version}\n\nreplace (\n{staged})\n"


def imports(packages: list[str]) -> str:
    """Return a file that imports programs' packages, so that `go mod tidy` keeps what they need."""
    lines = "".join(f'\t_ "{package}"\n' for package in packages)
    return f"//go:build tools\n\npackage tools\n\nimport (\n{lines})\n"


def stamp(version: str) -> str:
    """Return what the linker writes into the programs: clients ask for the version, and go by it."""
    major, minor, _ = version.split(".")
    at = "k8s.io/component-base/version"
    return f"-X {at}.gitVersion=v{version} -X {at}.gitMajor={major} -X {at}.gitMinor={minor}"


def sources(gomod: str) -> dict[str, str]:
    """Return the files of our module, by their paths; `gomod`: Kubernetes' own go.mod."""
    return {
        "go.mod": kubernetes_gomod(gomod, KUBERNETES),
        "tools.go": imports([package for package in PROGRAMS.values() if not package.startswith("./")]),
        "etcd/main.go": ETCD_MAIN, "coredns/main.go": COREDNS_MAIN, "pause/main.go": PAUSE_MAIN,
    }  # fmt: skip


def lacking(cache: Path) -> dict[str, str]:
    """Return the programs that are not built yet, and their packages."""
    return {name: package for name, package in PROGRAMS.items() if not (cache / name).exists()}


async def build(cache: Path) -> None:
    """Build what is missing of all programs into `cache`. ComposeFailed: Go's last lines."""
    folder, runner = cache / "module", Deployment("", {"CGO_ENABLED": "0"}, [])
    answer = await runner.call(
        "go", "mod", "download", "-json", f"k8s.io/kubernetes@v{KUBERNETES}", seconds_max=BUILD_SECONDS_MAX
    )
    gomod = await trio.Path(json.loads(answer)["GoMod"]).read_text()
    for path, text in sources(gomod).items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    here = ("go", "-C", str(folder))
    await runner.call(*here, "get", f"github.com/coredns/coredns@v{COREDNS}", seconds_max=BUILD_SECONDS_MAX)
    # -e: Kubernetes' tests import what nobody outside it can have.
    await runner.call(*here, "mod", "tidy", "-e", seconds_max=BUILD_SECONDS_MAX)
    for name, package in lacking(cache).items():
        await runner.call(
            *here, "build", "-trimpath", "-ldflags", f"-s -w {stamp(KUBERNETES)}", "-o", str(cache / name), package,
            seconds_max=GO_BUILD_SECONDS_MAX,
        )  # fmt: skip
