#!/usr/bin/env python3
"""Real clients from the npm registry against the assistant's endpoint: the protocol's client in its three modes, the older SDK, the
inspector's command line, the conformance suite. Installs them by tools/dev/npm-packages."""

import glob
import http.client
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import support
from support import Served, harness
from test_endpoint import TOOLS, business


class WithToken(http.server.BaseHTTPRequestHandler):
    """Passes everything on as it came, with a token: the conformance suite cannot send one."""

    protocol_version = "HTTP/1.1"
    port, token = 0, ""

    def forward(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in ("connection", "authorization"):
                connection.putheader(name, value)
        connection.putheader("Authorization", "Bearer " + self.token)
        connection.endheaders(body)
        answer = connection.getresponse()
        content = answer.read()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        connection.close()

    do_GET = do_POST = do_DELETE = do_OPTIONS = forward

    def log_message(self, *unused):
        pass


class Proxy(http.server.ThreadingHTTPServer):
    def handle_error(self, *unused):
        pass  # clients that go away in the middle


# Of the conformance suite's server-stateless: they want tools made for it ('test_missing_capability', 'test_logging_tool' …).
NEED_FIXTURES = {
    "sep-2575-http-server-no-independent-requests-on-stream/HttpServerNoIndependentRequestsOnStream",
    "sep-2575-server-no-log-without-loglevel/ServerNoLogWithoutLogLevel",
    "sep-2575-server-rejects-undeclared-capability/ServerRejectsUndeclaredCapability",
    "sep-2575-missing-capability-http-400/MissingCapabilityHttp400",
}


class ClientsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = cls.enterClassContext(harness.Scratch())
        cls.npm = os.environ.get("ARCH_NPM") or os.path.join(harness.SOURCE_DIR, "build", "npm")
        subprocess.run([os.path.join(harness.SOURCE_DIR, "tools", "dev", "npm-packages"), cls.npm], check=True)
        cls.node = os.path.join(cls.npm, "node_modules", "node", "bin", "node")
        cls.served = cls.enterClassContext(Served(cls.scratch, "all", business(), own_domains=["vignes.example", "caves.example"]))
        cls.token = cls.served.token("assistant", "--rate", "100000")
        cls.environment = {**os.environ, "HOME": cls.scratch.path, "PATH": os.path.dirname(cls.node) + ":" + os.environ["PATH"], "NO_COLOR": "1"}

    def run_node(self, *words, status=0, timeout=120):
        done = subprocess.run([self.node, *words], cwd=self.npm, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout)
        text = done.stdout.decode("utf-8", "replace")
        self.assertEqual(done.returncode, status, text[-6000:])
        return text

    def bin_of(self, package, name):
        folder = os.path.join(self.npm, "node_modules", *package.split("/"))
        with open(os.path.join(folder, "package.json")) as file:
            described = json.load(file)["bin"]
        return os.path.join(folder, described if isinstance(described, str) else described[name])

    def test_clients_in_every_mode(self):
        script = shutil.copy(os.path.join(HERE, "clients.mjs"), self.npm)
        text = self.run_node(script, self.served.url, self.token, harness.program("archctl"), self.served.archive)
        print(text)
        self.assertIn("8 passed, 0 failed", text)

    def test_inspector(self):
        inspector = self.bin_of("@modelcontextprotocol/inspector", "mcp-inspector")
        common = [inspector, "--cli", self.served.url + "/mcp", "--transport", "http", "--header", "Authorization: Bearer " + self.token, "--format", "json"]
        listed = self.run_node(*common, "--method", "tools/list")
        self.assertEqual([each["name"] for each in self.json_in(listed)["tools"]], TOOLS)
        called = self.json_in(self.run_node(*common, "--method", "tools/call", "--tool-name", "search_mail", "--tool-args-json", '{"query":"meursault","limit":1}'))
        self.assertEqual(called["structuredContent"]["total"], 108)
        strict = self.run_node(*common, "--strict", "--method", "tools/list")
        self.assertNotIn("error", strict.lower().replace("iserror", "").split('"tools"')[0])

    def json_in(self, text):
        value = json.JSONDecoder().raw_decode(text[text.index("{"):])[0]
        return value.get("result", value)

    def test_conformance(self):
        WithToken.port, WithToken.token = self.served.port, self.token
        proxy = Proxy(("127.0.0.1", 0), WithToken)
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        self.addCleanup(proxy.server_close)
        self.addCleanup(proxy.shutdown)
        conformance = self.bin_of("@modelcontextprotocol/conformance", "conformance")
        url = "http://127.0.0.1:%d/mcp" % proxy.server_port
        # Scenarios of what is served here; the others call fixture tools, resources and prompts. So do these checks of server-stateless:
        fixtures = {"server-stateless": NEED_FIXTURES}
        for scenario, version in (("server-initialize", "2025-11-25"), ("ping", "2025-11-25"), ("tools-list", "2025-11-25"), ("tools-list", "2026-07-28"),
                                  ("dns-rebinding-protection", "2025-11-25"), ("http-header-validation", "2026-07-28"), ("server-stateless", "2026-07-28")):
            with self.subTest(scenario, version=version), tempfile.TemporaryDirectory() as out:
                expected = fixtures.get(scenario, set())
                self.run_node(conformance, "server", "--url", url, "--scenario", scenario, "--spec-version", version, "--force", "-o", out, status=1 if expected else 0)
                [path] = glob.glob(os.path.join(out, "**", "checks.json"), recursive=True)
                with open(path) as file:
                    checks = json.load(file)
                self.assertGreater(len(checks), 0)
                failed = {each["id"] + "/" + each["name"] for each in checks if each["status"] == "FAILURE"}
                print("%s %s: %d checks, %d failed" % (scenario, version, len(checks), len(failed)))
                self.assertEqual(failed, expected)


if __name__ == "__main__":
    unittest.main(verbosity=2)
