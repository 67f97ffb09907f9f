# The one runner, for people and for CI. Each target sets up what it needs, so that each
# works as the only command on a fresh machine with make and Python 3.11 or newer.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip --disable-pip-version-check
READY := .venv/ready
EMULATORS := $(patsubst tests/emulators/%.in,build/emulators/%/ready,$(wildcard tests/emulators/*.in))
AGENTS := $(patsubst tests/agents/%.in,build/agents/%/ready,$(wildcard tests/agents/*.in))
# mypy refuses folders without a Python file.
CODE := $(foreach folder,src tests tools examples benchmarks chaos fuzz,$(if \
	$(wildcard $(folder)/*.py $(folder)/*/*.py),$(folder)))
COMPILE := build/pins/bin/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-annotate --no-config --no-cache \
	--custom-compile-command 'make pins'
# Arguments for the program behind a target: make test ARGS="-k claim"
ARGS ?=

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test check fix simulate mutants model chaos fuzz bench docs setup emulators pins clean screenshots \
	style types test-packages test-agents

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | while IFS='	' read -r target does; do \
		printf '  make %-11s %s\n' "$$target" "$$does"; done

demo: $(READY) ## set up and run the main job, from instruction to answer
	@tools/system-packages git:git
	@$(BIN)/hotdesk demo $(ARGS)

# What runs on an emulator waits for it most of the time: twice as many at once. pytest ends
# with 5 where ARGS selects nothing of a part.
test: style types test-packages emulators ## set up and run every check and every test
	@$(BIN)/pytest -n auto --dist loadgroup -m 'not emulated and not agents' $(ARGS) || [ $$? -eq 5 ]
	@$(BIN)/pytest -n $$(($$(nproc) * 2)) --dist loadgroup -m emulated $(ARGS) || [ $$? -eq 5 ]

test-agents: $(AGENTS) ## set up the real Claude Code and Codex, and test with them
	@tools/system-packages git:git -- bubblewrap:bwrap iproute2:ip
	@$(BIN)/pytest -n auto --dist loadgroup -m agents tests/agents tests/presets $(ARGS) || [ $$? -eq 5 ]

check: style types ## format, ruff, types, import floors and the fast tests; four minutes on two cores
	@tools/system-packages git:git -- bubblewrap:bwrap
	@$(BIN)/pytest -n auto --dist loadgroup -m 'not long and not model and not browser and not emulated and not agents' $(ARGS)

fix: $(READY) ## format the code and apply the safe fixes of ruff
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

simulate: $(READY) ## run the whole system in virtual time: SEED=… or SEEDS=…, else until stopped
	@$(BIN)/hotdesk simulate $(if $(SEED),--seed $(SEED)) $(if $(SEEDS),--seeds $(SEEDS)) $(ARGS)

mutants: $(READY) ## break the engine on purpose, in many ways; how many seeds until it is noticed
	@$(BIN)/python -m tests.simulation.mutants $(ARGS)

model: $(READY) ## explore the claim protocol in every world, the large ones too; minutes
	@$(BIN)/python -m hotdesk.model $(ARGS)

chaos: TIME ?= 10m
chaos: $(READY) ## real processes, killed and frozen and cut off: TIME=10m, SEED=… for one seed
	@tools/system-packages git:git -- bubblewrap:bwrap libfaketime
	@$(BIN)/python -m chaos --time $(TIME) $(if $(SEED),--seed $(SEED)) $(ARGS)

fuzz: TIME ?= 60s
fuzz: $(READY) ## look for inputs that break a promise: TIME=60s for each target, TARGET=… for one
	@$(PIP) install -qq --require-hashes --only-binary :all: -r fuzz/constraints.txt || { \
		echo 'atheris has no wheel for this Python and machine: docs/fuzzing.md' >&2; exit 1; }
	@$(BIN)/python -m fuzz $(TARGET) --seconds $(TIME:s=) $(ARGS)

bench: $(READY) ## run the benchmarks beside their peers
	@$(BIN)/python -m benchmarks $(ARGS)

screenshots: $(READY) ## make docs/pictures/dashboard anew, from a real run in a real browser
	@tools/system-packages git:git chromium:chromium fonts-inter fonts-jetbrains-mono -- bubblewrap:bwrap
	@$(BIN)/python -m tests.browser.pictures

docs: $(READY) ## check that the links of README and docs lead somewhere
	@$(BIN)/python tools/links.py $(wildcard *.md) docs

setup: $(READY) ## make .venv with the pinned versions

emulators: $(EMULATORS) ## make the environments of the two emulators of AWS that the tests start

pins: ## write constraints.txt anew from pyproject.toml; ARGS=--upgrade takes newer versions
	@$(PYTHON) -m venv build/pins
	@build/pins/bin/pip install --quiet --upgrade uv
	@$(COMPILE) --output-file constraints.txt $(ARGS) --all-extras pyproject.toml
	@$(COMPILE) --output-file fuzz/constraints.txt $(ARGS) fuzz/requirements.in
	@$(COMPILE) --output-file image/requirements.txt $(ARGS) --extra aws \
		--constraint constraints.txt pyproject.toml image/requirements.in
	@$(foreach each,$(wildcard tests/emulators/*.in),$(COMPILE) \
		--output-file $(each:.in=.txt) $(ARGS) $(each) &&) true
	@$(foreach each,$(wildcard tests/agents/*.in),$(COMPILE) --no-deps \
		--output-file $(each:.in=.txt) $(ARGS) $(each) &&) true

clean: ## remove what the other targets made
	@rm -rf .venv build dist src/hotdesk.egg-info
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find src tests tools examples benchmarks chaos fuzz -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

style: $(READY)
	@$(BIN)/ruff format --quiet --check . || { echo 'Not formatted: run make fix' >&2; exit 1; }
	@$(BIN)/ruff check --quiet .
	@said=$$($(BIN)/lint-imports --no-logo) || { echo "$$said"; exit 1; }

types: $(READY)
	@$(BIN)/mypy $(CODE)

# Tests that need one of the wishes skip, and say so, where it is missing; as root, and so
# in CI, nothing is missing.
test-packages:
	@tools/system-packages git:git -- bubblewrap:bwrap libfaketime postfix:postfix swaks:swaks \
		chromium:chromium libnet-ssleay-perl # The last one for TLS in swaks.

# The stamp is made last, so that an interrupted set-up is done again. Hashes are required:
# what is installed is what was tested, wherever it comes from. The project itself is
# installed without build isolation, because its build backend is pinned as well.
$(READY): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || tools/system-packages python3-venv
	@test -x $(BIN)/pip || $(PYTHON) -m venv --clear .venv
	@$(PIP) install -qq --require-hashes -r constraints.txt
	@$(PIP) install -qq --no-deps --no-build-isolation -e .
	@said=$$($(PIP) check) || { echo "$$said"; echo 'constraints.txt is behind: run make pins'; exit 1; }
	@touch $@

# An environment for each, because they pin what clashes with ours and with each other. pip
# is ours, and nothing is compiled ahead: most of it is never imported.
build/emulators/%/ready: tests/emulators/%.txt | $(READY)
	@$(PYTHON) -m venv --clear --without-pip build/emulators/$*
	@$(PIP) --python build/emulators/$*/bin/python install -qq --no-compile --require-hashes \
		--only-binary :all: -r $<
	@touch $@

# Without what they depend on: only the program in each is used, and that stands alone.
build/agents/%/ready: tests/agents/%.txt | $(READY)
	@rm -rf $(@D)
	@$(PIP) install -qq --no-deps --no-compile --no-cache-dir --require-hashes \
		--only-binary :all: --target $(@D) -r $< || { \
		echo '$* cannot be had for this machine: see above' >&2; exit 1; }
	@touch $@
