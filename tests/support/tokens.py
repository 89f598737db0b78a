"""An issuer of tokens with real keys, and its `/.well-known` addresses on a local server.

with issuer() as clerk:
lab.claims_to_principal(clerk.token({"sub": "user_1"}), issuer=clerk.url)
"""

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

Json = dict[str, Any]


@dataclass
class Issuer:
    """An issuer: `answers` is what its server says, by path; `asked` the paths that were asked for."""

    url: str
    keys: dict[str, Any]
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def jwks(self) -> Json:
        """The public keys as the issuer publishes them."""
        return {"keys": [_jwk(kid, key) for kid, key in self.keys.items()]}

    def claims(self, **more: Any) -> Json:
        """Claims of a session that has just begun; None leaves one out."""
        now = int(time.time())
        made = {"iss": self.url, "sub": "user_1", "iat": now - 5, "nbf": now - 5, "exp": now + 60, **more}
        return {name: value for name, value in made.items() if value is not None}

    def token(
        self, claims: Json | None = None, *, kid: str | None = "rsa", alg: str = "RS256", **header: Any
    ) -> str:
        """A token signed with one of the keys."""
        key = self.keys[kid or "rsa"]
        headers = {**({"kid": kid} if kid else {}), **header}
        return jwt.encode(claims or self.claims(), key, algorithm=alg, headers=headers)


def segment(value: object) -> str:
    """A part of a token: JSON, or bytes as they are, in base64url."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _jwk(kid: str, key: Any) -> Json:
    algorithm: Any = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    if isinstance(key, ed25519.Ed25519PrivateKey):
        algorithm = OKPAlgorithm
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"}


_KEYS: dict[str, Any] = {}


def keys() -> dict[str, Any]:
    """Keys of each kind, made once."""
    if not _KEYS:
        _KEYS["rsa"] = rsa.generate_private_key(65537, 2048)
        _KEYS["ec"] = ec.generate_private_key(ec.SECP256R1())
        _KEYS["ed"] = ed25519.Ed25519PrivateKey.generate()
    return dict(_KEYS)


@contextmanager
def issuer() -> Iterator[Issuer]:
    """A running issuer whose keys are at `/.well-known/jwks.json`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            status, body = made.answers.get(self.path, (404, b"{}"))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Issuer(f"http://127.0.0.1:{server.server_port}", keys())
    made.answers["/.well-known/jwks.json"] = (200, json.dumps(made.jwks()).encode())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
