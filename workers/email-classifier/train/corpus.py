#!/usr/bin/env python3
"""corpus.py - a folder of labelled mail becomes training lines: {"id","group","y","subject","from","message_id","text"}, one a message.

DIR holds ham.mbox and spam.mbox. The messages are read by the worker that reads them in production, `email.parse`, so that a
model sees exactly what it will be asked about. Near-identical messages get one `group`; groups, not messages, are what the
trainer deals to its folds and to the part it tests on. `id` is the SHA-256, shortened, of Message-ID, sender and date: so
labels.csv (id,type,label) names a message without quoting it.

    corpus.py --parser build/workers/email-parser/email-parser --mail DIR --type spam|bill|receipt|category > corpus.ndjson

For spam the folder is the label. Bills and receipts: what labels.csv does not name is none. Category: only what it names.
"""
import argparse, csv, hashlib, json, os, re, subprocess, sys, tempfile, zlib


def items(parser, path):
    with tempfile.TemporaryDirectory() as scratch:
        out = os.path.join(scratch, "items")
        subprocess.run([parser, "--run", "email.parse", "--input", path, "--items", out, "--output", os.path.join(scratch, "result")],
                       stdin=subprocess.DEVNULL, check=True)
        with open(out, encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)


def identity(item):
    told = "\0".join(str(item.get(k)) for k in ("message_id", "from", "date"))
    return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()[:16]


def shingles(text):
    words = re.findall(r"[a-z]+", text.lower())[:400]
    return {zlib.crc32(" ".join(words[i:i + 4]).encode()) for i in range(max(1, len(words) - 3))}


def groups(texts):
    """Union of messages of which 24 MinHash values, in 8 bands of 3, agree in a band."""
    parent = list(range(len(texts)))

    def find(i):
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    seen = {}
    for i, text in enumerate(texts):
        grams = shingles(text)
        low = [min((g * (2 * k + 3) * 2654435761 + k * 40503) & 0xffffffff for g in grams) for k in range(24)]
        for band in range(8):
            key = (band, *low[3 * band:3 * band + 3])
            parent[find(i)] = find(seen.setdefault(key, i))
    return [find(i) for i in range(len(texts))]


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--mail", required=True)
    args.add_argument("--parser", required=True)
    args.add_argument("--type", required=True, choices=["spam", "bill", "receipt", "category"])
    args = args.parse_args()
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "labels.csv"), newline="") as table:
        labels = {row["id"]: row["label"] for row in csv.DictReader(table) if row["type"] == args.type}
    default = {"bill": "not_bill", "receipt": "not_receipt"}.get(args.type)
    rows = []
    for folder in ("ham", "spam"):
        for item in items(args.parser, f"{args.mail}/{folder}.mbox"):
            row = {"id": identity(item), **{k: item.get(k) or "" for k in ("subject", "from", "message_id", "text")}}
            row["y"] = {"ham": "not_spam", "spam": "spam"}[folder] if args.type == "spam" else labels.get(row["id"], default)
            rows.append(row)
    for row, group in zip(rows, groups([r["subject"] + "\n" + r["text"] for r in rows])):
        if row["y"]:
            print(json.dumps({**row, "group": "g%d" % group}))


main()
