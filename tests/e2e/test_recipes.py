"""Every recipe of docs/postfix.md, run exactly as printed.

Claim   With each recipe, Debian's Postfix hands every mail to the archive: inbound, outbound with Bcc, internal, to an alias, to
        60 recipients, SMTPUTF8, 8-bit, 20 MB, by sendmail, a bounce, without Message-ID, two with one Message-ID, the same
        again. Deliveries, recipients and direction are what the recipe's way can know, and what the page says that it misses is
        missing.
Method  The page's blocks are applied to Debian's own master.cf on a machine of its own (recipes.py); the destination is a sink
        that refuses one address.
Teeth   Expected channels, recipients and directions are written here, mail by mail; bytes are compared with what the sink got.
        A recipe on the page that this file does not know fails, and so does one that is missing there.

    test_recipes.py            every recipe, each in a process of its own
    test_recipes.py NAME       one of them, in this process
"""

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time

import harness
import recipes
from harness import Client, Scratch, Sink, wait_until

# What hands mail over in each recipe.
WAYS = {
    "both": {"milter", "lmtp"},
    "lmtp": {"lmtp"},
    "milter": {"milter"},
    "rspamd": {"milter", "lmtp"},
    "content-filter": {"milter", "lmtp"},
    "chroot": {"milter", "lmtp"},
    "unix-socket": {"milter", "lmtp"},
    "pipe": {"pipe"},
}
SIXTY = ["r%02d@ailleurs.example" % number for number in range(60)]
REFUSED = "inconnu@ailleurs.example"


def compose(token, sender, to, more="", body="Bonjour,\r\nvoici.\r\n", message_id=None):
    identity = "" if message_id == "" else "Message-ID: <%s>\r\n" % (message_id or token + "@test.example")
    return (
        "From: <%s>\r\nTo: <%s>\r\nSubject: %s\r\nDate: Wed, 25 Nov 2026 10:00:00 +0000\r\n%s%s\r\n%s"
        % (sender, to, token, identity, more, body)
    ).encode("utf-8")


class Mail:
    def __init__(self, token, sender, recipients, message, direction, parameters=b"", local=False, times=1):
        self.token, self.sender, self.recipients, self.message = token, sender, recipients, message
        self.direction, self.parameters, self.local, self.times = direction, parameters, local, times
        self.header_to = message.decode("latin-1").split("To: <")[1].split(">")[0]


def mails():
    us, us2, them = "zoe@maison.example", "paul@maison.example", "client@ailleurs.example"
    eight = b" BODY=8BITMIME"
    mime = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=%s\r\nContent-Transfer-Encoding: 8bit\r\n"
    latin = compose("latinx", them, us, mime % "iso-8859-1").replace(b"voici", b"caf\xe9 cr\xe8me")
    large = compose("grosx", them, us, body=("x" * 998 + "\r\n") * 20_000)
    return [
        Mail("entrantx", them, [us2], compose("entrantx", them, us2), "incoming"),
        Mail("cachex", us, [them, "secret@ailleurs.example"], compose("cachex", us, them), "outgoing"),
        Mail("internex", us, [us2], compose("internex", us, us2), "internal"),
        Mail("aliasx", them, ["orders@maison.example"], compose("aliasx", them, "orders@maison.example"), "incoming"),
        Mail("soixantex", us, SIXTY, compose("soixantex", us, SIXTY[0]), "outgoing"),
        Mail("utfx", "zo\u00e9@maison.example", [them], compose("utfx", "zo\u00e9@maison.example", them), "outgoing", b" SMTPUTF8" + eight),
        Mail("latinx", them, [us], latin, "incoming", eight),
        Mail("grosx", them, [us], large, "incoming"),
        Mail("localx", us, [us2], compose("localx", us, us2), "internal", local=True),
        Mail("sansx", them, [us], compose("sansx", them, us, message_id=""), "incoming"),
        Mail("memeunx", them, [us], compose("memeunx", them, us, message_id="meme@test.example"), "incoming"),
        Mail("memedeuxx", them, [us], compose("memedeuxx", them, us, message_id="meme@test.example", body="autre\r\n"), "incoming"),
        Mail("encorex", them, [us], compose("encorex", them, us), "incoming", times=2),
        Mail("rebondx", us, [REFUSED], compose("rebondx", us, REFUSED), "outgoing"),
    ]


class Filter:
    """An after-queue content filter: takes mail on 10025, adds a header field, hands it to 10026, XFORWARD passed on."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 10025), backlog=50)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            peer, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        out = Client(10026, hello=b"EHLO filter.maison.example")
        with peer, peer.makefile("rb") as lines:
            peer.sendall(b"220 filter ESMTP\r\n")
            for line in iter(lines.readline, b""):
                verb = line[:4].upper()
                if verb == b"QUIT":
                    peer.sendall(b"221 2.0.0 bye\r\n")
                    break
                if verb == b"EHLO":
                    peer.sendall(out.hello)
                    continue
                if verb != b"DATA":
                    peer.sendall(out.say(line.rstrip(b"\r\n")))
                    continue
                peer.sendall(out.say(b"DATA"))
                wire = [b"X-Filtered: yes\r\n"]
                for part in lines:
                    wire.append(part)
                    if part == b".\r\n" and wire[-2].endswith(b"\r\n"):
                        break
                out.socket.sendall(b"".join(wire))
                peer.sendall(out.reply())
        out.close()


def start_rspamd(scratch):
    for path in ("/run/rspamd", "/var/log/rspamd"):
        os.makedirs(path, exist_ok=True)
        shutil.chown(path, "_rspamd", "_rspamd")
    process = subprocess.Popen(["/usr/bin/rspamd", "-f", "-u", "_rspamd", "-g", "_rspamd"],
                               stdout=open(scratch.join("rspamd.log"), "wb"), stderr=subprocess.STDOUT)

    def answers():
        try:
            socket.create_connection(("127.0.0.1", 11332), 1).close()
            return True
        except OSError:
            return False

    wait_until(answers, 60, "rspamd listens")
    return process


class Recipe:
    def __init__(self, name, scratch):
        self.name = name
        self.ways = WAYS[name]
        self.scratch = scratch
        self.sink = Sink(refuse=(REFUSED,))
        self.machine = recipes.Machine(scratch, self.sink.port, recipes.document()[name])

    def run(self):
        helpers = []
        try:
            if self.name == "content-filter":
                self.filter = Filter()
            if self.name == "rspamd":
                helpers.append(start_rspamd(self.scratch))
            self.machine.start()
            wait_until(self.smtp_answers, 30, "Postfix answers")
            self.send()
            self.check()
            self.check_nothing_is_left()
        except BaseException:
            if os.path.exists(self.scratch.join("rspamd.log")):
                with open(self.scratch.join("rspamd.log")) as log:
                    print(log.read()[-3000:])
            print(self.machine.log()[-6000:])
            if self.machine.archd is not None:
                print(self.machine.archd.log_text()[-3000:])
            raise
        finally:
            self.machine.stop()
            for helper in helpers:
                helper.kill()

    def smtp_answers(self):
        try:
            Client(25, hello=b"EHLO client.example").close()
            return True
        except (OSError, ConnectionError):
            return False

    def send(self):
        for mail in mails():
            for _ in range(mail.times):
                if mail.local:
                    subprocess.run(["/usr/sbin/sendmail", "-i", "-f", mail.sender, *mail.recipients],
                                   input=mail.message.replace(b"\r\n", b"\n"), check=True)
                    continue
                client = Client(25, hello=b"EHLO client.example", timeout=120)
                answer = client.send(mail.sender.encode(), [each.encode() for each in mail.recipients], mail.message, mail.parameters)
                client.close()
                assert answer.startswith(b"250"), (mail.token, answer)

    def hits(self, query):
        answer = json.loads(self.machine.archctl("search", "--json", "--limit", "50", "--no-widen", query, statuses=(0, 1)))
        return answer["hits"], answer["index"]

    def expected_deliveries(self, mail):
        return len(self.ways) * mail.times

    def check(self):
        for mail in mails():
            query = "subject:%s" % mail.token

            def arrived():
                found = [hit for hit in self.hits(query)[0] if hit["subject"] == mail.token]
                if not found:
                    return None
                shown = json.loads(self.machine.archctl("show", "--json", found[0]["id"]))
                return (found, shown) if shown["deliveries_total"] >= self.expected_deliveries(mail) else None

            found, shown = wait_until(arrived, 60, "%s is in the archive %d times" % (mail.token, self.expected_deliveries(mail)))
            assert len(found) == 1, "%s: one mail, one result; got %d" % (mail.token, len(found))
            self.check_mail(mail, shown)
        # Two mails with one Message-ID are two.
        assert len(self.hits("id:meme@test.example")[0]) == 2
        self.check_bounce()
        assert len(self.hits("rcpt:orders@maison.example")[0]) == 1

    def check_mail(self, mail, shown):
        token = mail.token
        channels = sorted(delivery["channel"] for delivery in shown["deliveries"])
        assert channels == sorted(list(self.ways) * mail.times), (token, channels)
        assert shown["direction"] == mail.direction, (token, shown["direction"])
        sources = {each["address"]: each["sources"] for each in shown["recipients"]}
        if "milter" in self.ways:
            for recipient in mail.recipients:
                assert "rcpt-to" in sources.get(recipient, ()), (token, recipient, sources)
            assert set(sources) == set(mail.recipients) | {mail.header_to}, (token, sources)
        else:
            assert set(sources) == {mail.header_to}, (token, sources)
        for delivery in shown["deliveries"]:
            assert delivery["mail_from"] == mail.sender, (token, delivery)
            if delivery["channel"] != "lmtp" or not mail.local:  # a local submission has no IDENT
                assert delivery["queue_id"], (token, delivery)
            if delivery["channel"] == "milter" and not mail.local:
                assert delivery["client_addr"] == "127.0.0.1" and delivery["client_helo"] == "client.example", delivery
        # The bytes: those of the copy that went out, but for trace fields on top.
        delivered = [message for sender, message in self.sink.all() if token.encode() in message.split(b"\r\n\r\n")[0] and sender == mail.sender]
        if REFUSED not in mail.recipients:
            assert delivered, token
            tail = mail.message[mail.message.index(b"Subject:"):]
            if self.ways == {"pipe"}:  # pipe(8) hands lines over with LF
                tail = tail.replace(b"\r\n", b"\n")
                delivered = [message.replace(b"\r\n", b"\n") for message in delivered]
            for copy in [shown["id"]] + [variant["id"] for variant in shown["variants"]]:
                stored = self.machine.archctl("show", "--raw", copy)
                assert hashlib.sha256(stored).hexdigest() == copy
                # rspamd may mark a mail; nothing else of it may differ from what was sent.
                unmarked = re.sub(rb"(?m)^X-Spam[^:]*: .*\r\n", b"", stored) if self.name == "rspamd" else stored
                assert unmarked.endswith(tail[-2000:]), (token, stored[-300:])
                if stored.startswith(b"Received:"):
                    assert stored in delivered, token
        for variant in shown["variants"]:
            assert variant["same_body"], (token, variant)
            names = {field["name"] for field in variant["only_here"] + variant["only_there"]}
            allowed = {"Received", "X-Filtered"} if self.name == "content-filter" else {"Received"}
            assert names <= allowed, (token, names)

    def check_bounce(self):
        def bounces():
            return [hit for hit in self.hits("subject:undelivered rebondx OR from:mailer-daemon")[0] if "Undelivered" in hit["subject"]]

        if "milter" not in self.ways:
            wait_until(lambda: any(b"Undelivered" in message for _, message in self.sink.all()), 60, "the bounce is delivered")
            time.sleep(0.5)
            assert not bounces(), "the page says that this way misses bounces"
            return
        found = wait_until(bounces, 60, "the bounce is in the archive")
        shown = json.loads(self.machine.archctl("show", "--json", found[0]["id"]))
        assert shown["bounce"] and shown["deliveries"][0]["mail_from"] == "", shown["deliveries"]
        assert [each["channel"] for each in shown["deliveries"]] == ["milter"]
        assert shown["deliveries"][0]["rcpt"] == ["zoe@maison.example"]

    def check_nothing_is_left(self):
        queue = lambda: subprocess.run(["/usr/sbin/postqueue", "-j"], stdout=subprocess.PIPE, check=True).stdout
        wait_until(lambda: not queue(), 60, "Postfix's queue is empty")
        status = json.loads(self.machine.archctl("status", "--json"))
        assert status["alarms"] == [], status["alarms"]
        if self.ways == {"milter", "lmtp"}:
            # Behind a filter, a local submission has lost the queue id that it began with; its copies meet by their content.
            counted = [mail.times for mail in mails() if not (mail.local and self.name == "content-filter")]
            assert status["joined"] == {"same": sum(counted), "differing": 0}, status["joined"]
        self.machine.archctl("verify")
        self.check_reconcile()
        self.check_canary()

    def check_canary(self):
        """A mail of the archive's own goes the whole way."""
        done = json.loads(self.machine.archctl("canary", "--to=paul@maison.example", "--from=zoe@maison.example", "--json"))
        assert done["good"] and list(done["seconds"]) == ["sent", "captured", "found", "verified"], done
        assert (done["bcc"] == "known") == ("milter" in self.ways), done
        assert json.loads(self.machine.archctl("status", "--json"))["canary"]["good"]
        assert json.loads(self.machine.archctl("show", "--json", done["id"]))["subject"].startswith("T\u00e9moin de l'archive")

    def check_reconcile(self):
        """By Postfix's own log, nothing is missing; and once the archive has lost what one mail left there, that mail is."""
        count = sum(mail.times for mail in mails())
        accepted = count + (1 if "milter" in self.ways else 0)  # the bounce
        lines = self.machine.archctl("reconcile", self.machine.LOG).decode().splitlines()
        assert lines[-1] == "%d accepted, %d archived, 0 missing" % (accepted, accepted), lines
        report = json.loads(self.machine.archctl("reconcile", "--json", self.machine.LOG))
        assert report["exceptions"] == [] and report["waiting"] == 0, report
        assert report["notices_not_captured"] == (0 if "milter" in self.ways else 1), report
        # An archive that never saw any of it.
        empty = self.scratch.join("empty")
        self.machine.archctl("init", empty)
        lines = self.machine.archctl("--archive", empty, "reconcile", self.machine.LOG, statuses=(1,)).decode().splitlines()
        assert lines[-1] == "%d accepted, 0 archived, %d missing" % (count, count), lines
        for queue_id in set(re.findall(r"postfix/pickup\[\d+\]: (\w+): uid", self.machine.log())):
            assert any(line.startswith(queue_id) and "<zoe@maison.example>  missing" in line for line in lines), lines


def main():
    reason = harness.Postfix.missing()
    if reason:
        print("SKIPPED: " + reason)
        return harness.SKIPPED
    printed = set(recipes.document())
    if printed != set(WAYS):
        print("docs/postfix.md has the recipes %s, this test knows %s" % (sorted(printed), sorted(WAYS)))
        return 1
    if len(sys.argv) > 1:
        with Scratch() as scratch:
            recipes.enter(scratch)
            Recipe(sys.argv[1], scratch).run()
        print("recipe %s: every mail is where it should be" % sys.argv[1])
        return 0
    failed = []
    for name in WAYS:
        begun = time.monotonic()
        done = subprocess.run([sys.executable, "-B", os.path.abspath(__file__), name])
        print("%-16s %s  %.0f s" % (name, "ok" if done.returncode == 0 else "FAILED", time.monotonic() - begun), flush=True)
        if done.returncode != 0:
            failed.append(name)
    print("%d passed, %d failed" % (len(WAYS) - len(failed), len(failed)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
