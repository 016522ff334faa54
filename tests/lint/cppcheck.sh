#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# cppcheck, without what it is wrong about here:
#
#	resourceLeak memleak       it does not know __attribute__((cleanup)); LeakSanitizer and clang-tidy do
#	varFuncNullUB              of a NULL that is an int; this is C with a libc whose NULL is a pointer
#	nullPointerRedundantCheck  json_for_each() asks again what its caller knows
#	readdirCalled              readdir_r() is what glibc advises against
#	unknownMacro               attributes that stand where a type may
#	others                     one place each, where it does not follow a value
#
# A new place in the code that is right and that it calls wrong goes here, with its file.
. "$(dirname "$0")/lib.sh"

command -v cppcheck >/dev/null 2>&1 || {
	echo "skip - lint cppcheck: no cppcheck"
	exit 0
}

list=$(mktemp)
trap 'rm -f "$list"' EXIT
cat >"$list" <<-END
	missingIncludeSystem
	missingInclude
	resourceLeak
	memleak
	varFuncNullUB
	nullPointerRedundantCheck
	readdirCalled
	legacyUninitvar:user/proto/decode.c
	uninitvar:user/sink/store_request.c
	uninitvar:user/sink/store_profile.c
	uninitStructMember:user/sink/store_request.c
	zerodivcond:user/sink/tree_draw.c
	incorrectLogicOperator:user/sink/where_value.c
	comparePointers:user/span/embed.c
END

cppcheck --quiet --enable=warning,performance,portability --std=c11 --language=c -j "$(nproc)" \
	--suppressions-list="$list" --library=posix --library=gnu --template='{file}:{line}: {message} [{id}]' \
	-D_GNU_SOURCE -D__x86_64__ '-DLIBBPF_OPTS(type, name, ...)=struct type name = { 0 }' \
	-Ibpf -Iuser -Ischemas user 2>&1 | grep '\[' | verdict "lint cppcheck: cppcheck finds nothing"
