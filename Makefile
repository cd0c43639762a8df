# Two commands for a fresh machine: `make certify` (the main job) and `make test`.
PYTHON ?= python3
BIN = .venv/bin
RUN = runs/majority

.PHONY: certify test check lint types links bench notebooks notebooks-run pages kernel docs certificates experiments clean

certify: .venv/.ready
	mkdir -p runs
	$(BIN)/ssm-bounds train majority --out $(RUN).safetensors --save-data $(RUN).npz
	$(BIN)/ssm-bounds certify $(RUN).safetensors --data $(RUN).npz

test: check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadfile

check: lint types

lint: .venv/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.ready links
	$(BIN)/mypy

# mypy cannot follow how an editable install maps folders: links can
links: .venv/.ready
	mkdir -p .venv/typing/ssm_bounds
	ln -sfn $(foreach part,$(wildcard ssm_bounds/*) bounds models proofs,$(CURDIR)/$(part)) .venv/typing/ssm_bounds/

bench: .venv/.ready
	$(BIN)/python -m pytest tests/benchmarks -q -s

notebooks: .venv/.ready
	$(BIN)/jupyter lab notebooks

# executes every notebook and writes it back with its outputs, which the tests compare with those of another execution
notebooks-run: .venv/.ready
	$(BIN)/python -m tests.notebooks

pages: .venv/.ready
	$(BIN)/python -m ssm_bounds.proofs.rocq.claims
	$(BIN)/python -m ssm_bounds.proofs.pages docs
	$(BIN)/python -m ssm_bounds.proofs.chapters docs/theory
	$(BIN)/python -m ssm_bounds.report.pages docs

# every theorem of proofs/rocq, and then, by the independent checker, every file below them down to Coq's own library,
# but for the library Interval
kernel: .venv/.ready
	$(BIN)/python -m ssm_bounds.proofs.rocq.kernel --all

# theory data 8.16 by the commands that a user would type, hours on two cores; goes on where it was interrupted
certificates: .venv/.ready
	$(BIN)/python -m tests.certificates --out docs/certificates.md

# the experiments that measure numbers, in every preset, minutes; goes on where it was interrupted
experiments: .venv/.ready
	$(BIN)/python -m tests.experiments --out docs/experiments.md

docs: .venv/.ready
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

.venv/.ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

clean:
	rm -rf .venv runs site
