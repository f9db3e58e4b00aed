"""`make audit`: the licences of what is installed, and what an audit without live advisory data can say."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys
from typing import Any

ALLOWED = re.compile(
    r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla|Zlib|Unlicense|Public Domain|0BSD|CC0|HPND",
    re.IGNORECASE,
)
REFUSED = re.compile(r"AGPL|(?<!L)GPL-?[v23]|GNU General Public", re.IGNORECASE)
KNOWN = {"sqlcipher3": "Zlib (its LICENSE file; the metadata says nothing)"}
OWN = re.compile(r"qpq|trio[-_]quic", re.IGNORECASE)


def licence_of(package: importlib.metadata.Distribution) -> str:
    """Return what a package says of its licence, from the field or the classifiers."""
    meta: Any = package.metadata  # the interpreter's stubs differ in what a message has
    if meta["Name"] in KNOWN:
        return KNOWN[meta["Name"]]
    said = [meta.get("License-Expression") or "", (meta.get("License") or "").split("\n")[0]]
    said += [c.rpartition(":: ")[2] for c in meta.get_all("Classifier") or [] if c.startswith("License")]
    return "; ".join(dict.fromkeys(s for s in said if s))


def main() -> int:
    """List the licences; return 1 if one is not allowed."""
    bad = 0
    for package in sorted(importlib.metadata.distributions(), key=lambda d: d.metadata["Name"].lower()):
        name, licence = package.metadata["Name"], licence_of(package)
        if OWN.match(name):
            continue
        verdict = "ok" if ALLOWED.search(licence) and not REFUSED.search(licence) else "LOOK"
        bad += verdict != "ok"
        sys.stdout.write(f"{verdict:5}{name} {package.version}: {licence or 'says nothing'}\n")
    if shutil.which("cargo-deny"):
        bad += subprocess.run(["cargo-deny", "check", "licenses"], check=False).returncode != 0  # noqa: S607 - a developer's own tool
    else:
        sys.stdout.write("Rust: cargo-deny is not installed; licences of crates were not checked.\n")
    sys.stdout.write(
        "Advisories: no live data was read; pins stand in requirements/lock.txt and Cargo.lock (SECURITY.md).\n"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
