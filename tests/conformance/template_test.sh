#!/bin/sh
# template_test.sh SOURCE BUILD: a folder as `reeve worker new` writes it builds, runs and passes its tests. Prints TAP.
name=my-words
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for file in "$1"/tools/worker-template/*; do
	to=$folder/$(basename "$file")
	sed "s/@NAME@/$name/g" "$file" >"$to"
	chmod --reference="$file" "$to"
done
cd "$folder" || exit 1
export PKG_CONFIG_PATH="$2/meson-uninstalled"
echo 1..3
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
check "a new worker builds as a program and as a module" make -s CC="${CC:-cc}" LDFLAGS="${TEMPLATE_LDFLAGS:-}"
check "it passes its own tests" make -s test
check "its module exports reeve_export and nothing else" sh -c "[ \"\$(nm -D --defined-only $name.so | awk '{print \$3}')\" = reeve_export ]"
