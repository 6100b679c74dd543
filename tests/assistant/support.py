"""A served archive for tests of what answers over HTTP: mail of our own, a running archd, requests as bytes."""

import http.client
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import harness

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
MODERN = "2026-07-28"


def archctl(archive, *words, status=0, input=None):
    environment = {key: value for key, value in os.environ.items() if key not in ("ARCHIVE", "ARCHD_CONFIG")}
    done = subprocess.run([harness.program("archctl"), "--archive", archive, *words], capture_output=True, input=input, env=environment, timeout=120)
    assert done.returncode == status, "archctl %s: %d\n%s\n%s" % (" ".join(words), done.returncode, done.stdout.decode("utf-8", "replace")[-2000:],
                                                                  done.stderr.decode("utf-8", "replace")[-2000:])
    return done.stdout


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}
        self.body = body

    def json(self):
        return json.loads(self.body)


class Served:
    """An archive that holds `mails` (name -> bytes) and the archd that serves it. A context manager."""

    def __init__(self, scratch, name, mails, own_domains=(), settings=""):
        self.archive = scratch.join(name)
        folder = scratch.join(name + "-mail")
        os.makedirs(folder)
        for file, content in mails.items():
            with open(os.path.join(folder, file + ".eml"), "wb") as out:
                out.write(content)
        self.config = scratch.join(name + ".toml")
        with open(self.config, "w") as out:
            out.write('[archive]\nreserve_bytes = "1M"\ncap_bytes = "1G"\ntimezone = "UTC"\n[mta]\nown_domains = %s\n%s' % (json.dumps(list(own_domains)), settings))
        archctl(self.archive, "--config", self.config, "init", self.archive)
        archctl(self.archive, "--config", self.config, "import", "--quiet", folder)
        self.socket = scratch.join(name + ".sock")
        self.log = scratch.join(name + ".log")
        self.daemon = None

    def __enter__(self):
        self.daemon = harness.Daemon(
            [harness.program("archd"), "--config=" + self.config, "--archive=" + self.archive, "--lmtp=inet:127.0.0.1:0",
             "--http=inet:127.0.0.1:0", "--http=unix:" + self.socket, "run"], self.log)
        addresses = [word.split("=", 1)[1] for word in self.daemon.ready.split() if word.startswith("http=inet:")]
        self.port = int(addresses[0].rsplit(":", 1)[1])
        self.url = "http://127.0.0.1:%d" % self.port
        return self

    def __exit__(self, *unused):
        self.daemon.stop()

    def token(self, name, *options):
        return archctl(self.archive, "token", "create", name, *options).decode().strip()

    def request(self, method, target, headers=None, body=None, host=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", host or "127.0.0.1:%d" % self.port)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        answer = Answer(response.status, response.getheaders(), response.read())
        connection.close()
        return answer

    def get(self, target, **headers):
        return self.request("GET", target, {name.replace("_", "-"): value for name, value in headers.items()})

    def mcp(self, token, body, **more):
        """POST /mcp; `body` is bytes or what becomes JSON; a header given as None is left out."""
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        if token:
            headers["Authorization"] = "Bearer " + token
        headers.update(more.pop("headers", {}))
        headers = {name: value for name, value in headers.items() if value is not None}
        return self.request("POST", "/mcp", headers, body if isinstance(body, bytes) else json.dumps(body).encode(), **more)

    def call(self, token, tool, arguments=None, modern=False):
        """A tool's result."""
        params = {"name": tool, "arguments": arguments or {}}
        headers = {}
        if modern:
            params["_meta"] = {VERSION_KEY: MODERN, CAPABILITIES_KEY: {}}
            headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": tool}
        answer = self.mcp(token, {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}, headers=headers)
        assert answer.status == 200, (answer.status, answer.body)
        return answer.json()["result"]


def mail(number, sender, to, subject, text, date="Mon, 3 Jun 2024 10:00:00 +0200", references=(), attachments=()):
    """A small mail; `attachments` are (name, type, bytes). Header values and text are taken as they are (str: UTF-8)."""
    def raw(value):
        return value if isinstance(value, bytes) else value.encode()

    head = [b"From: " + raw(sender), b"To: " + raw(to), b"Subject: " + raw(subject), b"Date: " + raw(date),
            b"Message-ID: <%d@messages.example>" % number, b"MIME-Version: 1.0"]
    if references:
        head.append(b"In-Reply-To: <%d@messages.example>" % references[-1])
        head.append(b"References: " + b" ".join(b"<%d@messages.example>" % each for each in references))
    if not attachments:
        return b"\r\n".join(head + [b"Content-Type: text/plain; charset=utf-8", b"", raw(text).replace(b"\n", b"\r\n"), b""])
    lines = head + [b'Content-Type: multipart/mixed; boundary="b%d"' % number, b"", b"--b%d" % number,
                    b"Content-Type: text/plain; charset=utf-8", b"", raw(text).replace(b"\n", b"\r\n")]
    for name, kind, content in attachments:
        lines += [b"--b%d" % number, b"Content-Type: " + raw(kind), b"Content-Disposition: attachment; filename=" + raw(name), b"", content]
    return b"\r\n".join(lines + [b"--b%d--" % number, b""])
