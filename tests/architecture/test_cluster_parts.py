"""`make k8s-test` as far as it is pure: what the parts of the cluster are told, what counts as well, what is found off."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tools.deployment import kube_build, kube_look, kube_parts
from tools.deployment.k8s_test import NOT_SHOWN, changed, images_of, judge, overlay
from tools.deployment.policies import FILES

ROOT = Path(__file__).parents[2]
PARTS = kube_parts.Parts(Path("/programs"), Path("/cluster"), Path("/plugins"))
GOMOD = """module k8s.io/kubernetes

go 1.26.0

require (
	github.com/some/other v1.2.3
	k8s.io/api v0.0.0
	k8s.io/client-go v0.0.0 // a remark
	k8s.io/utils v0.0.0-20250604170112-4c0f3b243397
)
"""
STATUS = """Name:	python3
Uid:	10001	10001	10001	10001
Gid:	10001	10001	10001	10001
CapInh:	0000000000000000
CapPrm:	0000000000000000
CapEff:	0000000000000000
CapBnd:	0000000000000000
CapAmb:	0000000000000000
NoNewPrivs:	1
Seccomp:	2
"""
MOUNTS = """10 9 0:99 / / rw,relatime - overlay overlay rw
11 10 0:99 / / ro,relatime - overlay overlay rw,lowerdir=a
12 11 0:20 / /data rw,relatime - ext4 /dev/x rw
"""


def test_kubernetes_own_modules_get_their_real_versions():
    made = kube_build.kubernetes_gomod(GOMOD, "1.36.3")
    assert "go 1.26.0" in made
    assert "require k8s.io/kubernetes v1.36.3" in made
    replaced = [line.split() for line in made.splitlines() if "=>" in line]
    assert replaced == [[m, "=>", m, "v0.36.3"] for m in ("k8s.io/api", "k8s.io/client-go")]


def test_each_program_is_built_and_started():
    assert set(PARTS.arguments()) - {"containerd"} == set(kube_build.PROGRAMS) - {"pause", "coredns"}
    sources = kube_build.sources(GOMOD)
    for name, package in kube_build.PROGRAMS.items():
        assert f"{name}/main.go" in sources if package.startswith("./") else f'"{package}"' in sources["tools.go"]
    images = {kube_parts.PAUSE_IMAGE, kube_parts.COREDNS_IMAGE}
    assert {i.partition("/")[2].partition(":")[0] for i in images} == {"pause", "coredns"}


def test_what_is_built_already_is_not_built_again(tmp_path):
    assert kube_build.lacking(tmp_path) == kube_build.PROGRAMS
    (tmp_path / "kubelet").write_text("")
    assert kube_build.PROGRAMS.items() - kube_build.lacking(tmp_path).items() == {
        ("kubelet", "k8s.io/kubernetes/cmd/kubelet")
    }


def test_what_a_part_is_told_to_read_is_written():
    written = {f"/cluster/{path}" for path in PARTS.files("token")}
    made_later = {"/cluster/certs/sa.key", "/cluster/certs/apiserver.crt", "/cluster/certs"}
    folders = {"/cluster/etcd", "/cluster/kubelet", "/cluster/kubelet-certs"}
    told = {
        word.rpartition("=")[2] for words in PARTS.arguments().values() for word in words if "/cluster/" in word
    }  # fmt: skip
    assert told - written - made_later - folders == set()
    settings = yaml.safe_load(PARTS.files("token")["kubelet.yaml"])
    assert settings["resolvConf"] in written
    assert "/cluster/cni/10-pods.conflist" in written
    assert json.loads(PARTS.files("token")["cni/10-pods.conflist"])["plugins"][0]["type"] in kube_parts.CNI_PLUGINS


def test_name_resolution_is_where_the_policies_let_it_be():
    objects = {d["kind"]: d for d in kube_parts.names()}
    let = {
        (rule["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"], *rule["podSelector"]["matchLabels"].items())
        for make in FILES.values() for policy in make() for way in policy["spec"].get("egress", ())
        for rule in way.get("to", ()) if "namespaceSelector" in rule
    }  # fmt: skip
    labels = objects["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert let == {(objects["Deployment"]["metadata"]["namespace"], *labels.items())}
    assert objects["Service"]["spec"]["selector"] == labels
    assert objects["Service"]["spec"]["clusterIP"] == PARTS.kubelet()["clusterDNS"][0]


def test_there_is_a_volume_for_what_postgresql_claims():
    documents = yaml.safe_load_all((ROOT / "deploy/k8s/stores/postgres.yaml").read_text())
    claims = [c["spec"] for d in documents for c in d["spec"].get("volumeClaimTemplates", ())]
    _, volume = PARTS.storage()
    assert [c["resources"]["requests"]["storage"] for c in claims] == [volume["spec"]["capacity"]["storage"]]
    assert claims[0]["accessModes"] == volume["spec"]["accessModes"]


def test_the_overlay_changes_images_alone(tmp_path):
    made = yaml.safe_load(overlay(tmp_path, {"redis": "standin/stores:local", "postgres": "host:5000/standin:local"}))
    assert [(tmp_path / r).resolve() for r in made.pop("resources")] == [ROOT / "deploy/k8s"]
    assert made.pop("images") == [
        {"name": "postgres", "newName": "host:5000/standin", "newTag": "local"},
        {"name": "redis", "newName": "standin/stores", "newTag": "local"},
    ]
    assert made.keys() == {"apiVersion", "kind"}


def test_images_are_found_wherever_they_are_named():
    pod = {"initContainers": [{"image": "a:1"}], "containers": [{"image": "b:2"}, {"image": "a:1"}]}
    assert images_of([{"spec": {"template": {"spec": pod}}}, {"data": {"image": 3}}]) == {"a:1", "b:2"}


def test_a_process_as_it_should_be_passes():
    assert kube_look.hardened("auth-1", STATUS, MOUNTS, "1073741824\n") == []


@pytest.mark.parametrize(
    ("before", "after", "finding"),
    [
        ("Uid:	10001	10001", "Uid:	0	0", "own user"),
        ("Gid:	10001", "Gid:	0", "own user"),
        ("CapEff:	0000000000000000", "CapEff:	0000000000000400", "capabilities"),
        ("CapBnd:	0000000000000000", "CapBnd:	00000000a80425fb", "capabilities"),
        ("NoNewPrivs:	1", "NoNewPrivs:	0", "gain privileges"),
        ("Seccomp:	2", "Seccomp:	0", "every call"),
        ("/ / ro,", "/ / rw,", "can be written"),
        ("1073741824", "9223372036854771712", "bound of memory"),
        ("1073741824", "max", "bound of memory"),
    ],
)
def test_a_process_that_may_too_much_is_found(before, after, finding):
    texts = [text.replace(before, after) for text in (STATUS, MOUNTS, "1073741824")]
    assert texts != [STATUS, MOUNTS, "1073741824"]
    found = kube_look.hardened("auth-1", *texts)
    assert len(found) == 1
    assert finding in found[0]


def entry(name, kind, *, ready=True, phase="Running", leaving=False, restarts=0):
    meta = {"name": name, "labels": {"app.kubernetes.io/name": kind}} | (
        {"deletionTimestamp": "now"} if leaving else {}
    )
    status = {
        "phase": phase, "conditions": [{"type": "Ready", "status": str(ready)}],
        "containerStatuses": [{"containerID": f"containerd://{name}", "restartCount": restarts}],
    }  # fmt: skip
    return kube_look.pod({"metadata": meta, "status": status})


def test_all_is_well_once_each_kind_has_its_pods_and_no_other_is_there():
    auth = [entry("auth-1", "auth"), entry("auth-2", "auth")]
    migrate = entry("migrate-1", "migrate", ready=False, phase="Succeeded")
    done = frozenset(kube_look.JOBS)
    assert auth[0].container == "auth-1"
    assert kube_look.missing([*auth, migrate], {"auth": 2}, done) == []
    assert kube_look.missing(auth[:1], {"auth": 2}, done) == ["auth: 1 of 2 ready"]
    assert kube_look.missing(auth, {"auth": 2}, frozenset({"secrets"})) == ["job migrate not done"]
    old = entry("auth-0", "auth", leaving=True)
    assert kube_look.missing([*auth, old], {"auth": 2}, done) == ["auth-0 Running leaving"]
    unready = entry("auth-2", "auth", ready=False)
    assert kube_look.missing([auth[0], unready], {"auth": 2}, done) == ["auth-2 Running", "auth: 1 of 2 ready"]


def test_what_kubectl_prints_is_read():
    job = {
        "kind": "Job",
        "metadata": {"name": "migrate"},
        "status": {"conditions": [{"type": "Complete", "status": "True"}]},
    }
    found = kube_look.state([
        {"kind": "Pod", "metadata": {"name": "auth-1", "labels": {}}, "status": {}},
        {"kind": "HorizontalPodAutoscaler", "metadata": {"name": "auth"}, "spec": {"minReplicas": 2}},
        {"kind": "Deployment", "metadata": {"name": "auth", "generation": 3}},
        {"kind": "StatefulSet", "metadata": {"name": "redis", "generation": 1}, "spec": {"replicas": 1}},
        job, {"kind": "Job", "metadata": {"name": "secrets"}, "status": {}},
    ])  # fmt: skip
    assert [p.name for p in found.pods] == ["auth-1"]
    assert not found.pods[0].well
    assert found.numbers == {"auth": 2, "redis": 1}
    assert found.done == {"migrate"}
    assert found.generations == {"auth": 3, "redis": 1}


def test_a_second_apply_that_replaces_pods_is_found():
    assert changed({"auth": 2, "redis": 1}, {"auth": 2, "redis": 1}) == []
    assert changed({"auth": 2, "redis": 1}, {"auth": 3, "blob": 1}) == ["auth", "blob", "redis"]


def test_what_is_off_makes_it_fail_and_what_was_not_shown_is_said():
    lines = []
    assert judge([], lines.append) == 0
    assert judge(["auth-1 runs as root"], lines.append) == 1
    assert "  OFF: auth-1 runs as root" in lines
    assert all(f"  {sentence}" in lines for sentence in NOT_SHOWN)
