# `make` lists what there is. Every target sets up what it needs first.

PYTHON ?= python3
BIN := .venv/bin
export CARGO_TARGET_DIR ?= $(CURDIR)/target
PACKAGES := libs/qpqcore services/gateway services/auth services/delivery services/keystore services/blob services/federation apps/qpqserver apps/qpq sdks/python
RUST := $(shell find libs/trio_quic/src libs/qpqnative/src -name '*.rs') Cargo.toml Cargo.lock libs/trio_quic/Cargo.toml libs/qpqnative/Cargo.toml

.DEFAULT_GOAL := help
.PHONY: help setup run quickstart walkthrough screenshots demo demo-federation federation-drill test check simulate soak backup-drill client-drills endurance second-opinion fuzz audit conformance coverage docs format bench bench-compare hostile regenerate lock compose-test k8s-check k8s-test clean observability-test rolling overload scale test-forms replicas-drill bad-days

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: .venv/ready ## make the environment: Python packages, the two Rust modules

.venv/made: requirements/lock.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "QPQ needs CPython 3.11 or later: set PYTHON=python3.11")'
	@command -v cargo >/dev/null || { echo "QPQ builds two Rust modules: install Rust 1.91 or later (rustup), then try again" >&2; exit 1; }
	@echo "the first time: Python packages, then two Rust modules; some minutes, mostly silent, and 1 GB in .venv and target"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/lock.txt
	@touch $@

.venv/native: .venv/made $(RUST)
	@echo "building trio_quic, then qpqnative: a minute or two each on two cores"
	cd libs/trio_quic && ../../$(BIN)/python -m maturin develop --release --quiet --locked
	cd libs/qpqnative && ../../$(BIN)/python -m maturin develop --release --quiet --locked
	@touch $@

.venv/ready: .venv/native $(PACKAGES:%=%/pyproject.toml)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation $(PACKAGES:%=-e %)
	@touch $@

run: setup ## start the server in its embedded form, in ./data
	@$(BIN)/qpq-server --data-dir data

demo: setup ## play a conversation of three people through kills, and show it
	@$(BIN)/python -m tools.demo

demo-federation: setup ## play a conversation over three domains, one of them killed for the middle
	@$(BIN)/python -m tools.domains

federation-drill: setup ## two federation processes of one domain under talk; who brings what waits is killed KILLS=6 times (PROCESSES=)
	@$(BIN)/python -m tools.domains --processes $(or $(PROCESSES),2) --kills $(or $(KILLS),6)

test: setup ## run the whole test suite
	$(BIN)/python -m pytest -q -ra --ignore=tests/oracle -n auto --maxprocesses 4 --dist loadfile --spread
	$(BIN)/python -m pytest -q -ra -n auto tests/oracle
	cargo test --quiet --locked --release -p trio_quic -p qpqnative -p qpq-second-opinion --lib

test-forms: setup ## run the integration suite on both stores, over both buses: equal counts (WHAT=files)
	$(BIN)/python -m tools.forms $(WHAT)

check: setup ## types, lints, walls, formats, generated code; changes nothing
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check --quiet .
	find libs services apps sdks tools -name "*.py" -not -path "*/target/*" -not -path "*/qpqcore/api/*" | xargs -P 4 -n 20 $(BIN)/flake8-async --enable=ASYNC1,ASYNC2,ASYNC3 --disable=ASYNC102,ASYNC103,ASYNC104,ASYNC113,ASYNC114,ASYNC128,ASYNC109,ASYNC110,ASYNC119,ASYNC240
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m mypy
	$(BIN)/python -m qpqcore.codegen --check
	$(BIN)/python -m tools.deployment.policies --check
	cargo fmt --all --check
	cargo clippy --quiet --locked --release -p trio_quic -p qpqnative -- -D warnings

simulate: setup ## play one seed of the simulation: SEED= STEPS= PEOPLE= WITHOUT= ENGINE=
	@$(BIN)/python -m tools.simulation --seed $(or $(SEED),1) --steps $(or $(STEPS),40) --people $(or $(PEOPLE),0) --engine $(or $(ENGINE),native) --without "$(WITHOUT)"

soak: setup second-opinion ## simulate SEEDS=1-2000, kill real processes KILLS=200 times, cut the power, time log-ins, race
	$(BIN)/python -m tools.simulation --seeds $(or $(SEEDS),1-2000)
	$(BIN)/python -m tools.soak --seed $(or $(SEED),1) --kills $(or $(KILLS),200)
	$(BIN)/python -m tools.timing --seed $(or $(SEED),1)
	$(BIN)/python -m tests.durability
	$(BIN)/python -m tools.races

backup-drill: setup ## back a server up under load, kill it, wipe it, put it back, on both stores: STORE=both PEOPLE=8 SECONDS=8
	@$(BIN)/python -m tools.drill --store $(or $(STORE),both) --people $(or $(PEOPLE),8) --seconds $(or $(SECONDS),8)

client-drills: setup ## play what a client owes: files, devices, hostile text, vanishing, outbox, trust (DRILL=name SIZE=small FORM=scaled)
	$(BIN)/python -m tools.client_drills $(DRILL) --size $(or $(SIZE),full) --form $(or $(FORM),embedded)
	$(BIN)/python -m tools.startup

.venv/fuzz: .venv/ready requirements/fuzz.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/fuzz.txt
	@touch $@

fuzz: .venv/fuzz ## fuzz what reads strangers' bytes: TARGET= (or KIND=quick) SECONDS= RUNS=
	@$(BIN)/python -m tools.fuzz $(TARGET:%=--target %) $(KIND:%=--kind %) $(if $(RUNS),--runs $(RUNS),--seconds $(or $(SECONDS),60))

endurance: setup ## put mixed load on a server for MINUTES=60: memory flat, nothing left open (ENGINE=)
	$(BIN)/python -m tools.endurance --minutes $(or $(MINUTES),60) --engine $(or $(ENGINE),native)

quickstart: setup ## type the quick start in two tmux terminals, then use the full-screen view in one (needs tmux; FORM=scaled)
	@$(BIN)/python -m tools.quickstart --form $(or $(FORM),embedded)

walkthrough: setup ## play docs/walkthrough.md with the real programs, and write what their terminals showed beside it
	@$(BIN)/python -m tools.walkthrough

screenshots: setup ## make the pictures of docs/how-to/tui.md anew, from the running program
	@$(BIN)/python -m tools.screenshots

second-opinion: ## play groups and bad commits with OpenMLS: SEEDS=1-400
	cargo clippy --quiet --locked --release -p qpq-second-opinion --tests -- -D warnings
	SECOND_OPINION_SEEDS=$(or $(SEEDS),1-400) cargo test --locked --release -p qpq-second-opinion --lib -- --nocapture

conformance: setup ## play every case between every pair of QUIC engines, s2n-quic among them (CASE=word); move in a download
	cargo build --quiet --locked --release -p qpq-quic-peer
	$(BIN)/python -m tests.conformance --case "$(CASE)"
	$(BIN)/python -m tests.conformance.moving

observability-test: setup ## test alerts and dashboards against a real Prometheus (on the PATH) and every bad day: ONLY=word
	$(BIN)/python -m tools.observability --only "$(ONLY)"

rolling: setup ## replace every process by a next version under load: what failed, the longest gap
	@$(BIN)/python -m tools.rolling

replicas-drill: setup ## three of every process, 200 people, 10,000 messages; everything dies three times: PEOPLE= MESSAGES=
	@$(BIN)/python -m tools.replicas --people $(or $(PEOPLE),200) --messages $(or $(MESSAGES),10000)

bad-days: setup ## play every bad day at real processes, write docs/operate/bad-days.md (ONLY=word: play some, write nothing)
	@$(BIN)/python -m tools.bad_days $(if $(ONLY),--only "$(ONLY)" --times 0,--write)

overload: setup ## find the rate that a server sustains, offer twice that, judge (SECONDS= of a phase)
	@$(BIN)/python -m tools.overload --judge --seconds $(or $(SECONDS),4)

scale: setup ## tiers of 1, 2, 4 processes held to a share of a core, and 5,000 silent clients of the scaled form: SECONDS= CLIENTS= SHARE=
	@$(BIN)/python -m tools.scale sweep --seconds $(or $(SECONDS),20) --share $(or $(SHARE),0.1)
	@$(BIN)/python -m tools.scale crowd --seconds $(or $(SECONDS),20) --clients $(or $(CLIENTS),5000)

audit: setup ## licences; advisories as far as they can be had offline
	$(BIN)/python -m tools.audit

coverage: setup ## lines and branches by package, in all processes, and in Rust (docs/operate/coverage.md)
	$(BIN)/python -m tools.coverage

docs: setup ## serve the book on http://127.0.0.1:8000
	$(BIN)/python -m mkdocs serve

format: setup ## lay out the code
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .
	cargo fmt --all

bench: setup ## measure (docs/benchmarks.md): PART=calls RUNS=3
	$(BIN)/python -m tools.bench --runs $(or $(RUNS),1) $(PART:%=--part %)

bench-compare: setup ## measure again and show the figures beside a stored run: WITH=build/bench.json
	$(BIN)/python -m tools.bench $(PART:%=--part %) --json build/bench-again.json --compare $(or $(WITH),build/bench.json)

hostile: setup ## play hostile peers at a server, with and without its bounds (docs/operate/hostile-peers.md)
	@$(BIN)/python -m tools.hostile --seconds $(or $(SECONDS),4) --only "$(ONLY)" $(if $(WRITE),--write)

regenerate: setup ## write qpqcore.api from schemas/, network policies from who may call whom
	$(BIN)/python -m qpqcore.codegen
	$(BIN)/python -m tools.deployment.policies

.venv/deploy: .venv/ready requirements/deploy.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/deploy.txt
	@touch $@

compose-test: setup ## build the image, run compose.yaml, kill every container under traffic (QPQ_STANDINS=1 without a registry)
	@$(BIN)/python -m tools.deployment.compose_test

k8s-check: .venv/deploy ## build deploy/k8s and overlays; schemas, keys, ports, arguments, planted faults (needs kubectl)
	@$(BIN)/python -m tools.deployment.k8s_check

k8s-test: setup ## apply deploy/k8s to a real Kubernetes made here, kill and roll out under traffic (root, Go, containerd; QPQ_STANDINS=1)
	@$(BIN)/python -m tools.deployment.k8s_test $(if $(CACHE),--cache $(CACHE))

lock: ## write requirements/*.txt: hashes, no addresses
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-annotate --no-header --universal --python-version 3.11 requirements/fuzz.in -o requirements/fuzz.txt
	$(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-annotate --no-header --universal --python-version 3.11 requirements/dev.in -o requirements/lock.txt
	for each in server build deploy; do $(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-annotate --no-header --universal --python-version 3.11 -c requirements/lock.txt requirements/$$each.in -o requirements/$$each.txt || exit 1; done

clean: ## remove what was built
	rm -rf .venv target build dist
