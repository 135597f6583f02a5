#!/usr/bin/env bash
# train.sh - makes models/*.model again, and prints what they are worth (the figures in the README).
#
#     train/train.sh --mail DIR [--parser PROGRAM] [--trainer PROGRAM] [--out DIR] [TYPE…]
#
# BARE=--bare in the environment tests on subject, sender and text alone (and writes the same models). ERRORS=PREFIX lists the messages that were judged wrongly in PREFIX.TYPE.
#
# DIR holds ham.mbox and spam.mbox. The programs default to those of a meson build in build/ at the top of the project.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../../.." && pwd)
mail='' out=$here/../models parser=$top/build/workers/email-parser/email-parser trainer=$top/build/workers/email-classifier/trainer
types=()
while [ $# -gt 0 ]; do
	case $1 in
	--mail) mail=$2 && shift 2 ;;
	--parser) parser=$2 && shift 2 ;;
	--trainer) trainer=$2 && shift 2 ;;
	--out) out=$2 && shift 2 ;;
	spam | bill | receipt | category) types+=("$1") && shift ;;
	*) echo "train.sh: unknown: $1; usage: train.sh --mail DIR [--parser P] [--trainer P] [--out DIR] [spam|bill|receipt|category…]" >&2 && exit 2 ;;
	esac
done
[ -f "$mail/ham.mbox" ] && [ -f "$mail/spam.mbox" ] || { echo "train.sh: --mail must name a folder with ham.mbox and spam.mbox, not '$mail'" >&2; exit 2; }
[ ${#types[@]} -gt 0 ] || types=(spam bill receipt category)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"
for type in "${types[@]}"; do
	case $type in
	category) labels=business,personal,marketing,support ;;
	*) labels=$type,not_$type ;;
	esac
	python3 "$here/corpus.py" --parser "$parser" --mail "$mail" --type "$type" >"$work/mail"
	python3 "$here/templates.py" --type "$type" >"$work/templates"
	# Spam is measured on real mail only. Of the other types there is next to no real mail: their figures are of templates, too.
	# And a false alarm costs more than a miss, so the odds of spam are shaded: --alarms. C is fixed, as beside 8 nothing is better.
	case $type in
	spam)
		# Of the written good mail a ninth is enough: more of it makes every real advertisement look like spam.
		awk '/"y": "spam"/ || n++ % 9 == 0' "$work/templates" >"$work/thinned" && mv "$work/thinned" "$work/templates"
		;;
	esac
	case $type in
	spam) written=+$work/templates how=(--blocks --c 8 --alarms 0.006) ;;
	*) written=$work/templates how=() ;;
	esac
	echo "== $type"
	"$trainer" --labels "$labels" "${how[@]}" ${BARE:+"$BARE"} --out "$out/$type.model" ${ERRORS:+--errors "$ERRORS.$type"} "$work/mail" "$written"
done
