"""Owns a real sign-in provider in its own process on loopback: OpenID Connect, and what GitHub speaks.

Whoever comes has consented already. It checks what a provider checks (client, redirect, PKCE, a code
once) and misbehaves as it is told over its own HTTP. `python -m tests.services.oidc` runs it.
"""

import base64
import hashlib
import hmac
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit

import httpx2
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

CLIENT, SECRET = "console", "a secret: of % the + client"
ROOT = Path(__file__).parents[2]
PLAIN: dict[str, Any] = {
    "subject": "person-1",
    "email": "eve@example.com",
    "email_verified": True,
    "by_userinfo": False,  # the address is told there only
    "userinfo": {},  # over what userinfo says
    "claims": {},  # over what is signed; null removes a claim
    "sign": "RS256",  # ES256, none, HS256 (the published key as secret), stranger (a key of nobody)
    "kid": None,  # what the token names instead of its key
    "discovery": {},
    "callback": {},  # over what goes back with the browser
    "answers": {},  # path: [status, text]; "hang" for silence
    "person": {"id": 42},
    "emails": [{"email": "eve@example.com", "primary": True, "verified": True}],
}


class Provider:
    """The test's end of the process."""

    def __init__(self, port: int, client: httpx2.Client) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self._client = client

    def configured(self, name: str = "own", kind: str = "oidc", **more: Any) -> dict[str, Any]:
        """Return its table in our settings."""
        table = {"name": name, "kind": kind, "issuer": self.issuer}
        return {**table, "client_id": CLIENT, "client_secret": SECRET, **more}

    def tell(self, **options: Any) -> None:
        """Change how it behaves."""
        assert set(options) <= set(PLAIN)
        self._client.post(f"{self.issuer}/control", json=options).raise_for_status()

    def rotate(self) -> None:
        """Sign with another key from now on, and publish that alone."""
        self._client.post(f"{self.issuer}/rotate").raise_for_status()

    def reset(self) -> None:
        """Behave again, and forget what was asked."""
        self._client.post(f"{self.issuer}/reset").raise_for_status()

    def asked(self, path: str = "") -> list[dict[str, Any]]:
        """Return the requests so far: path, and fields of the query or form."""
        log = self._client.get(f"{self.issuer}/control").json()
        return [one for one in log if not path or one["path"] == path]

    def visit(self, url: str) -> str:
        """Go where the site has sent the browser, and return where the provider sends it."""
        answer = self._client.get(url)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]


@contextmanager
def running() -> Iterator[Provider]:
    """Yield a provider in a process of its own."""
    command = [sys.executable, "-m", "tests.services.oidc"]
    with (
        httpx2.Client(trust_env=False) as client,
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            yield Provider(int(process.stdout.readline()), client)
        finally:
            process.kill()


class _State:
    def __init__(self) -> None:
        self.rsa = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)
        self.ec = ECKey.generate_key("P-256", {"use": "sig"}, auto_kid=True)
        self.stranger = RSAKey.generate_key(2048)
        self.reset()

    def reset(self) -> None:
        self.options = dict(PLAIN)
        self.codes: dict[str, dict[str, str]] = {}
        self.log: list[dict[str, Any]] = []


STATE: _State


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # One write an answer: nothing waits for an acknowledgement.
    wbufsize = -1

    def do_GET(self) -> None:
        self._serve({name: values[0] for name, values in parse_qs(self._query()).items()})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        path = urlsplit(self.path).path
        if path == "/control":
            STATE.options |= json.loads(body)
            return self._json({})
        if path in ("/reset", "/rotate"):
            self._commanded(path)
            return self._json({})
        return self._serve(dict(parse_qsl(body.decode())))

    def _commanded(self, path: str) -> None:
        if path == "/reset":
            STATE.reset()
        else:
            parameters = {"use": "sig", "alg": "RS256"}
            STATE.rsa = RSAKey.generate_key(2048, parameters, auto_kid=True)

    def _query(self) -> str:
        return urlsplit(self.path).query

    def _serve(self, fields: dict[str, str]) -> None:
        path = urlsplit(self.path).path
        if path == "/control":
            return self._json(STATE.log)
        STATE.log.append({"path": path, "fields": fields})
        answer = STATE.options["answers"].get(path)
        if answer == "hang":
            threading.Event().wait()
        if answer is not None:
            return self._answer(answer[0], answer[1].encode())
        return {
            "/.well-known/openid-configuration": self._discovery,
            "/authorize": self._authorize,
            "/login/oauth/authorize": self._authorize,
            "/token": self._token,
            "/login/oauth/access_token": self._token,
            "/jwks": self._jwks,
            "/userinfo": self._userinfo,
            "/api/v3/user": lambda _: self._owned(STATE.options["person"]),
            "/api/v3/user/emails": lambda _: self._owned(STATE.options["emails"]),
        }.get(path, self._nothing)(fields)

    def _nothing(self, _fields: dict[str, str]) -> None:
        self._answer(404, b"nothing")

    @property
    def _issuer(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def _discovery(self, _fields: dict[str, str]) -> None:
        document = {
            "issuer": self._issuer,
            "authorization_endpoint": f"{self._issuer}/authorize",
            "token_endpoint": f"{self._issuer}/token",
            "jwks_uri": f"{self._issuer}/jwks",
            "userinfo_endpoint": f"{self._issuer}/userinfo",
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        }
        document |= STATE.options["discovery"]
        self._json({name: value for name, value in document.items() if value is not None})

    def _authorize(self, fields: dict[str, str]) -> None:
        right = (fields.get("response_type"), fields.get("code_challenge_method"))
        if right != ("code", "S256") or fields.get("client_id") != CLIENT:
            return self._answer(400, b"bad request")
        code = base64.urlsafe_b64encode(hashlib.sha256(fields["state"].encode()).digest()).decode()
        STATE.codes[code] = fields
        back = {"code": code, "state": fields["state"], **STATE.options["callback"]}
        url = fields["redirect_uri"] + "?" + urlencode({k: v for k, v in back.items() if v})
        self.send_response(303)
        self.send_header("location", url)
        self.send_header("content-length", "0")
        self.end_headers()
        return None

    def _client(self, fields: dict[str, str]) -> bool:
        basic = self.headers.get("authorization", "").removeprefix("Basic ")
        if basic:
            name, _, secret = base64.b64decode(basic).decode("latin-1").partition(":")
            return (unquote(name), secret) == (CLIENT, SECRET)
        return (fields.get("client_id"), fields.get("client_secret")) == (CLIENT, SECRET)

    def _token(self, fields: dict[str, str]) -> None:
        begun = STATE.codes.pop(fields.get("code", ""), None)
        digest = hashlib.sha256(fields.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        good = (
            begun is not None
            and self._client(fields)
            and fields.get("grant_type") == "authorization_code"
            and fields.get("redirect_uri") == begun["redirect_uri"]
            and challenge == begun["code_challenge"]
        )
        if not good or begun is None:
            return self._json(
                {"error": "invalid_grant", "error_description": "PROVIDER-WORDS"}, 400
            )
        tokens = {"access_token": "PROVIDER-ACCESS", "token_type": "Bearer", "expires_in": 60}
        if "nonce" in begun and self.path.startswith("/token"):
            tokens["id_token"] = self._id_token(begun["nonce"])
        return self._json(tokens)

    def _id_token(self, nonce: str) -> str:
        options, now = STATE.options, int(time.time())
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "sub": options["subject"],
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
        }
        if not options["by_userinfo"]:
            claims |= {"email": options["email"], "email_verified": options["email_verified"]}
        claims |= options["claims"]
        claims = {name: value for name, value in claims.items() if value is not None}
        return _signed(claims, options["sign"], options["kid"])

    def _jwks(self, _fields: dict[str, str]) -> None:
        odd = {"kty": "oct", "k": "c2VjcmV0", "kid": "odd"}
        keys = [STATE.rsa.as_dict(private=False), STATE.ec.as_dict(private=False), odd]
        self._json({"keys": keys})

    def _userinfo(self, _fields: dict[str, str]) -> None:
        options = STATE.options
        told = {"sub": options["subject"], "email": options["email"]}
        self._owned({**told, "email_verified": options["email_verified"], **options["userinfo"]})

    def _owned(self, answer: Any) -> None:
        if self.headers.get("authorization") != "Bearer PROVIDER-ACCESS":
            return self._json({"message": "PROVIDER-WORDS"}, 401)
        return self._json(answer)

    def _json(self, answer: Any, status: int = 200) -> None:
        self._answer(status, json.dumps(answer).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def _signed(claims: dict[str, Any], sign: str, kid: str | None) -> str:
    key = STATE.ec if sign == "ES256" else STATE.rsa
    header = {"alg": sign, "kid": kid or key.kid}
    if sign in ("RS256", "ES256"):
        return jwt.encode(header, claims, key)
    if sign == "stranger":
        return jwt.encode({**header, "alg": "RS256"}, claims, STATE.stranger)
    head, body = (_encoded(json.dumps(part).encode()) for part in (header, claims))
    if sign == "none":
        return f"{head}.{body}."
    secret = STATE.rsa.as_pem(private=False)
    return f"{head}.{body}." + _encoded(hmac.digest(secret, f"{head}.{body}".encode(), "sha256"))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def main() -> None:
    """Run the provider until the process is ended."""
    global STATE
    STATE = _State()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
