#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# run.sh runs N | time SECONDS  [TARGET...]: fuzzes each target, or those that are named, with so many
# inputs each or for so many seconds in all.  $OUT is the build folder; what is found lies in
# $OUT/fuzz-found, one file a finding, which `$OUT/san/fuzz TARGET FILE` runs again.  By time the inputs
# that reached something new are kept in $OUT/fuzz-corpus, and the next run goes on from there.
cd "$(dirname "$0")/../.." || exit 1
out=$(realpath "${OUT:-build}")
fuzz=$out/san/fuzz found=$out/fuzz-found
case ${1:-} in
runs | time) how=$1 much=${2:?how many} ;;
*)
	echo "usage: $0 runs N | time SECONDS  [TARGET...]" >&2
	exit 2
	;;
esac
shift 2
targets=("$@")
[ $# -gt 0 ] || mapfile -t targets < <("$fuzz")
tmp=$(mktemp -d "${TMPDIR:-/tmp}/fuzz.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
export LLVM_PROFILE_FILE=${LLVM_PROFILE_FILE:-/dev/null}
tests/fuzz/seeds.py "$out/san" "$tmp/seeds" || exit 1
mkdir -p "$found"

# by runs: the same inputs every time, none of them kept; the machine may be busy with others
bounds=(-rss_limit_mb=1024 -print_final_stats=1 "-artifact_prefix=$found/")
if [ "$how" = runs ]; then
	bounds+=("-runs=$much" -seed=1 -timeout=600)
else
	bounds+=(-timeout=20)
	each=$((much * ${JOBS:-$(nproc)} / ${#targets[@]}))
	bounds+=("-max_total_time=$((each > 0 ? each : 1))" -reload=0)
fi

# one NAME: runs a target, prints its line.
one() {
	local name=$1 corpus=$tmp/corpus/$1 status
	[ "$how" = runs ] || corpus=$out/fuzz-corpus/$1
	mkdir -p "$corpus"
	"$fuzz" "$name" "${bounds[@]}" "-dict=$tmp/seeds/$name.dict" "$corpus" "$tmp/seeds/$name" \
		>"$tmp/$name.log" 2>&1
	status=$?
	if [ $status -eq 0 ]; then
		echo "ok - fuzz $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$tmp/$name.log") inputs"
		return
	fi
	grep -v '^#[0-9]*.*\(NEW\|REDUCE\|RELOAD\|pulse\|INITED\)\|^[[:space:]]*NEW_FUNC\|^INFO' "$tmp/$name.log" |
		cut -c-400 | head -n 60 | sed 's/^/# /'
	echo "not ok - fuzz $name: exit code $status"
}

failed=0
while IFS= read -r line; do
	echo "$line"
	[[ $line != "not ok"* ]] || failed=1
done < <(
	for name in "${targets[@]}"; do
		while [ "$(jobs -rp | wc -l)" -ge "${JOBS:-$(nproc)}" ]; do
			wait -n
		done
		one "$name" &
	done
	wait
)
exit $failed
