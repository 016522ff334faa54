# SPDX-License-Identifier: BSD-2-Clause
#
#   make               the tool, at build/ringspan
#   make demo          installs what is missing, builds, traces a bundled agent, prints its tree (root)
#   make test          installs what is missing, builds, runs every test (root for the last two groups)
#   make check         the tests that need no privilege
#   make lint          layers, licences, formatting, clang-tidy, cppcheck, compiles for arm64
#   make coverage      the tests that need no privilege, with sanitizers; which lines they ran
#   make fuzz T=60     fuzzes every parser, so many seconds in all
#   make corpus CORPUS=DIR   parsers against recorded provider traffic
#   make test-vm KERNELS="5.10 6.12"   Debian's kernels under qemu, and the BPF tests in them (some eight minutes each)
#   make bench         what `record` sustains and costs (root), and bench-replay
#   make bench-replay  spans a second and memory of a replay, up to a million spans
#   make bench-syscalls  what a system call costs, beside other tools (root)
#   make bench-tls     what a probed TLS call costs (root)
#   make bench-functions  what a call of a probed function costs, beside bpftrace (root)
#   make bench-sched  what a switch of threads costs (root)
#   make bench-profile  what samples of stacks cost (root)
#   make bench-agent   what being traced costs an agent (root, ten minutes)
#   make bench-attach  how long `attach --all` takes among 500 processes (root)
#   make soak T=600    50 agents at once, with errors and restarts: no tree is wrong, memory is flat (root)
#   make harmless ROUNDS=200  kills ringspan at random moments, and comes and goes, beside TLS clients (root)
#   make storm       `record` of 10,000 short processes in a minute, of arguments of 2 MiB, and of process ids
#                    that are given again at once (root)
#   make install PREFIX=/usr/local DESTDIR=
#
#   V=1 shows commands, DEBUG=1 builds with gcc's sanitizers, OUT=DIR builds elsewhere

OUT     ?= build
PREFIX  ?= /usr/local
CLANG   ?= clang
# Debian puts it in /usr/sbin, which is not everybody's PATH
BPFTOOL ?= $(firstword $(shell command -v bpftool) $(wildcard /usr/sbin/bpftool /sbin/bpftool) bpftool)
ARCH    ?= $(shell uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')
ifeq ($(origin CC),default)
  CC    := gcc
endif
comma   := ,

PKGS     := libbpf libelf zlib libzstd libbrotlidec libnghttp2 sqlite3 libxxhash libseccomp libcap-ng ncursesw
WARN     := -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -Wvla -Wshadow -Wundef
SANITIZE := $(if $(DEBUG),-fsanitize=address$(comma)undefined -fno-sanitize-recover=undefined)
CFLAGS   ?= -g $(if $(DEBUG),-O1 -fno-omit-frame-pointer,-O2)
# One build for sanitizers, fuzzing and coverage, in a folder of its own: see san-build.  Pointer
# overflow is left out because it takes NULL + 0 for one, which every compiler makes NULL.
ifeq ($(INSTRUMENT),1)
  override CC := $(CLANG)
  SANITIZE    := -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize=pointer-overflow \
	-fno-sanitize-recover=undefined -fprofile-instr-generate -fcoverage-mapping
  CFLAGS      := -gline-tables-only -O1 -fno-omit-frame-pointer
endif
CFLAGS_  := -std=gnu11 $(CFLAGS) $(WARN) $(SANITIZE)
CPPFLAGS_ = $(CPPFLAGS) -D_GNU_SOURCE -Ibpf -Iuser -Ischemas -I$(OUT) $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LDLIBS_   = $(shell pkg-config --libs $(PKGS)) -lZydis -lm
TEST_LIBS = $(shell pkg-config --libs cmocka)
# <asm/types.h>; Debian has those of another machine elsewhere
KERNEL_HEADERS ?= /usr/include/$(shell $(CC) -print-multiarch)
BPFFLAGS := -target bpf -g -O2 -mcpu=v3 -Wall -Werror -D__TARGET_ARCH_$(ARCH) -Ibpf -Ivmlinux/$(ARCH) \
	-idirafter $(KERNEL_HEADERS)

ifeq ($(V),1)
  Q :=
  say :=
else
  Q := @
  say = @printf '  %-5s %s\n' $(1) $@;
endif

BPF_SRC   := $(sort $(wildcard bpf/*.bpf.c))
USER_SRC  := $(sort $(wildcard user/*.c user/*/*.c))
LIB_OBJ   := $(patsubst %.c,$(OUT)/%.o,$(filter-out user/main.c,$(USER_SRC)))
UNIT      := $(patsubst tests/unit/%.c,$(OUT)/unit/%,$(sort $(wildcard tests/unit/*.c)))
BPF_TEST  := $(patsubst tests/bpf/%.c,$(OUT)/bpf-test/%,$(sort $(wildcard tests/bpf/*.c)))
BPF_TEST  := $(filter-out %.bpf,$(BPF_TEST))
TEST_SKEL := $(patsubst tests/bpf/%.bpf.c,$(OUT)/test_%.skel.h,$(wildcard tests/bpf/*.bpf.c))
C_ALL      = $(shell git ls-files --cached --others --exclude-standard '*.c' '*.h')

all: $(OUT)/ringspan

# --- BPF: an object a file, linked into one, which gives one skeleton
$(OUT)/%.bpf.o: %.bpf.c
	@mkdir -p $(@D)
	$(call say,BPF)$(CLANG) $(BPFFLAGS) -MMD -MP -c $< -o $@

$(OUT)/ringspan.bpf.o: $(BPF_SRC:%.c=$(OUT)/%.o)
	$(call say,LINK)$(BPFTOOL) gen object $@ $^

$(OUT)/ringspan.skel.h: $(OUT)/ringspan.bpf.o
	$(call say,SKEL)$(BPFTOOL) gen skeleton $< name ringspan_bpf > $@

$(OUT)/test_%.skel.h: $(OUT)/tests/bpf/%.bpf.o
	$(call say,SKEL)$(BPFTOOL) gen skeleton $< name test_$* > $@

# --- user space: everything but main.c is a library, so the tests link what ships
$(OUT)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CPPFLAGS_) $(CFLAGS_) -MMD -MP -c $< -o $@

# what -MMD cannot see: generated headers before the first build, files that the assembler includes
$(patsubst %.c,$(OUT)/%.o,$(wildcard user/probe/*.c)): | $(OUT)/ringspan.skel.h
$(OUT)/user/span/embed.o: schemas/store.sql schemas/span.schema.json schemas/prices.json
$(BPF_TEST:$(OUT)/bpf-test/%=$(OUT)/tests/bpf/%.o): | $(OUT)/ringspan.skel.h $(TEST_SKEL)

$(OUT)/libringspan.a: $(LIB_OBJ)
	$(call say,AR)rm -f $@ && $(AR) rcs $@ $^

$(OUT)/ringspan: $(OUT)/user/main.o $(OUT)/libringspan.a
	$(call say,LD)$(CC) $(CFLAGS_) $(LDFLAGS) $^ $(LDLIBS_) -o $@

# --- tests: a file is a test
$(OUT)/unit/%: $(OUT)/tests/unit/%.o $(OUT)/libringspan.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(CFLAGS_) $(LDFLAGS) $^ $(LDLIBS_) $(TEST_LIBS) -o $@

$(addprefix $(OUT)/unit/,prop_order prop_loss prop_usage prop_profile): $(OUT)/tests/bench/agents.o

$(OUT)/bpf-test/%: $(OUT)/tests/bpf/%.o $(OUT)/libringspan.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(CFLAGS_) $(LDFLAGS) $^ $(LDLIBS_) $(TEST_LIBS) -o $@

# its victim's stack is what the test is about: each function has a frame
$(addprefix $(OUT)/tests/bpf/,signal.o sample.o): CFLAGS_ += -O0 -fno-omit-frame-pointer

$(OUT)/tests/bpf/load.o: tests/bpf/budget.tsv

$(addprefix $(OUT)/bpf-test/,sites tls_odd tls_nss): TEST_LIBS += $(shell pkg-config --libs openssl)

$(OUT)/case-run: $(patsubst %.c,$(OUT)/%.o,$(wildcard tests/case/*.c)) $(OUT)/libringspan.a
	$(call say,LD)$(CC) $(CFLAGS_) $(LDFLAGS) $^ $(LDLIBS_) -o $@

$(OUT)/corpus-run: $(patsubst %.c,$(OUT)/%.o,$(wildcard tests/corpus/*.c)) $(OUT)/libringspan.a
	$(call say,LD)$(CC) $(CFLAGS_) $(LDFLAGS) $^ $(LDLIBS_) -o $@

# All of the tool but its link, for the other machine: Debian's libraries have the same headers on both.
arm64:
	$(Q)$(MAKE) --no-print-directory OUT=$(OUT)/arm64 ARCH=arm64 CC=aarch64-linux-gnu-gcc \
		CPPFLAGS="-idirafter /usr/include" CFLAGS=-O1 \
		KERNEL_HEADERS=/usr/aarch64-linux-gnu/include \
		$(OUT)/arm64/libringspan.a $(OUT)/arm64/user/main.o

# only with INSTRUMENT=1: its libFuzzer is clang's
$(OUT)/fuzz: $(patsubst %.c,$(OUT)/%.o,$(wildcard tests/fuzz/*.c)) $(OUT)/tests/case/driver.o $(OUT)/tests/case/driver_db.o $(OUT)/libringspan.a
	$(call say,LD)$(CC) $(CFLAGS_) -fsanitize=fuzzer $(LDFLAGS) $^ $(LDLIBS_) -o $@

san-build: $(OUT)/ringspan $(UNIT) $(OUT)/case-run $(OUT)/fuzz

tests-build: $(OUT)/ringspan $(UNIT) $(BPF_TEST) $(OUT)/case-run

# --- what a user calls.  Packages first: only then can a fresh machine's pkg-config answer.
demo:
	$(Q)tests/deps.sh demo
	$(Q)$(MAKE) --no-print-directory all
	$(Q)tests/demo/demo.sh $(OUT)/ringspan

build-san:
	$(Q)$(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j $(shell nproc)) \
		OUT=$(OUT)/san INSTRUMENT=1 san-build

test:
	$(Q)tests/deps.sh test
	$(Q)$(MAKE) --no-print-directory tests-build
	$(Q)$(MAKE) --no-print-directory build-san
	$(Q)OUT=$(OUT) tests/run.sh all

check:
	$(Q)$(MAKE) --no-print-directory tests-build
	$(Q)OUT=$(OUT) tests/run.sh lint unit case golden

.PHONY: test-vm
test-vm:
	$(Q)tests/deps.sh test
	$(Q)$(MAKE) --no-print-directory tests-build
	$(Q)OUT=$(OUT) tests/vm/run.sh $(KERNELS)

lint:
	$(Q)OUT=$(OUT) tests/run.sh lint

coverage: build-san
	$(Q)OUT=$(OUT) tests/run.sh san

fuzz: build-san
	$(Q)OUT=$(OUT) tests/fuzz/run.sh time $(or $(T),60)

corpus: $(OUT)/corpus-run
	$(Q)tests/corpus/run.sh $(OUT)/corpus-run $(CORPUS)

$(OUT)/tls_load: tests/bench/tls_load.c
	$(call say,LD)$(CC) $(CPPFLAGS_) $(CFLAGS_) $< $(shell pkg-config --libs openssl) -o $@

bench: $(OUT)/ringspan $(OUT)/tls_load bench-replay
	$(Q)tests/bench/record.py $(OUT)/ringspan $(OUT)/tls_load

$(OUT)/generate: $(OUT)/tests/bench/generate.o $(OUT)/tests/bench/agents.o $(OUT)/libringspan.a
	$(call say,LD)$(CC) $(CFLAGS_) $(LDFLAGS) $^ $(LDLIBS_) -o $@

bench-replay: $(OUT)/ringspan $(OUT)/generate
	$(Q)tests/bench/replay.py $(OUT)/ringspan $(OUT)/generate

$(OUT)/tls_cost: $(OUT)/tests/bench/tls_cost.o $(OUT)/tests/bench/peer.o $(OUT)/libringspan.a
	$(call say,LD)$(CC) $(CFLAGS_) $(LDFLAGS) $^ $(LDLIBS_) $(shell pkg-config --libs openssl) -o $@

$(OUT)/sys_cost: $(OUT)/tests/bench/sys_cost.o
	$(call say,LD)$(CC) $(CFLAGS_) $(LDFLAGS) $^ $(shell pkg-config --libs libbpf) -o $@

bench-syscalls: $(OUT)/ringspan $(OUT)/sys_cost
	$(Q)tests/bench/syscalls.py $(OUT)/ringspan $(OUT)/sys_cost

$(OUT)/func_cost: tests/bench/func_cost.c
	$(call say,LD)$(CC) $(CPPFLAGS_) $(CFLAGS_) $< -o $@

bench-functions: $(OUT)/ringspan $(OUT)/func_cost
	$(Q)tests/bench/functions.py $(OUT)/ringspan $(OUT)/func_cost

$(OUT)/switch_cost: tests/bench/switch_cost.c
	$(call say,LD)$(CC) $(CPPFLAGS_) $(CFLAGS_) $< -o $@

bench-sched: $(OUT)/ringspan $(OUT)/switch_cost
	$(Q)tests/bench/switch.sh $(OUT)/ringspan $(OUT)/switch_cost

bench-tls: $(OUT)/tls_cost
	$(Q)$(OUT)/tls_cost 7

bench-profile: $(OUT)/ringspan
	$(Q)tests/bench/profile.py $(OUT)/ringspan

bench-agent: $(OUT)/ringspan
	$(Q)tests/bench/agent.py $(OUT)/ringspan

bench-attach: $(OUT)/ringspan
	$(Q)tests/bench/attach.py $(OUT)/ringspan 500

.PHONY: soak
soak: $(OUT)/ringspan
	$(Q)tests/stress/soak.py $(OUT)/ringspan --seconds $(or $(T),600) $(if $(SEED),--seed $(SEED))

format:
	$(Q)clang-format -i $(C_ALL)

install: $(OUT)/ringspan
	install -D -m 755 $(OUT)/ringspan $(DESTDIR)$(PREFIX)/bin/ringspan
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|@BINDIR@|$(PREFIX)/bin|' user/ringspan.service >$(DESTDIR)$(PREFIX)/lib/systemd/system/ringspan.service

clean:
	$(Q)rm -rf $(OUT)

# Kills at random moments (SEED of an earlier run), and comings and goings.
harmless: $(OUT)/ringspan
	$(Q)tests/stress/harmless.py $(OUT)/ringspan $(or $(ROUNDS),200) $(or $(LEAVES),40) $(SEED)
.PHONY: harmless

# So many short processes, so many a minute, and 50 with arguments as long as the kernel allows.
storm: $(OUT)/ringspan
	$(Q)tests/stress/storm.py $(OUT)/ringspan $(or $(PROCESSES),10000) $(or $(RATE),10000)
	$(Q)CC="$(CC)" tests/stress/reuse.py $(OUT)/ringspan $(or $(PROCESSES),10000) --quiet
.PHONY: storm

.PHONY: all arm64 san-build build-san tests-build demo test check lint coverage fuzz corpus bench bench-replay bench-syscalls bench-functions bench-sched bench-tls bench-profile bench-agent bench-attach format install clean
.DELETE_ON_ERROR:
.SECONDARY:
-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
