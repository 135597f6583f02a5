# The newcomer's front door. Everything real happens in meson and script/; each target is one call.
PREFIX ?= /usr/local
DESTDIR ?=

.PHONY: all demo test lint size bench format install clean help

all: ## build the products in build/ (installs missing Debian packages)
	@script/build

demo: ## a mailbox through the parser and the classifier; FILE=my.mbox takes yours
	@script/demo $(FILE)

test: ## every test, with sanitizers; NAME=semver selects
	@script/test $(NAME)

lint: ## layers, format, scripts
	@script/lint

size: ## how long functions and files are
	@tools/check-size

bench: ## list the benchmarks; NAME=queue runs one
	@script/bench $(NAME)

format: ## let clang-format mend every C file
	@git ls-files -z '*.c' '*.h' '*.cc' '*.cpp' '*.hpp' | xargs -0r clang-format -i

install: ## install to PREFIX (/usr/local), below DESTDIR if that is set
	@script/install "$(PREFIX)" "$(DESTDIR)"

clean: ## remove the build folders
	@rm -rf build build-*/

help: ## this list
	@sed -n 's/^\([a-z]*\): ## /\1\t/p' Makefile | expand -t 12
