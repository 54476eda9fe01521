# What there is to do. Each step leaves a stamp under .local/, so a second call does only what has changed.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup up down demo test check bench logs package deploy wire clean

VENV := .venv
PY := $(VENV)/bin/python
STAGE ?= prod

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- environments ------------------------------------------------------------------------------------------------

setup: .local/venv.stamp ## make the development environment, .venv

.local/venv.stamp: requirements.txt requirements-media.txt requirements-dev.txt ops/venv.sh
	@mkdir -p .local
	ops/venv.sh $(VENV) requirements-dev.txt
	@touch $@

.local/aws.stamp: requirements-aws.txt ops/venv.sh
	@mkdir -p .local
	ops/venv.sh .local/aws-venv requirements-aws.txt
	@touch $@
