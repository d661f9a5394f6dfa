# What can be done with this project. `make` alone lists it.

PYTHON ?= python3
RUN := scripts/run

# Given to recipes as variables of the shell, so that a description may hold quotes and dollars.
export VIDEO BAG DESCRIPTION MODEL CHECKPOINT

.DEFAULT_GOAL := help
.PHONY: help setup demo test hard bench bench-gpu clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/'

setup: ## make the environment: .venv with ROS 2 and torch, and the built package in install/
	@$(PYTHON) scripts/setup_environment.py

demo: setup ## track a description through a bag over ROS 2; results in out/demo/. VIDEO=, BAG=, DESCRIPTION=, MODEL=, CHECKPOINT=
	@$(RUN) fastsam2 demo \
		$(if $(VIDEO),--video "$$VIDEO") \
		$(if $(BAG),--bag "$$BAG") \
		$(if $(DESCRIPTION),--description "$$DESCRIPTION") \
		$(if $(MODEL),--model "$$MODEL") \
		$(if $(CHECKPOINT),--checkpoint "$$CHECKPOINT")

test: setup ## all checks: format, lint, types, build, tests. TESTS= narrows the tests down
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy
	$(RUN) colcon --log-level error build --symlink-install --event-handlers status-
	$(RUN) pytest -n 2 --dist loadfile $(TESTS)

hard: setup ## kills, floods, full disks, bad input and bombs over ROS 2; takes far longer than the tests; a table of what survived. ARGS= for fastsam2 hard
	@$(RUN) fastsam2 hard $(ARGS)

bench: setup ## time a step by stage beside upstream's; table and JSON in docs/results/. ARGS= for fastsam2 bench
	@$(RUN) fastsam2 bench $(ARGS)

# Upstream's compiled form last and for one target alone: compiling takes minutes.
bench-gpu: setup ## the same on an NVIDIA GPU, beside upstream's compiled form too, and the tests that need one. ARGS= as above
	@$(RUN) fastsam2 bench --device cuda --models mini tiny --targets 1 4 --keep 0 1 --precision bf16 \
		--backends torch cuda_graphs --frames 30 $(ARGS)
	@$(RUN) pytest -n 2 -q -k cuda test/streaming test/pruning test/language test/tracker
	@$(RUN) fastsam2 bench --device cuda --models tiny --keep 1 --precision bf16 --vos-optimized --frames 30 $(ARGS)

clean: ## remove builds, caches and outputs; .venv stays
	rm -rf build install log out .hypothesis .pytest_cache .mypy_cache .ruff_cache
