#!/usr/bin/env python3
"""corpus.py - a folder of labelled mail becomes training lines: {"id","group","y","subject","from","text"}, one a message.

DIR holds ham.mbox and spam.mbox. The messages are read by the worker that will read them in production, `email.parse`, so
that the model sees exactly what it will be asked about. Near-identical messages get one `group`; groups, not messages, are
what the trainer deals to its folds and to the part it tests on. `id` is the SHA-256 of subject and text, shortened; it is how
labels.csv names a message without quoting it.

    corpus.py --parser build/workers/email-parser/email-parser --mail DIR > corpus.ndjson
    corpus.py --mail DIR      (Python's own email package instead: for a look without a build)
"""
import argparse, email, email.policy, hashlib, html, json, mailbox, re, subprocess, sys, zlib


def reduce_html(text):
    text = re.sub(r"(?is)<(script|style|head|title)\b.*?</\1>", " ", text)
    text = re.sub(r"(?s)<!--.*?-->", " ", text)
    text = re.sub(r"(?is)<a\b[^>]*?href\s*=\s*[\"']?((?:http|mailto:)[^\"'\s>]*)[^>]*>(.*?)</a>", r"\2 (\1)", text)
    text = re.sub(r"(?i)<(br|p|div|tr|li|h\d)\b[^>]*>", "\n", text)
    return html.unescape(re.sub(r"(?s)<[^>]*>", " ", text))


def header(message, name):
    try:
        return str(message[name] or "")
    except Exception:
        return ""


def body(message):
    plain, rich = [], []
    for part in message.walk():
        kind = part.get_content_type()
        if part.is_multipart() or kind not in ("text/plain", "text/html"):
            continue
        raw = part.get_payload(decode=True) or b""
        try:
            text = raw.decode(part.get_content_charset() or "utf-8", "replace")
        except LookupError:
            text = raw.decode("utf-8", "replace")
        (plain if kind == "text/plain" else rich).append(text)
    return "\n".join(plain) if "".join(plain).strip() else reduce_html("\n".join(rich))


def items_by_python(path):
    for message in mailbox.mbox(path, factory=lambda f: email.message_from_binary_file(f, policy=email.policy.default)):
        yield {"subject": header(message, "subject"), "from": header(message, "from"), "text": body(message)}


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
    args.add_argument("--parser")
    args = args.parse_args()
    rows = []
    for label in ("ham", "spam"):
        path = f"{args.mail}/{label}.mbox"
        items = items_by_python(path)
        for item in items:
            item["y"] = "spam" if label == "spam" else "not_spam"
            rows.append(item)
    for row, group in zip(rows, groups([r["subject"] + "\n" + r["text"] for r in rows])):
        digest = hashlib.sha256((row["subject"] + "\0" + row["text"]).encode("utf-8", "replace")).hexdigest()[:16]
        line = {"id": digest, "group": "g%d" % group, "y": row["y"], "subject": row["subject"], "from": row["from"], "text": row["text"]}
        print(json.dumps(line, ensure_ascii=True).encode("utf-8", "replace").decode())


main()
