"""The programs of a real Kubernetes, built from their Go modules into a folder: what is there already is not built again."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

from tools.deployment.compose import BUILD_SECONDS_MAX, Deployment

if TYPE_CHECKING:
    from pathlib import Path

KUBERNETES = "1.36.3"
"""The newest that `make k8s-check` knows the schemas of."""
ETCD = "3.6.16"
COREDNS = "1.15.0"
GO_BUILD_SECONDS_MAX = 4 * BUILD_SECONDS_MAX
"""Two busy cores take more than an hour for Kubernetes."""
GO_DIRECTIVE = "1.26.0"
OWN = "example.test/qpq-kube"
"""What our modules are called: they only require the real ones, and nobody downloads them."""

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


@dataclass(frozen=True, slots=True)
class Module:
    """A Go module of ours, whose programs are those of the modules that it requires."""

    folder: str
    programs: dict[str, str]
    """Each program's file, and the package that it is built from."""
    sources: dict[str, str] = field(default_factory=dict)
    """Files of our own, by their paths in the module."""
    requires: str = ""
    """A module and its version, for `go get`; none: `sources` have a go.mod."""
    stamp: str = ""
    """What the linker writes into the programs."""


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


def kubernetes(gomod: str) -> Module:
    """Return the module of Kubernetes' five programs."""
    names = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
    packages = {name: f"k8s.io/kubernetes/cmd/{name}" for name in names}
    major, minor, _ = KUBERNETES.split(".")
    at = "k8s.io/component-base/version"
    return Module(
        "kubernetes", packages,
        {"go.mod": kubernetes_gomod(gomod, KUBERNETES), "tools.go": imports(list(packages.values()))},
        stamp=f"-X {at}.gitVersion=v{KUBERNETES} -X {at}.gitMajor={major} -X {at}.gitMinor={minor}",
    )  # fmt: skip


OTHERS = (
    Module("etcd", {"etcd": "./etcd"}, {"etcd/main.go": ETCD_MAIN}, f"go.etcd.io/etcd/server/v3@v{ETCD}"),
    Module(
        "coredns", {"pause": "./pause", "coredns": "./coredns"},
        {"coredns/main.go": COREDNS_MAIN, "pause/main.go": PAUSE_MAIN}, f"github.com/coredns/coredns@v{COREDNS}",
    ),
)  # fmt: skip


def lacking(cache: Path, module: Module) -> dict[str, str]:
    """Return the module's programs that are not built yet."""
    return {name: package for name, package in module.programs.items() if not (cache / name).exists()}


async def build(cache: Path) -> list[str]:
    """Build what is missing of all programs into `cache`; return their names. ComposeFailed: Go's last lines."""
    runner, built = Deployment("", {"CGO_ENABLED": "0"}, []), list[str]()
    cache.mkdir(parents=True, exist_ok=True)
    answer = await runner.call("go", "mod", "download", "-json", f"k8s.io/kubernetes@v{KUBERNETES}")
    gomod = await trio.Path(json.loads(answer)["GoMod"]).read_text()
    for module in (*OTHERS, kubernetes(gomod)):
        programs = lacking(cache, module)
        if not programs:
            continue
        folder = write(cache, module)
        if module.requires:
            await runner.call("go", "-C", str(folder), "get", module.requires, seconds_max=BUILD_SECONDS_MAX)
        # -e: Kubernetes' tests import what nobody outside it can have.
        await runner.call("go", "-C", str(folder), "mod", "tidy", "-e", seconds_max=BUILD_SECONDS_MAX)
        for name, package in programs.items():
            await runner.call(
                "go", "-C", str(folder), "build", "-trimpath", "-ldflags", f"-s -w {module.stamp}",
                "-o", str(cache / name), package, seconds_max=GO_BUILD_SECONDS_MAX,
            )  # fmt: skip
            built.append(name)
    return built


def write(cache: Path, module: Module) -> Path:
    """Write the module's files; return its folder."""
    folder = cache / f"module-{module.folder}"
    for path, text in {"go.mod": f"module {OWN}\n\ngo {GO_DIRECTIVE}\n", **module.sources}.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def complete(cache: Path) -> bool:
    """Tell whether all programs are there, so that Go is not needed."""
    return all(
        (cache / name).exists() for name in (*(n for m in OTHERS for n in m.programs), *kubernetes("go 1\n").programs)
    )
