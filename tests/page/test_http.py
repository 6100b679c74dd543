#!/usr/bin/env python3
"""The page over plain HTTP: who asks and from where, what is written down, and requests that no browser makes."""

import http.client
import json
import os
import random
import re
import socket
import sys
import time
import unittest
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "assistant"))
from support import Served, archctl, harness, mail
from test_endpoint import business


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self.path)


def over_socket(served, target, headers=None, method="GET", body=None):
    connection = UnixConnection(served.socket)
    connection.request(method, target, body=body, headers=headers or {})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, content


def raw(served, data, wait=5.0):
    """What comes back for these bytes until the server closes or is silent."""
    with socket.create_connection(("127.0.0.1", served.port), 10) as connection:
        connection.settimeout(wait)
        try:
            connection.sendall(data)
        except OSError:
            pass
        out = b""
        try:
            while True:
                got = connection.recv(65536)
                if not got:
                    return out
                out += got
        except OSError:
            return out


class HttpTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = cls.enterClassContext(harness.Scratch())
        cls.served = cls.enterClassContext(Served(cls.scratch, "all", business(), own_domains=["vignes.example", "caves.example"]))

    def log_of(self, served=None):
        return [json.loads(line) for line in archctl((served or self.served).archive, "access-log", "--json").splitlines()]

    # ── who ──

    def test_identity(self):
        forged = {"Tailscale-User-Login": "patron@example.fr"}
        self.assertEqual(self.served.request("GET", "/?q=forged1", forged).status, 200)
        self.assertEqual(over_socket(self.served, "/?q=socket1", forged)[0], 200)  # this test runs as root, as tailscaled does
        self.assertEqual(self.served.get("/?q=nobody1").status, 200)
        entries = {each["object"]: (each["who"], each["verified"]) for each in self.log_of() if each["action"] == "search"}
        self.assertEqual(entries["forged1"], ("patron@example.fr", False))
        self.assertEqual(entries["socket1"], ("patron@example.fr", True))
        self.assertEqual(entries["nobody1"], ("local", False))

    def test_admins(self):
        settings = '[http]\nadmins = ["chef@example.fr"]\nhosts = ["archive.example.fr"]\n'
        with Served(self.scratch, "admins", {"1": mail(1, "a@b.example", "c@d.example", "x", "y")}, settings=settings) as served:
            chief, other = {"Tailscale-User-Login": "chef@example.fr"}, {"Tailscale-User-Login": "autre@example.fr"}
            self.assertEqual(over_socket(served, "/", chief)[0], 200)
            self.assertEqual(over_socket(served, "/", other)[0], 403)
            self.assertEqual(over_socket(served, "/")[0], 403)
            self.assertEqual(served.request("GET", "/", chief).status, 403)  # over TCP anybody can say so
            self.assertEqual(served.get("/").status, 403)
            self.assertEqual(served.get("/healthz").status, 200)
            self.assertEqual(over_socket(served, "/", {**chief, "X-Forwarded-Host": "archive.example.fr"})[0], 200)
            self.assertEqual(over_socket(served, "/", {**chief, "X-Forwarded-Host": "evil.example"})[0], 403)
            self.assertEqual(over_socket(served, "/", {**chief, "X-Forwarded-Proto": "https"})[1]["strict-transport-security"], "max-age=31536000")

    def test_other_sites_and_funnel(self):
        for site, mode, status in (("cross-site", "navigate", 403), ("same-site", "navigate", 403), ("cross-site", "no-cors", 403), ("none", "navigate", 200),
                                   ("same-origin", "navigate", 200), ("same-origin", "cors", 200), ("none", "cors", 403)):
            answer = self.served.request("GET", "/api/v1/search?q=x", {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode})
            self.assertEqual(answer.status, status, (site, mode))
        self.assertEqual(self.served.request("GET", "/", {"Origin": "https://evil.example"}).status, 403)
        self.assertEqual(self.served.request("GET", "/", {"Tailscale-Funnel-Request": "?1"}).status, 403)
        self.assertEqual(self.served.request("GET", "/", host="rebound.example").status, 403)
        form = b"q=oliveira&format=zip&what=all"
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        for headers in ({}, {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": self.served.url, "Sec-Fetch-Site": "cross-site"}, {"Origin": "null", "Sec-Fetch-Site": "cross-site"}):
            self.assertEqual(self.served.request("POST", "/export", {**kind, **headers}, form).status, 403, headers)
        for headers in ({"Origin": self.served.url}, {"Origin": "null", "Sec-Fetch-Site": "same-origin"}):
            self.assertEqual(self.served.request("POST", "/export", {**kind, **headers}, form).status, 303, headers)

    def test_methods_and_headers(self):
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "LINK"):
            for target in ("/", "/api/v1/search?q=x", "/healthz"):
                self.assertEqual(self.served.request(method, target).status, 405, (method, target))
        answer = self.served.get("/?q=commande")
        self.assertIn("default-src 'none'", answer.headers["content-security-policy"])
        for name, value in (("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer"), ("cache-control", "private, no-store"), ("cross-origin-opener-policy", "same-origin"),
                            ("cross-origin-resource-policy", "same-origin")):
            self.assertEqual(answer.headers[name], value)
        self.assertNotIn("access-control-allow-origin", answer.headers)
        head = self.served.request("HEAD", "/?q=commande")
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertEqual(head.headers["content-length"], answer.headers["content-length"])

    # ── downloads ──

    def test_downloads(self):
        hit = json.loads(archctl(self.served.archive, "search", "--json", "has:attachment", "livraison-dupont"))["hits"][0]
        original = archctl(self.served.archive, "show", "--raw", hit["id"])
        answer = self.served.get("/api/v1/messages/%s/raw" % hit["id"][:16])
        self.assertEqual(answer.body, original)
        self.assertEqual((answer.headers["content-type"], answer.headers["content-security-policy"], answer.headers["etag"]), ("application/octet-stream", "sandbox", '"%s"' % hit["id"]))
        self.assertTrue(answer.headers["content-disposition"].startswith("attachment; filename="))
        for span, expected in (("bytes=0-9", original[:10]), ("bytes=10-", original[10:]), ("bytes=-7", original[-7:]), ("bytes=5-100000000", original[5:])):
            part = self.served.get("/api/v1/messages/%s/raw" % hit["id"], Range=span)
            self.assertEqual((part.status, part.body), (206, expected), span)
        self.assertEqual(self.served.get("/api/v1/messages/%s/raw" % hit["id"], Range="bytes=99999999-").status, 416)
        part = self.served.get("/api/v1/messages/%s/parts/2" % hit["id"])
        self.assertIn(b"livraison-dupont;1", part.body)
        self.assertEqual(part.headers["content-type"], "application/octet-stream")
        self.assertEqual(self.served.get("/api/v1/messages/%s/parts/7" % hit["id"]).status, 404)
        self.assertEqual(self.served.get("/api/v1/messages/%s" % ("0" * 64)).status, 404)
        self.assertEqual(self.served.get("/api/v1/messages/xyz").json()["code"], "bad_query")

    def test_an_export_is_its_makers(self):
        kind = {"Content-Type": "application/x-www-form-urlencoded", "Origin": self.served.url, "Tailscale-User-Login": "une@example.fr"}
        started = self.served.request("POST", "/export", kind, b"q=oliveira&format=mbox&what=all&reason=audit+2026")
        place = started.headers["location"]
        mine = {"Tailscale-User-Login": "une@example.fr"}
        harness.wait_until(lambda: self.served.request("GET", place + "/file", mine).status == 200, 20, "the export")
        content = self.served.request("GET", place + "/file", mine)
        self.assertEqual(len(re.findall(rb"^From ", content.body, re.M)), 36)
        self.assertEqual(self.served.request("GET", place + "/file", {"Tailscale-User-Login": "autre@example.fr"}).status, 404)
        self.assertEqual(self.served.get(place).status, 404)
        self.assertEqual(self.served.request("POST", "/export", kind, b"q=(&format=zip&what=all").status, 404)
        self.assertEqual(self.served.request("POST", "/export", kind, b"q=x&format=exe&what=all").status // 100, 5)
        self.assertEqual(self.served.request("POST", "/export", kind, b"format=zip&what=selection").status // 100, 5)
        exported = [each for each in self.log_of() if each["action"] == "export"]
        self.assertIn(("une@example.fr", "mbox: oliveira", "audit 2026"), [(each["who"], each["object"], each["detail"]) for each in exported])
        self.assertTrue(any(each["action"] == "export-file" for each in self.log_of()))

    # ── requests that no browser makes ──

    def test_200_malformed_requests(self):
        random.seed(5)
        good = b"GET /?q=commande HTTP/1.1\r\nHost: localhost\r\n\r\n"
        cases = [
            b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", b"GET / HTTP/0.9\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n", b"CONNECT x:1 HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET /%00 HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET /% HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET /a\x00b HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET /x HTTP/1.1\r\nHost: localhost\r\nA:" + b"x" * 20_000 + b"\r\n\r\n", b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 5000 + b"\r\n",
            b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n", b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n", b"GET / HTTP/1.1\r\n Host: localhost\r\n\r\n", b"GET / HTTP/1.1\nHost: localhost\n\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        ]
        tricks = ["/../etc/passwd", "/static/../../etc/passwd", "/static/..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/etc/passwd", "/static/%2e%2e/page.cc", "//etc/passwd", "/static//etc/passwd", "/..;/etc", "/message/..", "/preview/../status",
                  "/source/%2e%2e%2farchive.toml", "/message/" + "a" * 5000, "/text/0123456789abcdef/../../x", "/exports/../../archive.toml", "/exports/%2e%2e/file", "/static/style.css%00.html", "/\\..\\..", "/api/v1/messages/../../../etc/passwd/raw",
                  "/api/v1/messages/0123456789abcdef/parts/..%2f", "/api/v1/../../status"]
        cases += [b"GET " + trick.encode() + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" for trick in tricks]
        while len(cases) < 200:
            broken = bytearray(good)
            for _ in range(random.randint(1, 6)):
                what, at = random.randrange(3), random.randrange(len(broken))
                if what == 0:
                    broken[at] = random.randrange(256)
                elif what == 1:
                    del broken[at]
                else:
                    broken[at:at] = bytes(random.randrange(256) for _ in range(3))
            cases.append(bytes(broken))
        with open(os.path.join(self.served.archive, "archive.toml"), "rb") as file:
            secret = re.search(rb'id = "([0-9a-f]+)"', file.read()).group(1)
        for case in cases:
            answer = raw(self.served, case, wait=0.3)
            for told in (b"root:", b"#pragma", b"format = 1", secret):
                self.assertNotIn(told, answer, case[:200])
            if answer:
                status = int(answer.split(b" ", 2)[1])
                self.assertLess(status, 504, case[:200])
                self.assertNotEqual(status, 500, case[:200])
        for trick in tricks:
            answer = raw(self.served, b"GET " + trick.encode() + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            self.assertIn(answer.split(b" ", 2)[1], (b"400", b"404"), trick)
        self.assertIsNone(self.served.daemon.process.poll())
        self.assertEqual(self.served.get("/?q=commande").status, 200)

    def test_pipelining_answers_in_order_or_not_at_all(self):
        one = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        answer = raw(self.served, one * 3 + one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        self.assertEqual(answer.count(b"HTTP/1.1 200"), 4)
        # What looks like a second request inside a refused body is none.
        smuggled = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + one
        self.assertLessEqual(raw(self.served, smuggled, wait=1).count(b"HTTP/1.1 2"), 0)

    def test_slow_and_idle_connections(self):
        idle = [socket.create_connection(("127.0.0.1", self.served.port), 10) for _ in range(1000)]
        try:
            self.assertEqual(self.served.get("/?q=commande").status, 200)
            # A header that comes a byte at a time is not waited for.
            slow = idle[0]
            slow.settimeout(20)
            began = time.monotonic()
            closed = False
            for byte in b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 200:
                try:
                    slow.sendall(bytes([byte]))
                    time.sleep(0.1)
                except OSError:
                    closed = True
                    break
            self.assertTrue(closed, "still open after %.1f s" % (time.monotonic() - began))
            self.assertEqual(self.served.get("/healthz").status, 200)
        finally:
            for connection in idle:
                connection.close()

    # ── what is written down ──

    def test_the_access_log_survives_kill_and_shows_tampering(self):
        mails = {"1": mail(1, "a@b.example", "c@d.example", "x", "mot")}
        with Served(self.scratch, "killed", mails) as served:
            for number in range(20):
                self.assertEqual(served.get("/?q=avant%d" % number).status, 200)
            served.daemon.kill_all()
            path = [os.path.join(served.archive, "state", "access", name) for name in os.listdir(os.path.join(served.archive, "state", "access")) if name.endswith(".log")][0]
            with open(path, "ab") as file:
                file.write(b'{"seq":21,"time":"20')  # torn by a power cut
            served.__enter__()
            self.assertEqual(served.get("/?q=apres").status, 200)
            objects = []
            for line in archctl(served.archive, "access-log", "--json", status=1).splitlines():
                try:
                    entry = json.loads(line)
                    if entry["surface"] == "http":
                        objects.append(entry["object"])
                except ValueError:
                    objects.append("torn")
            self.assertEqual(objects, ["avant%d" % number for number in range(20)] + ["torn", "apres"])

        with Served(self.scratch, "tampered", mails) as served:
            for number in range(10):
                served.get("/?q=mot%d" % number)
            path = [os.path.join(served.archive, "state", "access", name) for name in os.listdir(os.path.join(served.archive, "state", "access")) if name.endswith(".log")][0]
            with open(path, "rb") as file:
                lines = file.read().splitlines(keepends=True)
            archctl(served.archive, "access-log", "--verify")
            for changed in (lines[:4] + lines[5:], [line.replace(b"mot3", b"mot9") for line in lines], lines[1:4] + lines[:1] + lines[4:]):
                with open(path, "wb") as file:
                    file.writelines(changed)
                told = json.loads(archctl(served.archive, "access-log", "--verify", "--json", status=1))
                self.assertGreaterEqual(told["broken"], 1)

    def test_nothing_is_shown_that_cannot_be_written_down(self):
        with Served(self.scratch, "full", {"1": mail(1, "a@b.example", "c@d.example", "x", "mot")}) as served:
            self.assertEqual(served.get("/?q=mot").status, 200)
            folder = os.path.join(served.archive, "state", "access")
            [name] = [each for each in os.listdir(folder) if each.endswith(".log")]
            os.rename(os.path.join(folder, name), os.path.join(folder, "moved"))
            os.mkdir(os.path.join(folder, name))
            served.daemon.kill_all()
            served.__enter__()
            answer = served.get("/?q=mot")
            self.assertEqual(answer.status, 503)
            self.assertNotIn(b"hit-link", answer.body)
            self.assertEqual(served.get("/healthz").status, 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)
