"""`make k8s-check`: build deploy/k8s and its overlays, hold them against Kubernetes' schemas and against the image's programs.

Then plant faults: each has to be found.
"""

from __future__ import annotations

import argparse
import copy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tools.deployment.manifests import Manifests, check
from tools.deployment.planted import FAULTS

ROOT = Path(__file__).parents[2]
K8S = ROOT / "deploy" / "k8s"
SCHEMA_VERSIONS = ("1.31", "1.36")
"""The oldest and the newest whose schemas the manifests are held against."""
KUBECTL_MISSING = (
    "k8s-check needs kubectl (Debian: kubernetes-client; or build k8s.io/kubernetes/cmd/kubectl) on the PATH"
)


def say(text: str) -> None:
    """Tell how far it is."""
    print(text, flush=True)  # noqa: T201 - the tool's purpose


def folders() -> list[Path]:
    """Return all that somebody applies."""
    return [K8S, *sorted(path for path in (K8S / "overlays").iterdir() if path.is_dir())]


def built(folder: Path) -> list[dict[str, Any]]:
    """Return what kustomize builds."""
    done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=True)  # noqa: S603, S607 - from the PATH
    return list(yaml.safe_load_all(done.stdout))


def against_schemas(documents: list[dict[str, Any]]) -> list[str]:
    """Return what Kubernetes' own schemas find, unknown fields among it."""
    import kubernetes_validate

    found = []
    for document in documents:
        for version in SCHEMA_VERSIONS:
            try:
                kubernetes_validate.validate(document, version, strict=True)
            except (kubernetes_validate.ValidationError, kubernetes_validate.InvalidSchemaError) as exc:
                found.append(f"{document.get('kind')} {document.get('metadata', {}).get('name')}, {version}: {exc}")
    return found


def planted(documents: list[dict[str, Any]]) -> list[str]:
    """Plant each fault into a copy; return which were not found."""
    missed = []
    for name, (plant, sentence) in FAULTS.items():
        spoilt = copy.deepcopy(documents)
        plant(Manifests(spoilt))
        touched = [document for document in spoilt if document not in documents]
        if not any(sentence in finding for finding in [*check(spoilt), *against_schemas(touched)]):
            missed.append(name)
    return missed


def main() -> int:
    """Check everything."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    if shutil.which("kubectl") is None:
        say(KUBECTL_MISSING)
        return 2
    off = []
    for folder in folders():
        try:
            documents = built(folder)
        except subprocess.CalledProcessError as exc:
            off.append(f"{folder.relative_to(ROOT)}: {exc.stderr}")
            continue
        findings = [*against_schemas(documents), *check(documents)]
        say(f"{folder.relative_to(ROOT)}: {len(documents)} objects, {len(findings)} findings")
        off += [f"{folder.relative_to(ROOT)}: {finding}" for finding in findings]
    if not off:
        missed = planted(built(K8S))
        say(f"planted faults found: {len(FAULTS) - len(missed)} of {len(FAULTS)}")
        off += [f"not found: {name}" for name in missed]
    for sentence in off:
        say(f"  OFF: {sentence}")
    return 1 if off else 0


if __name__ == "__main__":
    sys.exit(main())
