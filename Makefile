# The commands of this repository. Each is thin: what it does is said in make/, .ci/ and the rooms' own Makefiles.
#
#   make demo              builds all, runs one job per file through four languages   [INPUT=dir] [OUT=dir] [CHAOS=1]
#   make test              sets up, then lints and tests everything
#   make test-fast         the part of it that answers in minutes
#   make lint              formatting and static checks
#   make bench             the figures of bench/, beside some peers: about 12 minutes   [PARTS="limit peers"]
#   make bench-all         the same with every peer, late and idle workers, 10,000,000 waiting, the longest calls: an hour
#   make bench-guard       whether the hot paths became dearer, by instructions and commands: below a minute
#   make setup             installs what is missing (the others call it)
#   make install           the C library, its header and pkg-config file   [PREFIX=/usr/local] [DESTDIR=]

export INPUT OUT CHAOS

.PHONY: demo test test-fast lint bench bench-all bench-guard setup install
.NOTPARALLEL:

demo: setup
	@$(MAKE) --no-print-directory -C examples/pipeline run

test: setup
	@make/test.sh all

test-fast: setup
	@make/test.sh fast

lint: setup
	@make/test.sh lint

bench: setup
	@$(MAKE) --no-print-directory -C bench run

bench-all: setup
	@$(MAKE) --no-print-directory -C bench run PARTS=all

bench-guard: setup
	@$(MAKE) --no-print-directory -C bench guard

install:
	@$(MAKE) --no-print-directory -C ffi install $(if $(PREFIX),PREFIX=$(abspath $(PREFIX)))

setup:
	@make/setup.sh
