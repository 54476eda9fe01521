# What there is to do. Each step leaves a stamp under .local/, so a second call does only what has changed.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup up down logs demo test soak check bench screenshots contact-sheet package deploy wire token redrive clean

PY := .venv/bin/python
STAGE ?= prod
BUCKET_DIR_PATH ?= recordings
VIDEOSDK_SECRET ?= tracklane/videosdk
export PATH := $(CURDIR)/.venv/bin:$(PATH)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- on this machine ---------------------------------------------------------------------------------------------

demo: .local/venv.stamp .local/aws.stamp ## run a simulated meeting through the stack and show it; EXIT=1 ends after it
	@$(PY) -m local.demo $(if $(EXIT),--exit)

up: .local/venv.stamp .local/aws.stamp ## start the stack; where it stands is in .local/stack.json
	@$(PY) -m local.stack up

down: .local/venv.stamp ## end all that `make up` started, also after a crash
	@$(PY) -m local.stack down

logs: .local/venv.stamp ## show what the functions said; FOLLOW=1 goes on
	@$(PY) -m local.stack logs $(if $(FOLLOW),--follow)

# --- is it right? ------------------------------------------------------------------------------------------------

# The stack is ended afterwards, unless it was up before.
test: .local/venv.stamp .local/aws.stamp .local/browser.stamp ## set everything up and pass all tests
	@before=$$(ls .local/stack.json 2>/dev/null); \
	$(PY) -m pytest -n 2 -m "not e2e" && $(PY) -m pytest -m e2e; passed=$$?; \
	test -n "$$before" || $(PY) -m local.stack down; \
	exit $$passed
	@$(MAKE) --no-print-directory check

# The load first and by itself: it needs both cores.
soak: .local/venv.stamp .local/aws.stamp ## try the invariants of tests/reliability in full; SEED=... repeats a run
	@rm -f .local/soak.md
	@$(PY) -m pytest tests/reliability/test_load.py --soak $(if $(SEED),--seed $(SEED)); \
	passed=$$?; \
	$(PY) -m pytest -n 2 --dist worksteal tests/reliability tests/media/test_traps.py tests/media/compose/test_drift.py --ignore tests/reliability/test_load.py --soak $(if $(SEED),--seed $(SEED)) && exit $$passed

check: .local/venv.stamp ## lint, types, and what CloudFormation would refuse
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check --quiet .
	@$(PY) -m mypy
	@.venv/bin/oxlint --quiet
	@$(PY) -m ops.package --stage prod >/dev/null
	@.venv/bin/cfn-lint --regions us-east-1 --template .local/package/prod/sam.json

bench: .local/venv.stamp .local/aws.stamp .local/browser.stamp ## measure, each figure beside its baseline
	@$(PY) -m bench

screenshots: .local/venv.stamp .local/browser.stamp ## take pictures of the page: .local/screenshots/, and the README's
	@$(PY) -m local.screenshots

contact-sheet: .local/venv.stamp ## render a frame of each layout: .local/contact-sheet.png, and the README's
	@OPENBLAS_NUM_THREADS=1 $(PY) -m local.contact_sheet

# --- in an account -----------------------------------------------------------------------------------------------

package: .local/venv.stamp ## build what STAGE=prod runs: template, zip and layer, in .local/package/
	@$(PY) -m ops.package --stage $(STAGE)

deploy: .local/venv.stamp ## deploy STAGE=... for RECORDINGS_BUCKET=...
	@test -n "$(RECORDINGS_BUCKET)" || { echo "say which bucket VideoSDK delivers to: RECORDINGS_BUCKET=..." >&2; exit 2; }
	@$(PY) -m ops.deploy --stage $(STAGE) --recordings-bucket $(RECORDINGS_BUCKET) \
		--bucket-dir-path $(BUCKET_DIR_PATH) --videosdk-secret $(VIDEOSDK_SECRET) $(foreach p,$(PARAMETERS),--parameter $(p))

wire: .local/venv.stamp ## have RECORDINGS_BUCKET=... tell EventBridge of its objects; REMOVE=1 undoes it
	@test -n "$(RECORDINGS_BUCKET)" || { echo "say which bucket: RECORDINGS_BUCKET=..." >&2; exit 2; }
	@$(PY) -m ops.wire_bucket --bucket $(RECORDINGS_BUCKET) $(if $(REMOVE),--remove)

token: .local/venv.stamp ## mint a bearer token for SUBJECT=... of STAGE=...
	@test -n "$(SUBJECT)" || { echo "say which app: SUBJECT=..." >&2; exit 2; }
	@$(PY) -m ops.token --stack tracklane-$(STAGE) --subject $(SUBJECT)

redrive: .local/venv.stamp ## do the dead letters of STAGE=... again
	@$(PY) -m ops.redrive --stack tracklane-$(STAGE)

# --- what the rest needs -----------------------------------------------------------------------------------------

setup: .local/venv.stamp ## make the development environment, .venv

.local/venv.stamp: requirements.txt requirements-media.txt requirements-dev.txt ops/venv.sh
	@mkdir -p .local
	ops/venv.sh .venv requirements-dev.txt
	@touch $@

# The embedded AWS, apart from .venv: see requirements-aws.txt.
.local/aws.stamp: requirements-aws.txt ops/venv.sh
	@mkdir -p .local
	ops/venv.sh .local/aws-venv requirements-aws.txt
	@touch $@

# The vendor's own client. Node comes from PyPI where the system has none.
.local/browser.stamp: ops/browser.sh
	@mkdir -p .local
	ops/browser.sh
	@touch $@

clean: ## end the stack and forget all that was built
	@test ! -x $(PY) || $(PY) -m local.stack down
	rm -rf .local .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
