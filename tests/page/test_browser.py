#!/usr/bin/env python3
"""The page in a real browser: playwright-core drives Debian's Chromium (browser.mjs); ARCH_SHOTS=DIR keeps the screenshots.

Here are the mails it looks at: a company's exchanges, and 300 hostile HTML mails of our own."""

import itertools
import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "assistant"))
from support import Served, archctl, harness
from test_endpoint import business

JS = "document.title='taken';alert(1);fetch('http://canary.example/s')"
# Ways by which HTML runs something, reaches somebody, or takes the reader elsewhere.
VECTORS = [
    "<script>%s</script>", "<img src=x onerror=\"%s\">", "<svg onload=\"%s\"></svg>", "<body onload=\"%s\">", "<a href=\"javascript:%s\">marker</a>",
    "<iframe srcdoc=\"<script>%s</script>\"></iframe>", "<object data=\"data:text/html,<script>%s</script>\"></object>", "<math><mtext><script>%s</script></mtext></math>",
    "<details open ontoggle=\"%s\">x</details>", "<input autofocus onfocus=\"%s\">", "<marquee onstart=\"%s\">x</marquee>", "<video><source onerror=\"%s\"></video>",
    "<noscript><p title=\"</noscript><img src=x onerror='%s'>\"></noscript>", "<svg><style><img src=x onerror=\"%s\"></style></svg>",
    "<math><mi><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=x onerror='%s'&gt;\"></mglyph></mi></math>", "<form action=\"javascript:%s\"><button autofocus>x</button></form>",
    "<table background=\"javascript:%s\"><tr><td>x</table>", "<a onmouseover=\"%s\" href=\"#\">marker</a>", "<div style=\"width:expression(%s)\">x</div>", "<template><script>%s</script></template><xmp><script>%s</script></xmp>",
]
BEACONS = [
    "<img src=\"http://canary.example/pixel.gif\" width=1 height=1>", "<img srcset=\"http://canary.example/a 1x, http://canary.example/b 2x\">", "<link rel=stylesheet href=\"http://canary.example/c.css\">",
    "<style>@import 'http://canary.example/i.css';</style>", "<style>body{background:url(http://canary.example/bg)}</style>", "<div style=\"background-image:url('http://canary.example/inline')\">x</div>",
    "<meta http-equiv=refresh content=\"0;url=http://canary.example/refresh\">", "<base href=\"http://canary.example/\"><img src=rel.png>", "<iframe src=\"http://canary.example/frame\"></iframe>",
    "<object data=\"http://canary.example/o\"></object>", "<embed src=\"http://canary.example/e\">", "<video poster=\"http://canary.example/p\" src=\"http://canary.example/v\" autoplay></video>",
    "<audio src=\"http://canary.example/a\" autoplay></audio>", "<svg><image href=\"http://canary.example/svg\"/><use href=\"http://canary.example/u#x\"/></svg>", "<form action=\"http://canary.example/form\" method=post><input type=submit value=marker></form>",
    "<a href=\"http://canary.example/ping\" ping=\"http://canary.example/ping2\" target=_top>marker link</a>", "<style>@font-face{font-family:x;src:url(http://canary.example/f)}body{font-family:x}</style>", "<input type=image src=\"http://canary.example/input\">",
    "<picture><source srcset=\"http://canary.example/ps\"><img></picture>", "<img src=\"//canary.example/noscheme\"><img lowsrc=http://canary.example/low dynsrc=http://canary.example/dyn>",
    "<style>p{list-style:url(http://canary.example/l);cursor:url(http://canary.example/cur),auto;content:url(http://canary.example/ct)}</style>", "<link rel=prefetch href=http://canary.example/pf><link rel=dns-prefetch href=//canary.example><link rel=preload as=image href=http://canary.example/pl>",
    "<body background=\"http://canary.example/bodybg\">", "<table><td background=\"http://canary.example/tdbg\">x</table>",
]
# The same in other clothes.
DISGUISES = [
    lambda html: html,
    lambda html: html.replace("<s", "<S").replace("on", "oN").replace("script", "sCrIpT"),
    lambda html: html.replace(" ", "\t\n", 1).replace("=\"", "\n=\n\"", 1),
    lambda html: "<p>marker<b><i>" + html,
    lambda html: "<!-- --!>" + html + "<!--",
    lambda html: html.replace("<", "<\x00", 1) + html,
    lambda html: "<div><table><tr>" + html + "</div></table>",
]


def hostile():
    mails = {}
    everything = [vector.replace("%s", JS) for vector in VECTORS] + BEACONS
    for number, (disguise, html) in enumerate(itertools.islice(itertools.product(DISGUISES, everything), 300)):
        body = "<html><body><p>marker %d</p>%s<p>end marker</p></body></html>" % (number, disguise(html))
        mails["h%03d" % number] = (
            "From: Max <max@evil.example>\r\nTo: paul@vignes.example\r\nSubject: hostile %d\r\nMessage-ID: <h%d@evil.example>\r\nDate: Mon, 3 Jun 2024 10:00:00 +0200\r\n"
            "MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n%s\r\n" % (number, number, body)).encode()
    assert len(mails) == 300
    return mails


def main():
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("chromium is not installed: tools/dev/install-packages test")
    npm = os.environ.get("ARCH_NPM") or os.path.join(harness.SOURCE_DIR, "build", "npm")
    subprocess.run([os.path.join(harness.SOURCE_DIR, "tools", "dev", "npm-packages"), npm], check=True)
    shots = os.environ.get("ARCH_SHOTS", "")
    if shots:
        os.makedirs(shots, exist_ok=True)
    with harness.Scratch() as scratch, Served(scratch, "all", {**business(), **hostile()}, own_domains=["vignes.example", "caves.example"]) as served:
        archctl(served.archive, "saved", "add", "litiges", "litige OR contentieux")
        found = json.loads(archctl(served.archive, "search", "--json", "--limit=1000", "from:max@evil.example"))
        ids = [hit["id"][:16] for hit in found["hits"]]
        assert len(ids) == 300, len(ids)
        script = shutil.copy(os.path.join(HERE, "browser.mjs"), npm)
        task = {"url": served.url, "chromium": chromium, "shots": shots, "hostile": ids}
        done = subprocess.run([os.path.join(npm, "node_modules", "node", "bin", "node"), script, json.dumps(task)], cwd=npm, env={**os.environ, "HOME": scratch.path}, timeout=500)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
