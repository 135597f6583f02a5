# shellcheck shell=bash
# lib.sh: what the scripts share. Source it first; it goes to the top of the checkout.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
jobs=${REEVE_JOBS:-$(nproc)}
# Debian's own Python: the one that has meson, and the one that every Debian 12 has. For those who source this.
# shellcheck disable=SC2034
python=${PYTHON:-/usr/bin/python3}
export PYTHONDONTWRITEBYTECODE=1

say() {
	echo "== $*"
}

# build_dir DIR [-Doption…] [-- ninja-target…]: sets a build folder up where there is none, and builds. Its output is shown
# when it fails.
build_dir() {
	local dir=$1 options=() log rc=0
	shift
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	[ $# -eq 0 ] || shift
	log=$(mktemp)
	if [ ! -f "$dir/build.ninja" ]; then
		rm -rf "$dir"
		meson setup "$dir" -Dwerror=true "${options[@]}" >"$log" 2>&1 </dev/null || rc=$?
	fi
	[ "$rc" -ne 0 ] || ninja -C "$dir" -j "$jobs" "$@" >"$log" 2>&1 </dev/null || rc=$?
	[ "$rc" -eq 0 ] || { tail -n 60 "$log" >&2 && echo "build of $dir fails" >&2; }
	rm -f "$log"
	return "$rc"
}

# The binaries that people run, without the unit tests: build/reeved, build/reeve-engine, build/reeve, build/libreeve.so, build/workers/*/.
build_products() {
	build_dir build -Dtests=false
}

# Sanitizers are slow enough; -O1 and line numbers alone halve the time of their builds. The code that they weave in makes gcc
# see null formats and uninitialised values where there are none; those warnings count in the plain build only.
sanitized=(-Db_lundef=false -Doptimization=1 -Ddebug=true)

# Everything with AddressSanitizer and UndefinedBehaviorSanitizer, in build-asan/.
build_asan() {
	build_dir build-asan -Db_sanitize=address,undefined "${sanitized[@]}" \
		-Dc_args="-g1 -Wno-format-truncation -Wno-format-overflow -Wno-maybe-uninitialized -Wno-stringop-overflow -Wno-stringop-truncation -Wno-stringop-overread -Wno-nonnull"
}

# The tests of suite `threads` with ThreadSanitizer, and nothing else, in build-tsan/. By clang, so that both compilers see the code.
build_tsan() {
	CC=clang CXX=clang++ build_dir build-tsan -Db_sanitize=thread "${sanitized[@]}" -Dc_args=-g1 -- thread-tests
}
