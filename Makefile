# make demo | make test | make lint | make docs; everything lives in .venv and demo/
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
NEWEST ?= $(shell for p in python3.14 python3.13 python3.12 python3; do \
	command -v $$p > /dev/null && $$p -c '' 2>/dev/null && echo $$p && break; done)
BOUND ?= $(shell [ $$(( $$(date +%s) / 86400 % 2 )) = 0 ] && echo oldest || echo newest)
BIN := .venv/bin
GALAXIES ?= 20000
MAG := --magnitude 'mag_{band}_lsst' --error 'mag_err_{band}_lsst'
DEEP := --magnitude 'mag_{band}_depth5' --error 'mag_err_{band}_depth5'

.PHONY: demo test test-slow test-double test-oldest test-newest test-bounds test-all bounds lint docs clean
.DELETE_ON_ERROR:

.venv/.base: pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable '.[io,photoz]'
	@touch $@

.venv/.dev: .venv/.base
	$(BIN)/python -m pip install --quiet --editable '.[io,photoz,tune]' --group test --group lint --group docs
	@touch $@

demo: .venv/.base
	rm -rf demo && mkdir demo
	$(BIN)/sfumato simulate photoz --galaxies $(GALAXIES) --seed 1 --output demo/survey --posteriors 60
	$(BIN)/sfumato fit demo/survey/train.parquet --preset photoz --bands u,g,r,i,z,y $(MAG) --target redshift --epochs 60 --seed 1 --output demo/model
	$(BIN)/sfumato predict demo/model demo/survey/test.parquet $(DEEP) --output demo/pdfs.parquet --keep id,redshift,mag_i_depth5 --statistics mean,std,mode,median,q16,q84
	$(BIN)/sfumato evaluate demo/pdfs.parquet --truth redshift --magnitude mag_i_depth5 --output demo/evaluation
	$(BIN)/sfumato stack demo/pdfs.parquet --by mode --edges 0,0.4,0.7,1.0,1.4,3.0 --truth redshift --output demo/stack.parquet
	$(BIN)/sfumato study demo/model demo/survey --output demo/report.html
	@echo "$(CURDIR)/demo/report.html"

# every lower bound of pyproject.toml, met exactly
.venv-oldest/.done: pyproject.toml
	$(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	grep -oE '"[A-Za-z0-9-]+(\[[a-z]+\])?>=[0-9.]+"' pyproject.toml | grep -v '^"hatchling' | \
		sed -E 's/"//g; s/\[[a-z]+\]//; s/>=/==/' > .venv-oldest/constraints.txt
	.venv-oldest/bin/python -m pip install --quiet --constraint .venv-oldest/constraints.txt --group test --editable '.[io,photoz,tune]'
	@touch $@

# what the registry has today, on the newest Python there is
.venv-newest/.done: pyproject.toml
	$(NEWEST) -m venv .venv-newest
	.venv-newest/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	.venv-newest/bin/python -m pip install --quiet --upgrade --upgrade-strategy eager \
		--group test --editable '.[io,photoz,tune]'
	@touch $@

# old packages warn of what newer ones changed: their warnings are not ours. Shapes are the same with
# any version: `make test` checks them
test-oldest: .venv-oldest/.done
	SFUMATO_SHAPES=off .venv-oldest/bin/python -m pytest -n 2 --dist loadscope -W ignore::DeprecationWarning

test-newest: .venv-newest/.done
	SFUMATO_SHAPES=off .venv-newest/bin/python -m pytest -n 2 --dist loadscope

# one of both by the day; a fresh .venv has the newest there is for its Python already
test-bounds: .venv/.dev
	@if [ "$(BOUND)" = oldest ]; then $(MAKE) test-oldest; \
	elif [ "$$($(NEWEST) -V)" != "$$($(BIN)/python -V)" ]; then $(MAKE) test-newest; \
	else echo "The newest versions are those of .venv: make test ran with them."; fi

# the environment that test-bounds takes today
bounds: $(if $(filter oldest,$(BOUND)),.venv-oldest/.done)

test: .venv/.dev
	$(BIN)/python -m pytest -n 2 --dist loadscope

test-slow: .venv/.dev
	$(BIN)/python -m pytest -n 2 --dist worksteal -m slow

# in double precision, and every silent change of precision is an error
test-double: .venv/.dev
	JAX_ENABLE_X64=1 JAX_NUMPY_DTYPE_PROMOTION=strict \
		$(BIN)/python -m pytest -n 2 --dist loadscope tests/families tests/pdfs tests/metrics

# and every campaign of faults whole: about an hour
test-all: .venv/.dev
	SFUMATO_CAMPAIGNS=whole $(BIN)/python -m pytest -n 2 --dist loadscope -m "slow or not slow"

lint: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/codespell src tests docs examples benchmarks README.md CONTRIBUTING.md

.venv/.gallery: .venv/.dev $(wildcard examples/*.py)
	mkdir -p docs/gallery
	printf '%s\n' examples/*.py | xargs -P 2 -I script $(BIN)/python script docs/gallery
	@touch $@

docs: .venv/.dev .venv/.gallery
	$(BIN)/mkdocs build --strict --quiet

clean:
	rm -rf .venv .venv-oldest .venv-newest demo site docs/gallery
