"""Owns a page in a real browser: its origin is a small server here, its findings are read as data.

The page's script is an async function body that returns a plain object. Chromium prints the page
once it is loaded, and an image that arrives when the script has ended holds that back: nothing
waits by the clock.
"""

import contextlib
import html
import json
import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_LIMIT_S = 60
_PAGE = """<!doctype html><title>A page</title><pre id="found"></pre><img src="/held" alt="">
<script>
const run = async () => {{ {script} }};
run()
  .catch((fault) => ({{ fault: String(fault) }}))
  .then((found) => {{
    document.getElementById("found").textContent = JSON.stringify(found);
    return fetch("/release", {{ method: "POST" }});
  }});
</script>
"""


def installed() -> str | None:
    """Return the path of a Chromium, None when there is none."""
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


def found_by(script: str, folder: Path) -> Any:
    """Run the script in a page and return what it found; the browser lives in `folder`."""
    chromium = installed()
    assert chromium is not None
    with _served(_PAGE.format(script=script)) as url:
        process = subprocess.Popen(
            [
                *(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
                *(
                    "--disable-dev-shm-usage",
                    "--disable-background-networking",
                    "--no-proxy-server",
                ),
                *(f"--user-data-dir={folder / 'browser'}", "--dump-dom", url),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
            start_new_session=True,
        )
        try:
            printed, said = process.communicate(timeout=_LIMIT_S)
        finally:
            # It is a family of processes: none of them outlives the first.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    shown = re.search(r'<pre id="found">(.+?)</pre>', printed, re.DOTALL)
    assert shown, f"the page found nothing:\n{printed[-2000:]}\n{said[-2000:]}"
    return json.loads(html.unescape(shown[1]))


@contextlib.contextmanager
def _served(page: str) -> Iterator[str]:
    """Serve the page at an origin of its own."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/":
                self._answer(page.encode())
                return
            if self.path == "/held":
                over.wait(_LIMIT_S)
            self._answer(b"")

        def do_POST(self) -> None:
            over.set()
            self._answer(b"")

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()
