# Build, test, install. Cargo does the work; this knows where things go.
#
#   make                     the tools, optimised, in target/release
#   make check               the tests
#   make install             to /usr/local; prefix=/usr and DESTDIR=... as packagers expect
#   make uninstall           with the same variables, takes it all away
#   make installcheck        the tests, on the tools that are installed
#   make completions         writes completions/ anew from the argument definitions

CARGO       ?= cargo
CARGOFLAGS  ?= --locked
INSTALL     ?= install
BINARIES    ?= target/release

prefix      ?= /usr/local
exec_prefix ?= $(prefix)
bindir      ?= $(exec_prefix)/bin
datarootdir ?= $(prefix)/share
mandir      ?= $(datarootdir)/man
docdir      ?= $(datarootdir)/doc/layerutils
bashdir     ?= $(datarootdir)/bash-completion/completions
zshdir      ?= $(datarootdir)/zsh/site-functions
fishdir     ?= $(datarootdir)/fish/vendor_completions.d

TOOLS       := $(sort $(notdir $(wildcard tools/*)))
DOCUMENTS   := $(wildcard README.md CHANGELOG.md SECURITY.md LICENSE-*)

# One line for each file: mode, what, where. Install and uninstall read the same.
define FILES
$(foreach tool,$(TOOLS),755 $(BINARIES)/$(tool) $(bindir)/$(tool))
$(foreach page,$(wildcard man/*.[1-8]),644 $(page) $(mandir)/man$(subst .,,$(suffix $(page)))/$(notdir $(page)))
$(foreach tool,$(TOOLS),644 completions/bash/$(tool) $(bashdir)/$(tool))
$(foreach tool,$(TOOLS),644 completions/zsh/_$(tool) $(zshdir)/_$(tool))
$(foreach tool,$(TOOLS),644 completions/fish/$(tool).fish $(fishdir)/$(tool).fish)
$(foreach document,$(DOCUMENTS),644 $(document) $(docdir)/$(document))
endef

# Compilers write paths of the build machine into what they make, unless they are told
# another name for each. With these names, the same sources give the same files in any directory.
PREFIXES     = "$(CURDIR)=." "$${CARGO_HOME:-$$HOME/.cargo}=/cargo" "$$($${RUSTC:-rustc} --print sysroot)=/rust"

# cargo splits RUSTFLAGS at spaces and CARGO_ENCODED_RUSTFLAGS at \037: directories may hold spaces.
all:
	@set -eu; flags=$$(printf %s "$${RUSTFLAGS:-}" | tr -s ' ' '\037'); \
	for prefix in $(PREFIXES); do \
		flags=$$(printf '%s\037%s' "$$flags" "--remap-path-prefix=$$prefix"); \
	done; \
	CARGO_ENCODED_RUSTFLAGS=$${flags#$$(printf '\037')} \
		$(CARGO) build $(CARGOFLAGS) --release $(addprefix -p ,$(TOOLS))

check:
	$(CARGO) test $(CARGOFLAGS) --workspace

# Builds nothing, so that root runs no compiler.
install:
	@set -eu; set -- $(strip $(FILES)); while [ $$# -gt 0 ]; do \
		$(INSTALL) -D -m "$$1" "$$2" "$(DESTDIR)$$3"; shift 3; \
	done

uninstall:
	@set -eu; set -- $(strip $(FILES)); while [ $$# -gt 0 ]; do \
		rm -f "$(DESTDIR)$$3"; shift 3; \
	done
	@rmdir "$(DESTDIR)$(docdir)" 2>/dev/null || :

installcheck:
	LAYERUTILS_BIN="$(DESTDIR)$(bindir)" $(CARGO) test $(CARGOFLAGS) -p layerutils-tests

completions:
	$(CARGO) run $(CARGOFLAGS) -p layerutils-tests --bin write-completions

clean:
	$(CARGO) clean

.PHONY: all check install uninstall installcheck completions clean
