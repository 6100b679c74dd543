#!/usr/bin/env python3
"""Queries of our own over mail that nobody made for the purpose, judged by plain Python.

usage: own_queries.py [--archctl PATH] [--seed N]

Imports real mailing-list mail and test mail of other programs (ARCH_CORPUS, else ../shared/corpus), and asks some 200 queries of each
kind of the language: words, wildcards, phrases, NEAR, exact spelling, people, domains, subjects, dates, sizes, ids, lists, negation,
groups. Words and names are drawn from the mails by a fixed seed. What has to be found is known from Python's email package and a tokeniser
of a few lines, not from the engine: for each query the mails that must be found and those that may be (a compound written together,
words on both sides of a quotation). Judged are mails whose text is plain. Then each word again with widening: nothing may be lost, and every
further hit has to hold a word of the same beginning. The snippet of every judged hit is held against the mail (snippets.py).

Exit status: 0 all right, 1 something is wrong, 77 there is no corpus (or no zstd).
"""
import argparse
import collections
import email
import email.policy
import email.utils
import hashlib
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import unicodedata

import snippets

SOURCE = pathlib.Path(__file__).resolve().parents[2]
CORPUS = pathlib.Path(os.environ.get("ARCH_CORPUS", SOURCE / "../shared/corpus"))
parser = argparse.ArgumentParser()
parser.add_argument("--archctl", default=str(pathlib.Path(os.environ.get("ARCH_BIN", SOURCE / "build/release/bin")) / "archctl"))
parser.add_argument("--seed", type=int, default=1)
options = parser.parse_args()
if not (CORPUS / "hard").is_dir() or not (CORPUS / "real/bench-28k.tar.zst").is_file():
    print("SKIPPED own queries: no corpus here")
    sys.exit(77)

SPECIAL = str.maketrans({"œ": "oe", "æ": "ae", "ß": "ss", "ø": "o", "ł": "l", "đ": "d", "ı": "i", "\u00ad": None, "\u200b": None,
                         "\u200c": None, "\u200d": None, "\ufeff": None, "\u2060": None, "\u0640": None})
WIDE = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def fold(text):
    text = unicodedata.normalize("NFKC", text).casefold().translate(SPECIAL)
    return "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")


def words(text):
    return re.findall(r"[^\W_]+", fold(text))


class Mail:
    """What Python makes of a message; `judged` when there is no doubt about its text."""

    def __init__(self, data):
        self.data = data
        self.id = hashlib.sha256(data).hexdigest()
        message = email.message_from_bytes(data, policy=email.policy.compat32)
        self.judged, lines = not message.defects, []
        for part in message.walk():
            if part.get_content_maintype() == "message":
                self.judged = False  # reports and enclosed mail: what counts as text there is a matter of taste
            if part.is_multipart():
                continue
            charset = (part.get_content_charset() or "us-ascii").lower()
            plain = part.get_content_type() == "text/plain" and part.get_content_disposition() != "attachment" and not part.get_filename()
            payload = part.get_payload(decode=True) or b""
            try:
                text = payload.decode(charset)
            except (LookupError, UnicodeDecodeError):
                plain, text = False, ""
            if not plain or WIDE.search(text) or b"\0" in payload or "begin 6" in text or "=ybegin" in text or len(payload) > 200_000:
                self.judged = False
            lines += text.splitlines()
        def header(name):
            values = message.get_all(name) or []
            try:
                return [str(email.header.make_header(email.header.decode_header(str(value)))) for value in values]
            except (LookupError, UnicodeDecodeError, ValueError):
                self.judged = False
                return []
        self.subject = " ".join(header("subject")[:1])
        self.people = {name: [(fold(who), fold(address).strip()) for who, address in email.utils.getaddresses(header(name)) if address]
                       for name in ("from", "to", "cc")}
        if len(header("from")) != 1 or any("@" not in address or " " in address for people in self.people.values() for _, address in people):
            self.judged = False
        self.message_id = (header("message-id") or [""])[0].strip().strip("<>")
        self.list_id = fold(re.sub(r".*<|>.*", "", " ".join(header("list-id")), flags=re.S))
        date = email.utils.parsedate_tz((header("date") or [""])[0])
        self.day = None
        if date:
            try:
                self.day = email.utils.mktime_tz(date) // 86400
            except (OverflowError, ValueError):
                pass
        received = re.search(r";\s*([^;]*)$", (message.get_all("received") or [""])[0], re.S)
        self.received = email.utils.parsedate_tz(received.group(1)) if received else None
        # Quotations are told by their sign here; a mail program's own ways of citing only move words between the two.
        own = [line for line in lines if not line.lstrip().startswith(">")]
        cited = [line for line in lines if line.lstrip().startswith(">")]
        self.pieces = [words(self.subject), words("\n".join(own)), words("\n".join(cited)), words("\n".join(lines))]
        self.lines = [words(line) for line in lines] + [words(self.subject)]
        names = [word for people in self.people.values() for who, _ in people for word in words(who)]
        self.words = set().union(*self.pieces) | set(names)
        self.text_words = set().union(*self.pieces)
        # What a compound gives when its signs fall away.
        self.joined = set(re.findall(r"[^\W_]+", re.sub(r"(?<=\w)[-'’.,/_:\u2010\u2011\u00a0](?=\w)", "", fold("\n".join([self.subject] + lines + [
            who for people in self.people.values() for who, _ in people])))))
        self.raw = "\n".join([self.subject] + lines)

    def has_line(self, sequence):
        return any(sequence == line[i : i + len(sequence)] for line in self.lines for i in range(len(line) - len(sequence) + 1))

    def has_piece(self, sequence):
        return any(sequence == piece[i : i + len(sequence)] for piece in self.pieces for i in range(len(piece) - len(sequence) + 1))


work = tempfile.TemporaryDirectory()
root = pathlib.Path(work.name)
unpack = subprocess.run(["tar", "--use-compress-program=zstd -d --long=27", "-C", root, "-xf", CORPUS / "real/bench-28k.tar.zst", "--wildcards", "usrp-users/*",
                         "spamassassin/hard_ham/*"], stderr=subprocess.DEVNULL)
if unpack.returncode != 0:
    print("SKIPPED own queries: tar or zstd cannot unpack the real mail")
    sys.exit(77)
folder = root / "mail"
folder.mkdir()
mails = {}
for path in sorted([*(root / "usrp-users").rglob("*"), *(root / "spamassassin").rglob("*"), *(CORPUS / "hard").glob("*.eml")]):
    if path.is_file():
        data = path.read_bytes()
        data = data[data.index(b"\n") + 1 :] if data.startswith(b"From ") else data
        try:
            mail = Mail(data)
        except (RecursionError, ValueError, IndexError, AttributeError, TypeError):
            continue  # Python's parser gives up; the other tests have these
        if mail.id not in mails and data:
            mails[mail.id] = mail
            (folder / (mail.id + ".eml")).write_bytes(data)
judged = {key: mail for key, mail in mails.items() if mail.judged}

config = root / "utc.toml"
config.write_text('[archive]\ntimezone = "UTC"\n')


def archctl(*arguments, codes=(0,)):
    done = subprocess.run([options.archctl, "--archive", root / "archive", "--config", config, *arguments], capture_output=True)
    if done.returncode not in codes:
        sys.exit(f"archctl {arguments}: exit {done.returncode}: {done.stderr.decode(errors='replace')}")
    return done.stdout


archctl("init", root / "archive")
archctl("import", "--quiet", folder)


sources, shown, untrue = {}, collections.Counter(), []


def check_snippets(query, hits, widened):
    for hit in hits:
        if hit["id"] not in judged:
            continue
        if hit["id"] not in sources:
            sources[hit["id"]] = snippets.Source(judged[hit["id"]].data)
        shown["marked" if hit["snippet_marks"] else "not marked"] += 1
        shown[hit["snippet_where"] or "no text"] += 1
        untrue.extend(f"{query}, hit {hit['id'][:12]}: {fault}" for fault in snippets.faults(query, hit, sources[hit["id"]], widened))
        if hit["snippet_marks"]:
            untrue.extend(f"{query}, hit {hit['id'][:12]}: the judge lets pass {each}" for each in snippets.unnoticed(query, hit, sources[hit["id"]], widened))


def found(query, *more):
    answer = json.loads(archctl("search", "--json", "--limit", "10000", *more, "--", query, codes=(0, 1)))
    check_snippets(query, answer["hits"], "--no-widen" not in more)
    return {digest for hit in answer["hits"] for digest in [hit["id"], *hit["variants"]]} & set(judged)


# ── the queries ──

rng = random.Random(options.seed)
frequency = collections.Counter(word for mail in judged.values() for word in mail.words)
middle = sorted(word for word, count in frequency.items() if 2 <= count <= 300 and 3 <= len(word) <= 20 and word.isalpha() and word.isascii())
rare = sorted(word for word, count in frequency.items() if count == 1 and 6 <= len(word) <= 20 and word.isalnum())
accented = sorted({word for mail in judged.values() for word in re.findall(r"[^\W\d_]+", mail.raw) if fold(word) != word.lower() and 3 <= len(word) <= 20})
addresses = collections.Counter(address for mail in judged.values() for _, address in mail.people["from"])
ids = sorted(mail.message_id for mail in judged.values() if re.fullmatch(r"[\w.@+-]+", mail.message_id or ""))
queries = []  # (kind, query, must, may): functions of a mail


def add(kind, query, must, may=None):
    queries.append((kind, query, must, may or must))


def word(text):
    return (lambda mail: text in mail.words), (lambda mail: text in mail.words or text in mail.joined)


def both(a, b):
    return lambda mail: a(mail) and b(mail)


def either(a, b):
    return lambda mail: a(mail) or b(mail)


for each in rng.sample(middle, 40):
    add("word", rng.choice([each, each.upper(), each.capitalize()]), *word(each))
for each in rng.sample(rare, 15):
    add("rare word", each, *word(each))
for each in rng.sample(accented, min(12, len(accented))):
    add("accents", rng.choice([each, fold(each), each.upper()]), *word(fold(each)))
for each in rng.sample(accented, min(8, len(accented))):
    spelled = lambda mail, each=each: unicodedata.normalize("NFC", each.casefold()) in {
        unicodedata.normalize("NFC", unicodedata.normalize("NFKC", token).casefold()) for token in re.findall(r"(?:[^\W_]|[\u0300-\u036f\u0610-\u061a\u064b-\u065f\u0670])+", mail.raw)}
    add("exact", '="' + each + '"', spelled)
for _ in range(15):
    a, b = rng.sample(middle, 2)
    (must_a, may_a), (must_b, may_b) = word(a), word(b)
    add("both", f"{a} {b}", both(must_a, must_b), both(may_a, may_b))
    add("either", f"{a} OR {b}", either(must_a, must_b), either(may_a, may_b))
for _ in range(8):
    a, b = rng.sample(middle[: len(middle)], 2)
    (must_a, may_a), (must_b, may_b) = word(a), word(b)
    add("without", f"{a} -{b}", lambda mail, a=must_a, b=may_b: a(mail) and not b(mail), lambda mail, a=may_a, b=must_b: a(mail) and not b(mail))
for each in rng.sample(middle, 12):
    begin = each[: max(3, len(each) - 2)]
    add("wildcard", begin + "*", lambda mail, begin=begin: any(each.startswith(begin) for each in mail.words),
        lambda mail, begin=begin: any(each.startswith(begin) for each in mail.words | mail.joined))
pool = [line for mail in judged.values() for line in mail.lines if len(line) >= 5]
for size in (2, 3, 4):
    for line in rng.sample(pool, 9):
        at = rng.randrange(len(line) - size + 1)
        sequence = line[at : at + size]
        add("phrase", '"' + " ".join(sequence) + '"', lambda mail, s=sequence: mail.has_line(s), lambda mail, s=sequence: mail.has_piece(s))
for line in rng.sample(pool, 8):
    a, b = line[0], line[3]
    if a == b or a.isdigit() or b.isdigit():
        continue
    def close(mail, lists, a=a, b=b):
        return any(abs(i - j) <= 3 for each in lists(mail) for i, x in enumerate(each) if x == a for j, y in enumerate(each) if y == b)
    add("near", f"{a} NEAR/3 {b}", lambda mail, close=close: close(mail, lambda m: m.lines),
        lambda mail, close=close, a=a, b=b: close(mail, lambda m: m.pieces) or {a, b} & (mail.joined - mail.text_words) != set())
for each, _ in addresses.most_common(12):
    add("from", "from:" + each, lambda mail, each=each: any(address == each for _, address in mail.people["from"]))
for each in sorted({address.split("@")[1] for address in addresses if "." in address.split("@")[1]})[:: max(1, len(addresses) // 60)][:12]:
    add("domain", "from:@" + each, lambda mail, each=each: any((address + " ").split("@")[1].strip() == each or address.endswith("." + each)
                                                               for _, address in mail.people["from"]))
for each in rng.sample(sorted({address for mail in judged.values() for _, address in mail.people["to"]}), 10):
    add("to", "to:" + each, lambda mail, each=each: any(address == each for name in ("to", "cc") for _, address in mail.people[name]))
for each in rng.sample(sorted({w for mail in judged.values() for w in words(mail.subject) if len(w) > 3 and w.isalpha()}), 12):
    add("subject", "subject:" + each, lambda mail, each=each: each in words(mail.subject),
        lambda mail, each=each: each in words(mail.subject) or each in words(re.sub(r"(?<=\w)[-'’.,/_:](?=\w)", "", mail.subject)))
for each in rng.sample(ids, 8):
    add("id", rng.choice([f"id:{each}", f"id:<{each}>"]), lambda mail, each=each: mail.message_id == each)
for each in sorted({mail.list_id for mail in judged.values() if mail.list_id})[:5]:
    add("list", "list:" + each, lambda mail, each=each: mail.list_id == each, lambda mail, each=each: set(words(each)) <= set(words(mail.list_id)))
for low, high in ((0, 2000), (2000, 5000), (5000, 20000), (20000, 10**9)):
    add("size", f"size:{low}..{high}", lambda mail, low=low, high=high: low <= len(mail.data) <= high)


def dated(mail, low, high, strict):
    """The Date field decides when it is near the topmost Received field; where that is not so clear a mail may be anywhere."""
    if mail.day is None or mail.received is None and not strict:
        return not strict
    try:
        near = mail.received is None or -30 < mail.day - email.utils.mktime_tz(mail.received) // 86400 < 2
    except (OverflowError, ValueError):
        near = False
    return low <= mail.day <= high if near else not strict


for year in (2015, 2018, 2020, 2022, 2024):
    import datetime
    epoch = datetime.date(1970, 1, 1)
    for text, begin, end in ((str(year), (year, 1, 1), (year, 12, 31)), (f"{year}-03", (year, 3, 1), (year, 3, 31)),
                             (f"{year}-02-01..{year}-06-15", (year, 2, 1), (year, 6, 15))):
        low, high = ((datetime.date(*each) - epoch).days for each in (begin, end))
        add("date", "date:" + text, lambda mail, low=low, high=high: dated(mail, low, high, True), lambda mail, low=low, high=high: dated(mail, low, high, False))

# ── judging ──

kinds, wrong = collections.Counter(), 0
for kind, query, must, may in queries:
    got = found(query, "--no-widen")
    missed = [mail for key, mail in judged.items() if key not in got and must(mail)]
    surplus = [mails[key] for key in got if not may(mails[key])]
    kinds[kind] += 1
    if missed or surplus:
        wrong += 1
        print(f"  WRONG: {kind}: {query}: missed {len(missed)} {[mail.id[:12] for mail in missed[:3]]}, "
              f"too many {len(surplus)} {[mail.id[:12] for mail in surplus[:3]]} of {len(got)}")
widened = lost = strange = 0
for kind, query, must, may in queries:
    if kind not in ("word", "both", "from", "subject") or " OR " in query:
        continue
    plain, wide = found(query, "--no-widen"), found(query)
    widened += len(wide - plain)
    lost += len(plain - wide)
    begins = [each[:3] for each in words(query.split(":")[-1])]
    for key in wide - plain:
        if not all(any(each.startswith(begin) for each in mails[key].words | mails[key].joined) for begin in begins):
            strange += 1
            print(f"  WRONG: {query}, widened, finds {key[:12]}, where no word begins like it")
for fault in untrue[:20]:
    print("  WRONG snippet: " + fault)
print("snippets: " + ", ".join(f"{count} {kind}" for kind, count in sorted(shown.items())) + f"; {len(untrue)} faults")
print("queries: " + ", ".join(f"{count} {kind}" for kind, count in kinds.items()))
print(f"{len(queries) - wrong} of {len(queries)} right, over {len(judged)} judged of {len(mails)} mails")
print(f"widening: {widened} further hits, {lost} lost, {strange} without a word that begins like it")
sys.exit(1 if wrong or lost or strange or untrue or shown["marked"] < 1000 else 0)
