#!/bin/sh
# languages_test.sh SOURCE BUILD: the examples in C++ and Rust build as programs and as modules and run; libreeve exports what
# it should. Prints TAP. What needs rustc is skipped where there is none.
source=$1
build=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
echo 1..7
number=0
check() { # a sentence, then a command
	sentence=$1
	shift
	number=$((number + 1))
	if "$@" >out.txt 2>&1; then
		echo "ok $number - $sentence"
	else
		sed 's/^/# /' out.txt
		echo "not ok $number - $sentence"
	fi
}
skip() {
	number=$((number + 1))
	echo "ok $number - $1 # SKIP there is no rustc here"
}
answers() { # input, program, capability, expected
	[ "$(printf '%s' "$1" | "./$2" --run "$3")" = "$4" ]
}
exports() { # a file exports exactly this
	[ "$(nm -D --defined-only "$1" | awk '$2 != "A" {print $3}')" = "$2" ]
}
only_reeve() {
	! nm -D --defined-only "$build/libreeve.so" | awk '$2 != "A" {print $3}' | grep -v '^reeve_'
}
check "libreeve exports only reeve_ symbols" only_reeve
libs="-L$build -lreeve -Wl,-rpath,$build -I$source/include"
# shellcheck disable=SC2086
check "the C++ worker builds as a program and as a module" sh -c "
	c++ -std=c++17 -Wall -Wextra -Werror -fPIC -pie $source/examples/worker-cpp/worker.cpp -o worker-cpp -lreeve-main $libs &&
	c++ -std=c++17 -fPIC -shared -fvisibility=hidden $source/examples/worker-cpp/worker.cpp -o worker-cpp.so $libs"
check "the C++ worker answers" answers '"drawer"' worker-cpp cpp.reverse '{"reversed":"reward"}'
check "the C++ module exports reeve_export" sh -c "nm -D --defined-only worker-cpp.so | grep -q ' reeve_export$'"
if command -v rustc >/dev/null; then
	flags="-O --edition 2021 -L $build -l reeve -C link-arg=-Wl,-rpath,$build $source/examples/worker-rust/worker.rs"
	# shellcheck disable=SC2086
	check "the Rust worker builds as a program and as a module" sh -c "
		rustc $flags -o worker-rust && rustc --cfg module --crate-type cdylib $flags -o worker-rust.so"
	check "the Rust worker answers" answers '[1, 2, 39]' worker-rust rust.sum '{"sum":42}'
	check "the Rust module exports reeve_export" exports worker-rust.so reeve_export
else
	skip "the Rust worker builds as a program and as a module"
	skip "the Rust worker answers"
	skip "the Rust module exports reeve_export"
fi
