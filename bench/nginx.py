"""Owns the yardstick: nginx as a plain reverse proxy in front of the pretend vendor.

Its configuration is performance.md's: keep-alive upstream, buffering off, one worker. All its
files are in a folder that is thrown away. It must not know what is sent through it.
"""

import os
import shutil
import subprocess
from pathlib import Path

from bench.processes import Child, answers, free_port, wait_until

_UP_S = 10
_TEMP = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


class NginxMissing(RuntimeError):
    """There is no nginx to compare with."""


def configuration(folder: Path, port: int, upstream_port: int, *, root: bool) -> str:
    """Return the nginx configuration as text."""
    temp = "\n".join(f"    {name}_temp_path {folder}/temp_{name};" for name in _TEMP)
    user = "user root;\n" if root else ""
    return f"""{user}daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx_error.log warn;
events {{ worker_connections 1024; }}
http {{
{temp}
    access_log off;
    client_body_buffer_size 1m;
    client_max_body_size 16m;
    keepalive_timeout 300s;
    keepalive_requests 100000000;
    upstream vendor {{
        server 127.0.0.1:{upstream_port};
        keepalive 256;
        keepalive_requests 100000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location = /up {{ return 200; }}
        location / {{
            proxy_pass http://vendor;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            proxy_read_timeout 300s;
        }}
    }}
}}
"""


def version() -> str:
    """Return nginx's version; NginxMissing when it is not installed."""
    said = subprocess.run([_binary(), "-v"], capture_output=True, text=True, check=True).stderr
    return said.strip().rpartition("/")[2]


def start(folder: Path, upstream_port: int, core: int | None) -> tuple[Child, int]:
    """Start nginx and return it with its port; ChildFailed when it does not come up."""
    port = free_port()
    file = folder / "nginx.conf"
    file.write_text(configuration(folder, port, upstream_port, root=os.geteuid() == 0))
    command = [_binary(), "-p", str(folder), "-c", str(file), "-e", str(folder / "nginx_error.log")]
    child = Child("nginx", command, folder, core)
    wait_until(child, lambda: answers(f"http://127.0.0.1:{port}/up"), _UP_S)
    return child, port


def _binary() -> str:
    found = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if found is None:
        raise NginxMissing("nginx is not installed: the benchmark compares with it")
    return found
