# Everything a developer or a new user runs. `make demo` and `make test` set up what they need.
PY := .venv/bin/python
.PHONY: simulate simulate-long simulate-mutants pictures demo test lint types docs docs-check monitoring monitoring-check bench soak evidence lock setup setup-dev help

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

demo: setup ## a simulated fleet and an exporter on it; Ctrl-C ends both
	@$(PY) -m dbc_exporter demo

test: setup-dev ## all tests
	@scripts/real-parts.sh
	@$(PY) -m pytest -n auto --dist loadscope

lint: setup-dev ## style and mistakes
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .

types: setup-dev ## strict types, code and tests
	@$(PY) -m mypy dbc_exporter monitoring helm tests benchmarks

docs: setup-dev ## write the generated pages and the chart's schema anew
	@$(PY) -m dbc_exporter.metrics.docs
	@$(PY) -m dbc_exporter.config.docs
	@$(PY) -m helm
	@$(PY) scripts/licences.py

docs-check: setup-dev ## fail when a generated page is stale
	@$(PY) -m dbc_exporter.metrics.docs --check
	@$(PY) -m dbc_exporter.config.docs --check
	@$(PY) -m helm --check
	@$(PY) scripts/licences.py --check

monitoring: setup-dev ## write alerts/ and dashboards/ anew
	@$(PY) -m monitoring

monitoring-check: setup-dev ## fail when a file of alerts/ or dashboards/ is stale
	@$(PY) -m monitoring --check

bench: setup-dev ## speed, as ratios to named peers in one run
	@$(PY) -m benchmarks

soak: setup-dev ## the long forms of the fuzzing tests, and new examples for the property tests
	@DBC_FUZZ_EXAMPLES=100000 $(PY) -m pytest tests/fuzz -n auto
	@DBC_EXAMPLES=new $(PY) -m pytest tests/unit -m hypothesis -n auto

simulate: setup-dev ## remediation in simulated towns, the short form
	@$(PY) -m pytest tests/simulation/test_simulation.py -q -n auto

simulate-mutants: setup-dev ## which run notices which missing guard, printed
	@$(PY) -m tests.simulation.search --check

simulate-long: setup-dev ## 10,000 subjects, a million faults: hours; goes on where it stopped
	@nice $(PY) -m tests.simulation.long

evidence: setup-dev ## the long proof of gentle polling, printed
	@$(PY) -m benchmarks.pacing

pictures: setup-dev ## remake the pictures in the docs
	@$(PY) -m tests.e2e.pictures

lock: setup-dev ## pin all requirements by hash
	@$(PY) -m pip install --disable-pip-version-check -q uv
	@$(PY) -m uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header pyproject.toml -o requirements/run.txt
	@$(PY) -m uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header pyproject.toml --group dev -o requirements/dev.txt
	@(sed -n '/^#/p' requirements/build.txt; echo 'hatchling>=1.27,<2' | $(PY) -m uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header -) >requirements/build.new
	@mv requirements/build.new requirements/build.txt
	@$(PY) scripts/licences.py

setup:
	@scripts/setup.sh run

setup-dev:
	@scripts/setup.sh dev
