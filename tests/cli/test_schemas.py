"""Every JSON form against docs/schema.

Claim   What archctl, the HTTP API and exports print, and what ARCHIVE/state holds, is what docs/schema/NAME-N.json says: no member
        is missing, none has another type, none is printed that no schema describes, none is described that is never printed.
Method  A small archive, damaged and mended, every archctl command that knows --json with good and with bad words, a running
        archd with its API; each object is validated by a validator of the keywords that the schemas use.
Teeth   A name in the sources without a file, a file that nothing names, a keyword that the validator does not know, and a
        command with --json that was not run fail. The validator itself has to refuse each object once for every required member
        that is taken out of it and for every value that gets another type.
"""

import copy
import http.client
import json
import os
import re
import shutil
import time
import unittest
import zipfile

from support import SOURCE, ArchiveTest, Daemon, digest, mail, wait_for

FOLDER = os.path.join(SOURCE, "docs", "schema")
# Forms that are older than the member "schema", or are chained lines: they are told by where they come from.
UNNAMED = {"access-line/1": "query/http/access_log.cc", "manifest/1": "query/export/formats.cc", "manifest-line/1": "query/export/formats.cc",
           "problem/1": "query/http/message.cc", "health/1": "query/http/app.cc"}
NOT_JSON = {"arch-volumes/1", "arch-volume/1"}  # first lines of text files (engine/segment/volumes.h)
# Described, and not to be had within a test of seconds.
NEVER_MET = {
    "capacity/2": {"forecast.level_since", "forecast.disk_likely"},
}


def load():
    out = {}
    for name in sorted(os.listdir(FOLDER)):
        with open(os.path.join(FOLDER, name)) as file:
            out[re.sub(r"-(\d+)\.json$", r"/\1", name)] = json.load(file)
    return out


# ── a validator of the keywords used here (JSON Schema 2020-12) ──

TYPES = {"object": lambda v: isinstance(v, dict), "array": lambda v: isinstance(v, list), "string": lambda v: isinstance(v, str),
         "boolean": lambda v: isinstance(v, bool), "null": lambda v: v is None,
         "integer": lambda v: isinstance(v, int) and not isinstance(v, bool), "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool)}
NOTES = {"$schema", "$id", "$defs", "title", "description"}
TIME = re.compile(r"-?\d{4,}-(0\d|1[0-2])-([0-2]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-6]\d(\.\d+)?Z")


def same(a, b):
    return type(a) is type(b) and a == b


class Validator:
    """faults(): what is wrong; described: paths of members that a schema describes and an object had."""

    def __init__(self, root):
        self.root = root
        self.met = set()
        self.strangers = set()

    def faults(self, value, schema=None, path="", trail=""):
        schema = self.root if schema is None else schema
        out = []
        known = None  # members that some schema at this place describes
        for key, rule in schema.items():
            if key in NOTES:
                continue
            if key == "$ref":
                out += self.faults(value, self.root["$defs"][rule[len("#/$defs/"):]], path, trail)
            elif key == "type":
                if not any(TYPES[each](value) for each in ([rule] if isinstance(rule, str) else rule)):
                    out.append(f"{path}: {value!r} is no {rule}")
            elif key == "const":
                if not same(value, rule):
                    out.append(f"{path}: {value!r} is not {rule!r}")
            elif key == "enum":
                if not any(same(value, each) for each in rule):
                    out.append(f"{path}: {value!r} is none of {rule}")
            elif key == "pattern":
                if isinstance(value, str) and not re.search(rule, value):
                    out.append(f"{path}: {value!r} does not match {rule}")
            elif key == "format":
                if rule != "date-time":
                    raise ValueError("unknown format " + rule)
                if isinstance(value, str) and not TIME.fullmatch(value):
                    out.append(f"{path}: {value!r} is no time")
            elif key in ("minimum", "maximum"):
                if TYPES["number"](value) and (value < rule if key == "minimum" else value > rule):
                    out.append(f"{path}: {value} is beyond the {key} {rule}")
            elif key in ("minItems", "maxItems"):
                if isinstance(value, list) and (len(value) < rule if key == "minItems" else len(value) > rule):
                    out.append(f"{path}: {len(value)} items")
            elif key == "anyOf":
                tries = [self.faults(value, each, path, trail) for each in rule]
                if all(tries):
                    out += min(tries, key=len)
            elif key == "required":
                if isinstance(value, dict):
                    out += [f"{path}.{each} is missing" for each in rule if each not in value]
            elif key == "properties":
                if isinstance(value, dict):
                    known = set(rule)
                    for name, each in rule.items():
                        if name in value:
                            place = f"{trail}.{name}".lstrip(".")
                            self.met.add(place)
                            out += self.faults(value[name], each, f"{path}.{name}", place)
            elif key == "additionalProperties":
                if isinstance(value, dict):
                    for name in set(value) - set(schema.get("properties", ())):
                        out += self.faults(value[name], rule, f"{path}.{name}", trail + ".*")
            elif key == "prefixItems":
                if isinstance(value, list):
                    for i, (item, each) in enumerate(zip(value, rule)):
                        out += self.faults(item, each, f"{path}[{i}]", trail)
            elif key == "items":
                if isinstance(value, list):
                    for i, item in enumerate(value):
                        out += self.faults(item, rule, f"{path}[{i}]", trail)
            else:
                raise ValueError(f"unknown keyword {key}")
        if known is not None and "additionalProperties" not in schema:
            # More members are allowed to come; but what is printed today is described today.
            self.strangers |= {f"{trail}.{name}".lstrip(".") for name in set(value) - known} if self.open_to(trail) else set()
        return out

    @staticmethod
    def open_to(trail):
        return trail != "report"  # reconcile-state/1 holds a whole reconcile/1, validated on its own


def described(root):
    """Paths of all members that a schema describes."""
    out = set()

    def walk(schema, trail):
        if "$ref" in schema:
            walk(root["$defs"][schema["$ref"][len("#/$defs/"):]], trail)
        for name, each in schema.get("properties", {}).items():
            out.add(f"{trail}.{name}".lstrip("."))
            walk(each, f"{trail}.{name}".lstrip("."))
        if "items" in schema:
            walk(schema["items"], trail)
        for each in schema.get("anyOf", ()):
            walk(each, trail)

    walk(root, "")
    return out


def required_members(value, schema, root, path=()):
    """(path to an object, name) of every member that may not be missing, where there is one."""
    if "$ref" in schema:
        yield from required_members(value, root["$defs"][schema["$ref"][len("#/$defs/"):]], root, path)
    for each in schema.get("anyOf", ()):
        if value is not None and "properties" in each:
            yield from required_members(value, each, root, path)
    if isinstance(value, dict):
        for name in schema.get("required", ()):
            yield path, name
        for name, each in schema.get("properties", {}).items():
            if name in value:
                yield from required_members(value[name], each, root, path + (name,))
    if isinstance(value, list) and "items" in schema and value:
        yield from required_members(value[0], schema["items"], root, path + (0,))


def mails():
    """Mails of every sort, small ones."""
    def one(number, subject, body, more="", sender="Claire Moreau <claire@dupont.example>", to="Paul Girard <paul@vignes.example>"):
        return (f"From: {sender}\nTo: {to}\nSubject: {subject}\nDate: Mon, 3 Jun 2024 10:00:{number:02} +0200\n"
                f"Message-ID: <s{number}@dupont.example>\n{more}\n{body}\n").encode()
    mixed = ('MIME-Version: 1.0\nCc: Eva <eva@vignes.example>\nBcc: luc@vignes.example\nReceived: from mx by here; Mon, 3 Jun 2024 08:00:03 +0000\n'
             'Content-Type: multipart/mixed; boundary=b\n')
    parts = ('--b\nContent-Type: text/plain; charset=utf-8\n\nVoici le devis, à relire: douze caisses de salsifis.\n'
             '--b\nContent-Type: text/csv; name="tarif été.csv"\nContent-Disposition: attachment\n\nrutabaga;3\n'
             '--b\nContent-Type: application/octet-stream; name=plan.dwg\nContent-Disposition: attachment\n\nAC1018\n--b--\n')
    return [
        one(1, "Devis", "Bonjour, le devis en pièce jointe."),
        one(2, "Re: Devis", "Merci.\n> Bonjour, le devis", "In-Reply-To: <s1@dupont.example>\nReferences: <absent@dupont.example> <s1@dupont.example>\n",
            "Paul Girard <paul@vignes.example>", "claire@dupont.example"),
        one(3, "Plans", parts, mixed),
        # Twice, with line ends and a header field that differ: one mail in two forms.
        one(4, "Copie", "La même."),
        one(4, "Copie", "La même.").replace(b"\n", b"\r\n", 3).replace(b"Subject: Copie\r", b"Subject: Copie\nX-Relais: oui\r"),
        one(5, "Note interne", "Réunion à neuf heures.", "", "eva@vignes.example", "paul@vignes.example"),
    ]


class Schemas(ArchiveTest):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.schemas = load()
        cls.seen = []  # (where it came from, name, object)
        cls.commands_run = set()

    def take(self, where, text, name=None):
        """Objects of printed lines, one a line."""
        if isinstance(text, bytes):
            text = text.decode()
        lines = [json.loads(line) for line in text.splitlines() if line]
        self.assertTrue(lines, where + " printed nothing")
        for each in lines:
            self.assertTrue(name or "schema" in each, f"{where}: {each}")
            self.seen.append((where, name or each["schema"], each))
        return lines

    def ctl(self, *words, status=0, name=None, **more):
        self.commands_run.add(words[0])
        done = self.run_ctl(words[0], "--json", *words[1:], status=status, **more)
        return self.take("archctl " + " ".join(words), done.stdout, name)

    def take_file(self, path, name=None):
        with open(path) as file:
            value = json.load(file)
        self.seen.append((os.path.basename(path), name or value["schema"], value))
        return value

    def state(self, name):
        return os.path.join(self.archive, "state", name)

    def write_log(self):
        """Postfix's own: one archived, one waiting, one missing, one refused."""
        known = digest(self.contents[0])[:16]
        begin = time.time() - 3600
        lines = []

        def line(program, text):
            lines.append(time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(begin + len(lines))) + f" mx postfix/{program}[100]: {text}\n")

        for queue_id in ("4A1B5A72F01", "4A1B5A72F02", "4A1B5A72F03"):
            line("smtpd", queue_id + ": client=unknown[127.0.0.1]")
            line("cleanup", queue_id + f": message-id=<{queue_id}@maison.example>")
            line("qmgr", queue_id + ": from=<zoe@maison.example>, size=388, nrcpt=2 (queue active)")
        line("lmtp", "4A1B5A72F01: to=<archive@archive.invalid>, relay=127.0.0.1[127.0.0.1]:2424, delay=0.06, delays=0.05/0.01/0/0, dsn=2.0.0, "
                     f"status=sent (250 2.0.0 <archive@archive.invalid> archived arch:{known})")
        line("qmgr", "4A1B5A72F01: removed")
        line("smtp", "4A1B5A72F02: to=<paul@ailleurs.example>, relay=1.2.3.4[1.2.3.4]:25, delay=0.1, delays=0/0/0/0.1, dsn=2.0.0, status=sent (250 2.0.0 Ok)")
        line("qmgr", "4A1B5A72F02: removed")
        return self.put("mail.log", "".join(lines).encode())

    def collect_offline(self):
        self.contents = mails()
        for number, content in enumerate(self.contents):
            self.put(f"mail/{number}.eml", content)
        self.put("mail/notes.txt", b"buy milk\n")
        self.init()
        self.ctl("import", os.path.join(self.root, "mail"))
        self.run_ctl("deliver", "-f", "", "--queue-id=4ZZZ", "--client-name=mx.vignes.example", "secret@vignes.example", input=mail(90))
        self.ctl("import", self.put("twice.eml", mail(90)))
        self.ctl("version")
        self.ctl("extract", self.put("note.txt", b"bonjour\n"), os.path.join(SOURCE, "tests", "data", "mail", "affaire-01-devis.eml"))
        for words in (["devis"], ["salsifis"], ["plan.dwg"], ["salsifis", "claire"], ["from:eva"], ["--sort=relevance", "Re: devis"], ["--limit=0", "devis"],
                      ["--limit=2", "--", "-devis"], ["copie"], ["has:attachment"]):
            self.ctl("search", *words)
        self.ctl("search", "devsi", status=1)
        for key in ("month", "from", "attachment_type", "direction"):
            self.ctl("count", "--by", key)
        self.ctl("count", "--by", "day", "--limit=1")
        self.ctl("count", "--by", "month", "in:incoming", status=1)  # with a notice: no domain is known to be ours
        for content in [*self.contents, mail(90)]:
            self.ctl("show", digest(content))
        self.ctl("thread", digest(self.contents[0]))
        self.ctl("thread", digest(self.contents[3]))
        self.ctl("status")
        self.ctl("capacity")
        self.ctl("pack")
        self.ctl("verify")
        self.ctl("verify", "--quick")
        self.ctl("saved", "list")
        self.run_ctl("saved", "add", "litiges", "--mail=droit@vignes.example", "litige OR devis")
        self.ctl("saved", "list")
        self.ctl("saved", "run", "litiges")
        self.take_file(self.state("saved.json"))
        self.ctl("token", "create", "assistant")
        self.ctl("token", "create", "etroit", "--scope=search", "--domains=vignes.example", "--mailboxes=paul@dupont.example", "--after=2024-01-01", "--before=2025-01-01")
        self.ctl("token", "list")
        self.take_file(self.state("tokens.json"))
        self.ctl("access-log", name="access-line/1")
        self.ctl("access-log", "--verify")
        # Exports: lines and receipt.
        for words in ("--with-text", "--without-envelope"):
            head, *lines = [json.loads(line) for line in self.run_ctl("export", "--format=jsonl", "--all", words).stdout.splitlines()]
            self.seen.append(("export", "manifest/1", head))
            self.seen += [("export", "manifest-line/1", each) for each in lines]
        out = os.path.join(self.root, "out.zip")
        self.run_ctl("export", "devis", "--format=zip", "-o", out, "--reason=litige")
        self.take_file(out + ".receipt.json")
        with zipfile.ZipFile(out) as archive:
            self.take("zip", archive.read("manifest.jsonl").splitlines()[0], "manifest/1")
        # Copies, other disks.
        self.ctl("backup", os.path.join(self.root, "copy"))
        self.ctl("restore", os.path.join(self.root, "copy"), os.path.join(self.root, "restored"))
        self.ctl("restore", "--no-index", "--no-verify", os.path.join(self.root, "copy"), os.path.join(self.root, "restored2"))
        volume = os.path.join(self.root, "disk2")
        os.mkdir(volume)
        self.ctl("volume", "add", volume)
        self.ctl("volume", "list")
        shutil.move(volume, volume + ".away")
        self.ctl("volume", "list", status=1)
        shutil.move(volume + ".away", volume)
        # Postfix's log.
        self.log = self.write_log()
        self.ctl("reconcile", self.log, status=1)
        # A canary that cannot be sent.
        self.ctl("canary", "--to=temoin@vignes.example", "--smtp=inet:127.0.0.1:1", "--wait=1", status=1)
        self.ctl("status")

    def collect_damaged(self):
        """A copy with a flipped bit and a torn end."""
        bad = os.path.join(self.root, "bad")
        shutil.copytree(self.archive, bad)
        path = os.path.join(bad, "segments", "00000001.seg")
        with open(path, "rb") as file:
            content = bytearray(file.read())
        content[len(content) // 3] ^= 4
        os.chmod(path, 0o644)
        with open(path, "wb") as file:
            file.write(content)
        self.ctl("verify", status=1, archive=bad)
        self.ctl("status", status=65, archive=bad)
        self.ctl("salvage", os.path.join(self.root, "rescued"), status=1, archive=bad)
        toml = os.path.join(bad, "archive.toml")
        with open(toml, "rb") as file:
            good = file.read()
        with open(toml, "wb") as file:
            file.write(re.sub(rb"(format\w*\s*=\s*)\d+", rb"\g<1>99", good))
        self.ctl("status", status=65, archive=bad)  # too-new

    def collect_errors(self):
        nowhere = os.path.join(self.root, "nowhere")
        for words, status in ((["search", "form:paul"], 64), (["search", "from:"], 64), (["search", "--limit=x", "a"], 64), (["search", "--sort=size", "a"], 64),
                              (["count", "--by=colour"], 64), (["show", "ffffffff"], 66), (["show", "xyz"], 65), (["thread", "nobody@x"], 66),
                              (["restore", nowhere, nowhere + "2"], 66), (["backup", self.archive], 73), (["reconcile", nowhere], 66), (["saved", "sing"], 64),
                              (["saved", "run", "nothing"], 66), (["token", "create", "assistant"], 73), (["volume", "add"], 64), (["import", nowhere], 66),
                              (["salvage", self.archive], 73), (["canary", "--wait=0", "--to=x"], 64), (["access-log", "--nonsense"], 64), (["version", "more"], 64),
                              (["verify", "x"], 64)):
            lines = self.ctl(*words, status=status)
            self.assertEqual([each["schema"] for each in lines], ["error/1"], words)
        for command in ("search x", "count", "show ffffffff", "thread ffffffff", "status", "capacity", "pack", "verify", "volume list", "backup /tmp/x",
                        "saved run x", "token create x", "access-log", "reconcile x", "canary --to=x"):
            lines = self.ctl(*command.split(), status=2 if command == "verify" else 66, archive=nowhere)
            self.assertEqual(lines[-1]["error"]["code"], "not-found", command)

    def get(self, port, target, method="GET", name=None, status=200, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request(method, target, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        self.assertEqual(answer.status, status, target)
        if status >= 400:
            self.assertEqual(answer.getheader("Content-Type"), "application/problem+json")
            name = "problem/1"
        return self.take("HTTP " + target, body, name)

    def collect_daemon(self):
        with open(self.environment["ARCHD_CONFIG"], "w") as file:
            file.write('[archive]\nreserve_bytes = "1M"\ncap_bytes = "1M"\ntimezone = "UTC"\n[report]\nfrom = "archive@vignes.example"\nsendmail = "/bin/true"\n'
                       f'[mta]\nown_domains = ["vignes.example"]\nlog = "{self.log}"\n')
        daemon = Daemon(self, "--smtp=inet:127.0.0.1:0", "--http=inet:127.0.0.1:0", "run")
        port = int(re.search(r"http=inet:127\.0\.0\.1:(\d+)", daemon.ready).group(1))
        smtp = re.search(r"smtp=(\S+)", daemon.ready).group(1)
        self.ctl("canary", "--to=temoin@vignes.example", "--smtp=" + smtp)
        self.run_ctl("deliver", "-f", "a@dupont.example", "b@vignes.example", input=mail(91, "devis"))  # news for the saved search
        for name in ("alerts.json", "reconcile.json", "schedule.json", "saved-seen.json"):
            self.assertTrue(wait_for(lambda: os.path.exists(self.state(name))), name)
            self.take_file(self.state(name))
        self.assertTrue(wait_for(lambda: self.json_of("status")["reconcile"] is not None))
        # Our domains are known only now: the catalog is made anew with them, and says so by its directions.
        status = self.ctl("status")[0]
        self.assertGreater(len(status["alerts"]), 0)
        self.assertTrue(status["canary"]["good"])
        self.ctl("search", "in:internal")
        self.ctl("capacity")
        self.ctl("count", "--by", "direction")
        one = digest(self.contents[2])
        for target in ("search?q=devis", "search?q=salsifis&limit=1&sort=relevance", "facets?q=&by=month", "messages/" + one, "threads/" + one, "status", "capacity"):
            self.get(port, "/api/v1/" + target)
        self.get(port, "/healthz", name="health/1")
        self.get(port, "/readyz", name="health/1")
        for target, status in (("search?q=form:x", 400), ("search?q=from:", 400), ("search?q=a&limit=9999", 400), ("facets?q=&by=colour", 400), ("messages/ffffffff", 404),
                               ("nothing", 404), ("messages/xyz", 400)):
            self.get(port, "/api/v1/" + target, status=status)
        self.get(port, "/api/v1/search?q=x", "DELETE", status=405)
        self.get(port, "/api/v1/search?q=x", status=403, Host="elsewhere.example")
        self.get(port, f"/api/v1/messages/{one}/raw", status=416, Range="bytes=9999999-")
        self.ctl("access-log", name="access-line/1")
        self.assertEqual(daemon.stop(), 0)
        # A log that cannot be read: the proof says why it was not made. Its day is not over, unless the schedule forgets it.
        os.remove(self.state("schedule.json"))
        os.remove(self.log)
        daemon = Daemon(self)
        self.assertTrue(wait_for(lambda: "error" in (self.json_of("status")["reconcile"] or {})))
        self.ctl("status")
        self.take_file(self.state("reconcile.json"))
        self.assertEqual(daemon.stop(), 0)

    def test_every_form_is_what_its_schema_says(self):
        self.collect_offline()
        self.collect_damaged()
        self.collect_errors()
        self.collect_daemon()
        self.judge()

    def judge(self):
        validators = {name: Validator(schema) for name, schema in self.schemas.items()}
        faults = []
        for where, name, value in self.seen:
            self.assertIn(name, validators, where)
            faults += [f"{name} from {where}: {each}" for each in validators[name].faults(value)]
        self.assertEqual(faults, [])
        for name, validator in validators.items():
            with self.subTest(name):
                self.assertIn(name, {each for _, each, _ in self.seen}, "a schema of which nothing was printed")
                self.assertEqual(validator.strangers, set(), "printed and not described")
                self.assertEqual(described(self.schemas[name]) - validator.met - NEVER_MET.get(name, set()), set(), "described and never printed")
        self.assertEqual(set(self.with_json()) - self.commands_run, set(), "commands with --json that were not run")
        self.assertEqual({each for _, _, each in self.seen for each in [each.get("error", {}).get("code") if isinstance(each.get("error"), dict) else None]} - {None},
                         {"not-found", "exists", "invalid", "too-new", "usage"})
        # The validator's own teeth, on one object of each form.
        removed = changed = 0
        last = {name: value for _, name, value in self.seen}
        for name, value in last.items():
            for path, member in required_members(value, self.schemas[name], self.schemas[name]):
                damaged = copy.deepcopy(value)
                place = damaged
                for step in path:
                    place = place[step]
                kept = place.pop(member)
                removed += 1
                self.assertTrue(validators[name].faults(damaged), f"{name}: without {path} {member}")
                place[member] = object()
                changed += 1
                self.assertTrue(validators[name].faults(damaged), f"{name}: another type for {path} {member}")
                place[member] = kept
        self.assertGreater(removed, 300)
        print(f"{len(self.seen)} objects of {len(validators)} forms valid; {removed} without a member and {changed} with another type refused")

    def with_json(self):
        names = re.findall(r"^  ([a-z-]+) {2,}[A-Z]", self.run_ctl("--help").stdout.decode(), re.M)
        self.assertGreater(len(names), 20)
        return [name for name in names if re.search(r"^ .*--json", self.run_ctl(name, "--help").stdout.decode(), re.M)]


class Files(unittest.TestCase):
    def names_in_sources(self):
        out = {}
        for folder in ("engine", "ingest", "query", "tools"):
            for place, _, files in os.walk(os.path.join(SOURCE, folder)):
                for file in files:
                    if not file.endswith((".cc", ".h")) or file.endswith("_test.cc"):
                        continue
                    with open(os.path.join(place, file), encoding="utf-8") as text:
                        for name in re.findall(r'"schema",\s*"([^"]*)"', text.read()):
                            out.setdefault(name, os.path.relpath(os.path.join(place, file), SOURCE))
        return out

    def test_names_and_files_are_the_same(self):
        names = self.names_in_sources()
        self.assertGreater(len(names), 20)
        for name in names:
            self.assertRegex(name, r"^[a-z-]+/[1-9][0-9]*$")
        for name, source in UNNAMED.items():
            self.assertTrue(os.path.isfile(os.path.join(SOURCE, source)), name)
        schemas = load()
        self.assertEqual({f"{name} ({names[name]})" for name in names if name not in schemas}, set(), "in the sources, without a file in docs/schema")
        self.assertEqual(set(schemas) - set(names) - set(UNNAMED), set(), "files in docs/schema that nothing names")

    def test_each_is_well_formed(self):
        for name, schema in load().items():
            with self.subTest(name):
                self.assertEqual(schema["$schema"], "https://json-schema.org/draft/2020-12/schema")
                self.assertEqual(schema["$id"], "urn:arch:schema:" + name.replace("/", ":"))
                self.assertTrue(schema["title"] and schema["description"])
                if name not in UNNAMED:
                    self.assertEqual(schema["properties"]["schema"]["const"], name)
                    self.assertIn("schema", schema["required"])
                used = set(re.findall(r'"#/\$defs/(\w+)"', json.dumps(schema)))
                self.assertEqual(used, set(schema.get("$defs", {})))

                def walk(node, path):
                    for each, below in node.get("properties", {}).items():
                        self.assertTrue("description" in below or below.get("$ref") in ("#/$defs/digest", "#/$defs/bytes", "#/$defs/direction", "#/$defs/channel", "#/$defs/index"),
                                        f"{path}.{each} is not described")
                        walk(below, f"{path}.{each}")
                    self.assertLessEqual(set(node.get("required", ())), set(node.get("properties", ())), path)
                    self.assertNotEqual(node.get("additionalProperties"), False, path + ": members may be added")
                    for key in ("items", "additionalProperties"):
                        if isinstance(node.get(key), dict):
                            walk(node[key], path)
                    for each in node.get("anyOf", []):
                        walk(each, path)

                walk(schema, name)
                for each, below in schema.get("$defs", {}).items():
                    walk(below, name + " " + each)


if __name__ == "__main__":
    unittest.main(verbosity=2)
