# The few words. Everything runs in .venv, which is made on first use and again when a requirement changes.
#
#   make try                              four methods on one tiny model: about a minute, once installed
#   make bench                            the whole benchmark, embedded: pytest suites/
#   make bench ARGS="-k in_domain -n 2"   the same with pytest's and mergeboard's options
#   make test                             mergeboard's own tests, by two workers: minutes
#   make whole                            those that are left out there: sessions and the site from beginning to end
#   make check                            lint and types
#   make publish                          copy this machine's records to leaderboard/results and write the tables
#   make docs                             write all pages again from committed records, and the site into site/
#   make clean                            remove .venv and caches; results and checkpoints in .mergeboard stay

PYTHON ?= python3
ARGS ?=
RUN := .venv/bin/python -m
# What only tests, the site and plug-ins need is in the second one alone.
BASIC := .venv/basic
READY := .venv/ready

.PHONY: try bench test whole check publish docs clean

try: $(BASIC)
	$(RUN) pytest suites/test_emotion.py --engine=inline -p no:benchmark -k in_domain --model=tiny-encoder --seeds=1 \
	  --heads=same --method=ensemble --method=greedy_soup --method=simple --method=ties --method=avg --method=best $(ARGS)

bench: $(READY)
	$(RUN) pytest suites/ $(ARGS)

test: $(READY)
	$(RUN) pytest -n 2 $(ARGS)

whole: $(READY)
	$(RUN) pytest -n 2 -m whole $(ARGS)

check: $(READY)
	$(RUN) ruff check .
	$(RUN) mypy

publish: $(READY)
	$(RUN) leaderboard publish $(ARGS)

docs: $(READY)
	$(RUN) tests.test_docs
	$(RUN) leaderboard publish --results leaderboard/results
	$(RUN) leaderboard site

clean:
	rm -rf .venv site build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .benchmarks
	find . -name __pycache__ -not -path './.mergeboard/*' -prune -exec rm -rf {} +

$(BASIC): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	.venv/bin/pip install -c constraints.txt -e .
	touch $@

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	.venv/bin/pip install -c constraints.txt -e '.[dev]'
	touch $@ $(BASIC)
