#!/usr/bin/env python3
"""templates.py - writes mail: bills, receipts, business, personal, marketing and support letters, and what only looks like them.

Real mail with such labels is private, so this is written, not found: sentences with holes (phrases.py), put together in many
lengths, with and without subject, sender and greeting. Every line has the four labels and is grouped by its main sentence, so
that a fold is tested on sentences that the fit has never seen.

    templates.py --type bill|receipt|category|spam > lines.ndjson      the same lines each time (the seed is fixed)
"""
import argparse, json, random, re
import phrases

LABELS = {  # kind: (bill, receipt, category, spam)
    "bill": ("bill", "not_receipt", "business", "not_spam"),
    "receipt": ("not_bill", "receipt", "business", "not_spam"),
    "business": ("not_bill", "not_receipt", "business", "not_spam"),
    "personal": ("not_bill", "not_receipt", "personal", "not_spam"),
    "marketing": ("not_bill", "not_receipt", "marketing", None),
    "support": ("not_bill", "not_receipt", "support", "not_spam"),
    "near": ("not_bill", "not_receipt", None, "not_spam"),
    "scam": ("not_bill", "not_receipt", "marketing", "spam"),
}
COPIES = {"spam": 3, "bill": 12, "receipt": 12, "category": 12}  # real spam is there; it must not drown in ours
COLUMN = {"bill": 0, "receipt": 1, "category": 2, "spam": 3}


def money(r):
    amount = r.choice([r.uniform(3, 60), r.uniform(20, 400), r.uniform(100, 9000)])
    return r.choice(["${:,.2f}", "${:.2f}", "${:.0f}", "{:.2f} EUR", "€{:.2f}", "£{:.2f}", "USD {:.2f}", "{:,.2f} dollars"]).format(amount)


def date(r):
    month = r.choice("January February March April May June July August September October November December".split())
    day, year = r.randint(1, 28), r.randint(1998, 2031)
    return r.choice([f"{month} {day}", f"{month} {day}, {year}", f"{day} {month} {year}", f"{r.randint(1, 12):02}/{day:02}/{year}",
                     f"{year}-{r.randint(1, 12):02}-{day:02}", f"{day}.{r.randint(1, 12)}.{year}"])


def fill(r, text):
    holes = {"money": lambda: money(r), "date": lambda: date(r), "number": lambda: str(r.randint(1000, 99999999)),
             "small": lambda: str(r.randint(2, 12)), "hour": lambda: r.choice(["9 AM", "10:30", "2 PM", "3:15 pm", "noon", "16:00"])}

    def one(m):
        name = m.group(1)
        return holes[name]() if name in holes else r.choice(phrases.HOLES[name])
    for _ in range(3):
        text = re.sub(r"\{(\w+)\}", one, text)
    return text


def sender(r, kind):
    if kind in ("personal", "near") or (kind == "support" and r.random() < .7) or (kind == "business" and r.random() < .8):
        name, last = r.choice(phrases.HOLES["name"]), r.choice(phrases.HOLES["surname"])
        host = r.choice(phrases.HOLES["home"] if kind != "business" else phrases.HOLES["firmhost"])
        return f"{name} {last} <{name.lower()}.{last.lower()}@{host}>"
    role = {"bill": "billing accounts invoices service noreply", "receipt": "orders auto-confirm receipts noreply sales",
            "marketing": "news offers newsletter deals hello", "scam": "winner promo info best4u"}.get(kind, "info team hr office support")
    firm = r.choice(phrases.HOLES["firm"])
    return f"{firm} <{r.choice(role.split())}@{firm.lower().replace(' ', '')}.com>"


def noise(r):
    return r.choice(["\n\nThis message was sent to {name}@{home}. Please do not reply to this email.", "\n\nQuestions? Visit our help center or call 1-800-{number}.",
                     "\n\n{firm}, {number} Main Street", "\n\nSent from my phone", "", "", "", "", ""])


def letter(r, kind, i, main):
    subjects, extra = phrases.SUBJECTS.get(kind, [""]), phrases.EXTRA.get(kind, [])
    parts = [main] + r.sample(extra, min(len(extra), r.choice([0, 0, 1, 1, 2, 3])))
    if r.random() < .4:
        parts[0], parts[-1] = parts[-1], parts[0]
    if r.random() < .35:
        parts.insert(0, r.choice(phrases.GREETINGS))
    if r.random() < .3:
        parts.append(r.choice(phrases.CLOSINGS))
    text = r.choice([" ", " ", "\n", "\n\n"]).join(parts) + (noise(r) if r.random() < .3 else "")
    subject = r.choice(subjects) if subjects and r.random() < .6 else r.choice(["", main]) if r.random() < .3 else ""
    line = {"subject": fill(r, subject), "from": sender(r, kind) if r.random() < .5 else "", "text": fill(r, text)}
    line = {k: fill(r, v) for k, v in line.items()}
    if r.random() < .05:
        line["text"] = line["text"].upper()
    return {"id": f"{kind}{i}", "group": kind + main[:60], **line}


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--type", required=True, choices=COLUMN)
    args = args.parse_args()
    r = random.Random(20020822)
    for kind, sentences in phrases.MAIN.items():
        y = LABELS[kind][COLUMN[args.type]]
        for sentence in sentences:
            for i in range(COPIES[args.type]):
                line = letter(r, kind, i, sentence)
                if y:
                    print(json.dumps({**line, "y": y}))


main()
