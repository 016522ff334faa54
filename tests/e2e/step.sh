#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A capture is walked through by commands, a line each.
. "$(dirname "$0")/lib.sh"

printf '%s\n' 'g 57' p '/ exit' what 'g 9999' q n | bounded "$RINGSPAN" replay --step "$tests/golden/demo.rsp" >out 2>err
status=$?
[ $status -eq 0 ] && ! [ -s err ]
result "commands come from a pipe" $? err
grep '^#' out | cut -d' ' -f1-4 >steps
printf '%s\n' '#57  +343ms ' '#56  +342ms ' '#57  +343ms ' '#79  the end:' | diff - steps >problems
result "forward, back, by kind, and to the end" $? problems
grep -q 'closed .* process  bash  ERROR 3' out && grep -q 'changed .* process  bash' out
result "each step tells what it changed" $? out
grep -q 'execute_tool shell  unfinished' out && grep -q '^n \[N\] next' out
result "with the tree so far, and help for what is no command" $? out
bounded "$RINGSPAN" replay --step --format ndjson "$tests/golden/demo.rsp" >out 2>err
[ $? -eq 2 ] && [ "$(wc -l <err)" -eq 1 ]
result "it is no format" $? err
