"""Session tokens become principals only if they are valid, and no error says what is in them."""

import hashlib
import hmac
import json
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr
from tokens import Issuer, issuer, segment
from tracebacks import shown

import clerk_cerbos_lab as lab

Json = dict[str, Any]
PERSONAL = "jane.doe.4711@example.com"


@pytest.fixture(scope="module")
def clerk() -> Iterator[Issuer]:
    with issuer() as one:
        yield one


# --- which principal ------------------------------------------------------------------------------


def test_a_session_token_of_clerk_becomes_the_principal_of_the_same_mapping(clerk: Issuer) -> None:
    metadata = {"role": "manager", "region": "south", "approval_limit": 7500.5, "grade": None}
    token = clerk.token(clerk.claims(metadata=metadata, o={"id": "org_1", "rol": "admin"}, fva=[7, -1]))
    mapping = lab.Mapping(organization_roles=True)
    found = lab.claims_to_principal(token, mapping=mapping, issuer=clerk.url)
    row = found.iloc[0].to_dict()
    assert row == {
        "id": "user_1",
        "roles": ("manager", "org:admin"),
        "region": "south",
        "approval_limit": 7500.5,
        "grade": None,
    }
    assert found.attrs["token"] == {"verified": True, "expired": False, "absent": []}
    without = lab.claims_to_principal(token, issuer=clerk.url)
    assert without["roles"].tolist() == [("manager",)]


def test_a_token_without_metadata_is_a_user_of_the_default_role(clerk: Issuer) -> None:
    found = lab.claims_to_principal(clerk.token(), issuer=clerk.url)
    assert found.to_dict("records") == [{"id": "user_1", "roles": ("user",)}]
    assert found.attrs["token"]["absent"] == ["public_metadata"]


def test_the_claims_of_auth0_are_those_that_an_action_wrote() -> None:
    claims = {
        "sub": "auth0|1",
        "email": PERSONAL,
        "https://acme.example/roles": ["finance"],
        "https://acme.example/app": {"limit": 5000},
    }
    mapping = lab.Mapping.of("auth0", metadata=("limit",))
    names = {"assigned_roles": "https://acme.example/roles", "app_metadata": "https://acme.example/app"}
    found = lab.claims_to_principal(claims, mapping=mapping, claims=names)
    assert found.to_dict("records") == [
        {"id": "auth0|1", "roles": ("finance",), "limit": 5000, "email": PERSONAL, "provider": "auth0"}
    ]
    bare = lab.claims_to_principal(claims, mapping=mapping)
    assert bare.attrs["token"]["absent"] == ["app_metadata.limit", "assigned_roles"]
    assert bare["roles"].tolist() == [("user",)]


@pytest.mark.parametrize(
    ("claims", "own"),
    [({"sub": "00u1"}, "00u1"), ({"sub": "jane@example.com", "uid": "00u1"}, "00u1")],
    ids=["id token", "access token"],
)
def test_the_groups_of_okta_are_roles_without_everyone(claims: Json, own: str) -> None:
    mapping = lab.Mapping.of("okta", metadata=("department",), profile={"first": "profile.firstName"})
    claims |= {"groups": ["Everyone", "manager"], "department": "sales", "given_name": "Jane"}
    found = lab.claims_to_principal(claims, mapping=mapping)
    assert found.to_dict("records") == [
        {"id": own, "roles": ("manager",), "department": "sales", "first": "Jane"}
    ]


@pytest.mark.parametrize("roles", [{"role": "approver"}, {"role": "approver", "roles": ["approver"]}])
def test_the_role_of_workos_is_that_of_the_organization_of_the_session(roles: Json) -> None:
    mapping = lab.Mapping.of("workos", roles=("organization_roles",), profile={}, metadata=("limit",))
    claims = {"sub": "user_01", "org_id": "org_01", "sid": "s", **roles, "metadata": {"limit": "5000"}}
    found = lab.claims_to_principal(claims, mapping=mapping)
    assert found.to_dict("records") == [{"id": "user_01", "roles": ("approver",), "limit": "5000"}]
    added = lab.Mapping.of("workos", organization_roles=True, profile={})
    assert lab.claims_to_principal(claims, mapping=added)["roles"].tolist() == [("user", "approver")]


def test_a_part_of_the_metadata_can_be_a_claim_of_its_own() -> None:
    claims = {"sub": "user_1", "metadata": {"role": "user", "region": "west"}, "r": ["manager"]}
    found = lab.claims_to_principal(
        claims, claims={"public_metadata": "metadata", "public_metadata.roles": "r"}
    )
    assert found.iloc[0]["roles"] == ("user",)
    assert claims["metadata"] == {"role": "user", "region": "west"}
    mapping = lab.Mapping(roles=("public_metadata.roles",))
    found = lab.claims_to_principal(claims, mapping=mapping, claims={"public_metadata": "metadata"})
    assert found.iloc[0]["roles"] == ("user",)


def test_a_claim_for_something_that_the_mapping_does_not_read_is_refused() -> None:
    with pytest.raises(lab.InputError, match="reads nothing at 'public_meta'; did you mean"):
        lab.claims_to_principal({"sub": "user_1"}, claims={"public_meta": "metadata"})


def test_a_token_and_the_directory_are_compared_in_one_form(clerk: Issuer) -> None:
    token = clerk.token(clerk.claims(metadata={"role": "manager", "region": "south"}))
    found = lab.claims_to_principal(token, issuer=clerk.url)
    assert lab.shareable(found, "region").attrs["shareable"] == ["region"]
    assert repr(found).count("user_1") == 1


# --- which tokens ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kid", "alg"), [("rsa", "RS256"), ("rsa", "PS512"), ("ec", "ES256"), ("ed", "EdDSA")]
)
def test_signatures_of_each_kind_are_verified(clerk: Issuer, kid: str, alg: str) -> None:
    token = clerk.token(clerk.claims(sub=kid), kid=kid, alg=alg)
    assert lab.claims_to_principal(token, issuer=clerk.url)["id"].tolist() == [kid]
    assert lab.claims_to_principal(SecretStr(token), issuer=clerk.url)["id"].tolist() == [kid]


def test_keys_can_be_given_as_data_a_file_or_an_address(clerk: Issuer, tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps(clerk.jwks()))
    asked = len(clerk.asked)
    for jwks in (clerk.jwks(), file, str(file)):
        assert len(lab.claims_to_principal(clerk.token(), issuer=clerk.url, jwks=jwks)) == 1
    assert len(clerk.asked) == asked
    address = f"{clerk.url}/.well-known/jwks.json"
    assert len(lab.claims_to_principal(clerk.token(), issuer=clerk.url, jwks=address)) == 1
    assert len(clerk.asked) == asked + 1


def test_the_address_of_the_keys_is_the_one_that_the_issuer_publishes() -> None:
    with issuer() as okta:
        okta.answers = {
            "/.well-known/openid-configuration": (
                200,
                json.dumps({"issuer": okta.url, "jwks_uri": f"{okta.url}/v1/keys"}).encode(),
            ),
            "/v1/keys": (200, json.dumps(okta.jwks()).encode()),
        }
        assert len(lab.claims_to_principal(okta.token(), issuer=okta.url)) == 1
        assert okta.asked == ["/.well-known/openid-configuration", "/v1/keys"]


def test_audience_party_and_clocks_are_what_the_caller_says(clerk: Issuer) -> None:
    token = clerk.token(clerk.claims(aud=["api://a", "b"], azp="https://app.example"))
    parties = ["https://app.example"]
    found = lab.claims_to_principal(token, issuer=clerk.url, audience="b", authorized_parties=parties)
    assert len(found) == 1
    late = clerk.token(clerk.claims(exp=int(time.time()) - 5))
    assert len(lab.claims_to_principal(late, issuer=clerk.url, leeway=60)) == 1


def test_an_expired_token_is_read_if_asked_for_and_says_so(clerk: Issuer) -> None:
    old = clerk.token(clerk.claims(exp=int(time.time()) - 3600))
    found = lab.claims_to_principal(old, issuer=clerk.url, expired=True)
    assert found.attrs["token"] == {"verified": True, "expired": True, "absent": ["public_metadata"]}


def test_an_unsigned_token_is_read_if_asked_for_with_a_warning_and_says_so() -> None:
    token = f"{segment({'alg': 'none'})}.{segment({'sub': 'user_9'})}."
    with pytest.warns(lab.LabWarning, match="nothing of the token is verified"):
        found = lab.claims_to_principal(token, verify=False)
    assert found["id"].tolist() == ["user_9"]
    assert found.attrs["token"]["verified"] is False
    assert found.attrs["token"]["expired"] is None


def _other_key() -> Any:
    return rsa.generate_private_key(65537, 2048)


def _changed(clerk: Issuer) -> str:
    head, _, signature = clerk.token().split(".")
    return f"{head}.{segment(clerk.claims(sub='admin'))}.{signature}"


def _confused(clerk: Issuer) -> str:
    """HS256 with the public key as the secret."""
    public = clerk.keys["rsa"].public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    body = f"{segment({'alg': 'HS256', 'typ': 'JWT', 'kid': 'rsa'})}.{segment(clerk.claims())}"
    return f"{body}.{segment(hmac.digest(pem, body.encode(), hashlib.sha256))}"


def _twice(clerk: Issuer) -> str:
    text = json.dumps(clerk.claims())
    raw = ('{"sub":"admin",' + text[1:]).encode()
    private = clerk.keys["rsa"]
    return jwt.PyJWS().encode(raw, private, algorithm="RS256", headers={"kid": "rsa"})


def _without(name: str) -> Callable[[Issuer], str]:
    return lambda clerk: clerk.token(clerk.claims(**{name: None}))


def _with(name: str, value: Any) -> Callable[[Issuer], str]:
    def made(clerk: Issuer) -> str:
        raw = json.dumps(clerk.claims(**{name: value})).encode()
        return jwt.PyJWS().encode(raw, clerk.keys["rsa"], algorithm="RS256", headers={"kid": "rsa"})

    return made


NOW = int(time.time())
BAD: dict[str, tuple[Callable[[Issuer], str], str]] = {
    "empty": (lambda _: "", "1 parts"),
    "a word": (lambda _: "hello", "1 parts"),
    "two parts": (lambda clerk: clerk.token().rpartition(".")[0], "2 parts"),
    "four parts": (lambda clerk: f"{clerk.token()}.x", "4 parts"),
    "encrypted": (lambda _: "a.b.c.d.e", "encrypted"),
    "far too long": (lambda clerk: clerk.token(clerk.claims(x="y" * 70_000)), "no session token has more"),
    "header is no base64": (lambda clerk: f"!{clerk.token()}", "not JSON objects"),
    "header is a list": (lambda clerk: f"{segment([1])}.{segment(clerk.claims())}.x", "not JSON objects"),
    "payload is no JSON": (lambda _: f"{segment({'alg': 'RS256'})}.{segment(b'{')}.x", "not JSON objects"),
    "payload is text": (lambda _: f"{segment({'alg': 'RS256'})}.{segment('x')}.x", "not JSON objects"),
    "payload is not UTF-8": (lambda _: f"{segment({})}.{segment(bytes([255, 254]))}.x", "not JSON objects"),
    "payload is nested deeply": (
        lambda _: f"{segment({})}.{segment(b'[' * 40_000)}.x",
        "not JSON objects",
    ),
    "a claim twice": (_twice, "each key once"),
    "alg none": (lambda clerk: f"{segment({'alg': 'none'})}.{segment(clerk.claims())}.", "is not signed"),
    "alg NoNe": (lambda clerk: f"{segment({'alg': 'NoNe'})}.{segment(clerk.claims())}.", "is not signed"),
    "no alg": (lambda clerk: f"{segment({'typ': 'JWT'})}.{segment(clerk.claims())}.x", "kind that is not"),
    "alg is a number": (
        lambda clerk: f"{segment({'alg': 1})}.{segment(clerk.claims())}.x",
        "kind that is not",
    ),
    "signed with the public key": (_confused, "kind that is not allowed"),
    "changed payload": (_changed, "no key of the issuer made"),
    "no signature": (lambda clerk: clerk.token().rpartition(".")[0] + ".", "no key of the issuer made"),
    "signed by somebody else": (
        lambda clerk: jwt.encode(clerk.claims(), _other_key(), "RS256", {"kid": "rsa"}),
        "no key of the issuer made",
    ),
    "its own key in the header": (
        lambda clerk: jwt.encode(
            clerk.claims(), _other_key(), "RS256", {"kid": "rsa", "jwk": clerk.jwks()["keys"][0]}
        ),
        "no key of the issuer made",
    ),
    "kid of nobody": (
        lambda clerk: jwt.encode(clerk.claims(), clerk.keys["rsa"], "RS256", {"kid": "gone"}),
        "does not have",
    ),
    "no kid, several keys": (lambda clerk: clerk.token(kid=None), "which of the issuer's 3 keys"),
    "kid is a number": (
        lambda clerk: f"{segment({'alg': 'RS256', 'kid': 7})}.{segment(clerk.claims())}.x",
        "something else than a string",
    ),
    "RSA key, elliptic algorithm": (
        lambda clerk: f"{segment({'alg': 'ES256', 'kid': 'rsa'})}.{segment(clerk.claims())}.AAAA",
        "no key of the issuer made",
    ),
    "critical extension": (lambda clerk: clerk.token(crit=["exp"]), "extensions"),
    "logout token": (lambda clerk: clerk.token(typ="logout+jwt"), "another type"),
    "expired": (lambda clerk: clerk.token(clerk.claims(exp=NOW - 3600)), "expired"),
    "not yet valid": (lambda clerk: clerk.token(clerk.claims(nbf=NOW + 3600)), "not valid yet"),
    "issued in the future": (lambda clerk: clerk.token(clerk.claims(iat=NOW + 3600)), "not valid yet"),
    "exp is text": (_with("exp", "tomorrow"), "malformed"),
    "exp is infinite": (lambda clerk: clerk.token(clerk.claims(exp=float("inf"))), "not JSON objects"),
    "nbf is a list": (_with("nbf", [1]), "malformed"),
    "no exp": (_without("exp"), "no 'exp'"),
    "no sub": (_without("sub"), "no 'sub'"),
    "no iss": (_without("iss"), "no 'iss'"),
    "sub is a number": (_with("sub", 7), r"subject \(sub\) is not a string"),
    "sub is empty": (_with("sub", ""), "whose they are"),
    "another issuer": (lambda clerk: clerk.token(clerk.claims(iss="https://evil.example")), "another issuer"),
    "issuer with a slash": (lambda clerk: clerk.token(clerk.claims(iss=f"{clerk.url}/")), "another issuer"),
    "for an audience": (lambda clerk: clerk.token(clerk.claims(aud="api://x")), "say which with audience="),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_token_is_one_clear_error_that_contains_nothing_of_it(
    clerk: Issuer, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    make, says = BAD[name]
    token = make(clerk)
    caplog.set_level(logging.DEBUG)
    with pytest.raises(lab.InputError, match=says) as raised:
        lab.claims_to_principal(token, issuer=clerk.url)
    told = shown(raised.value) + caplog.text
    for part in filter(lambda part: len(part) > 8, token.split(".")):
        assert part not in told


def test_there_are_enough_bad_tokens() -> None:
    assert len(BAD) >= 40


def test_no_error_contains_a_claim(clerk: Issuer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    claims = {"email": PERSONAL, "metadata": {"role": "manager"}}
    tokens = {
        "expired": (clerk.token(clerk.claims(exp=NOW - 99, **claims)), {}),
        "audience": (clerk.token(clerk.claims(aud="x", **claims)), {"audience": "y"}),
        "azp": (clerk.token(clerk.claims(azp="x", **claims)), {"authorized_parties": ["y"]}),
        "no azp": (clerk.token(clerk.claims(**claims)), {"authorized_parties": ["y"]}),
        "whose": (clerk.token(clerk.claims(**{**claims, "sub": ""})), {}),
    }
    for token, more in tokens.values():
        with pytest.raises(lab.InputError) as raised:
            lab.claims_to_principal(token, issuer=clerk.url, **more)  # type: ignore[arg-type]
        assert PERSONAL not in shown(raised.value) + caplog.text
        assert token not in shown(raised.value) + caplog.text
    with pytest.raises(lab.InputError, match="whose") as raised:
        lab.claims_to_principal({"email": PERSONAL})
    assert PERSONAL not in shown(raised.value)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "pass issuer="),
        ({"issuer": ""}, "pass issuer="),
        ({"issuer": "http://auth.example.com"}, "must be https"),
        ({"issuer": "https://user:pass@auth.example.com"}, "must be https"),
        ({"issuer": "https://x.example", "algorithms": ["HS256"]}, "'HS256' is not one"),
        ({"issuer": "https://x.example", "algorithms": ["none"]}, "'none' is not one"),
        ({"issuer": "https://x.example", "algorithms": []}, "none is given"),
        ({"issuer": "https://x.example", "leeway": -1}, "between 0 and 3,600"),
        ({"issuer": "https://x.example", "leeway": 1e9}, "between 0 and 3,600"),
        ({"issuer": "https://x.example", "jwks": {}}, "not a JWKS"),
        ({"issuer": "https://x.example", "jwks": {"keys": []}}, "no public key"),
        ({"issuer": "https://x.example", "jwks": {"keys": [{"kty": "oct", "k": "YQ"}]}}, "no public key"),
        ({"issuer": "https://x.example", "jwks": "nowhere.json"}, "there is no file"),
    ],
)
def test_what_would_make_verification_worthless_is_refused(clerk: Issuer, arguments: Json, says: str) -> None:
    token = clerk.token()
    with pytest.raises(lab.InputError, match=says) as raised:
        lab.claims_to_principal(token, **arguments)
    assert token not in shown(raised.value)


@pytest.mark.parametrize("token", [None, 7, b"x.y.z", ["a"], {7: "x"}])
def test_what_is_neither_a_token_nor_claims_is_refused(token: Any) -> None:
    with pytest.raises(lab.InputError, match="a token or a dict of its claims"):
        lab.claims_to_principal(token, issuer="https://x.example")


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (500, b"{}", "status 500"),
        (302, b"{}", "status 302"),
        (200, b"<html>", "not JSON"),
        (200, b" " * 1_000_002, "more than 1,000,000 bytes"),
        (404, b"{}", "status 404"),
    ],
)
def test_keys_that_can_not_be_fetched_are_an_error_without_the_token(
    status: int, body: bytes, says: str
) -> None:
    with issuer() as broken:
        broken.answers["/.well-known/jwks.json"] = (status, body)
        token = broken.token()
        with pytest.raises(lab.LabError, match=says) as raised:
            lab.claims_to_principal(token, issuer=broken.url)
        assert token not in shown(raised.value)


def test_a_key_that_is_too_short_verifies_nothing(clerk: Issuer) -> None:
    short = rsa.generate_private_key(65537, 1024)
    claims = clerk.claims()
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        token = jwt.encode(claims, short, "RS256", {"kid": "rsa"})
    public = {**jwt.algorithms.RSAAlgorithm.to_jwk(short.public_key(), as_dict=True), "kid": "rsa"}
    with pytest.raises(lab.InputError, match="no key of the issuer made"):
        lab.claims_to_principal(token, issuer=clerk.url, jwks={"keys": [public]})


def test_auth0s_roles_in_an_organization_are_in_the_claim_that_an_action_sets() -> None:
    name = "https://acme.example/organization_roles"
    claims = {"sub": "auth0|1", name: ["admin"], "https://acme.example/roles": ["staff"]}
    chosen = {"assigned_roles": "https://acme.example/roles", "organization_roles": name}
    added = lab.Mapping.of("auth0", organization_roles=True, profile={})
    frame = lab.claims_to_principal(claims, mapping=added, claims=chosen)
    assert frame["roles"].iloc[0] == ("staff", "admin")
    assert frame.attrs["token"]["absent"] == []
    without = lab.claims_to_principal(claims, mapping=added, claims={"assigned_roles": name})
    assert without["roles"].iloc[0] == ("admin",)
    assert without.attrs["token"]["absent"] == ["organization_roles"]
    read = lab.Mapping.of("auth0", roles=("organization_roles",), profile={})
    frame = lab.claims_to_principal(claims, mapping=read, claims={"organization_roles": name})
    assert frame["roles"].iloc[0] == ("admin",)
    action = lab.to_code("nextjs", mapping=read, claims={"organization_roles": name})["action.js"]
    assert "event.organization === undefined ? [] : (event.authorization?.roles ?? [])" in action


@pytest.mark.parametrize(
    ("provider", "claims", "message"),
    [
        ("clerk", {"o": {"id": "org_1", "rol": 7}}, "the claim 'o.rol' should hold .*, and holds a number"),
        ("clerk", {"org_role": {"admin": True}}, "the claim 'org_role' should hold .*, and holds a map"),
        ("workos", {"roles": ["admin", None]}, "the claim 'roles' should hold .*, and holds null"),
        ("auth0", {"organization_roles": [["admin"]]}, "should hold names of roles, and holds a list"),
    ],
)
def test_organization_roles_that_are_no_names_are_an_error(
    provider: Any, claims: dict[str, Any], message: str
) -> None:
    mapping = lab.Mapping.of(provider, organization_roles=True, profile={})
    chosen = {"organization_roles": "organization_roles"} if provider == "auth0" else None
    with pytest.raises(lab.InputError, match=message):
        lab.claims_to_principal({"sub": "user_1", **claims}, mapping=mapping, claims=chosen)


def test_an_id_that_is_not_unicode_is_none_and_an_end_that_is_not_a_number_is_unknown() -> None:
    with pytest.raises(lab.InputError, match="there is no 'sub'"):
        lab.claims_to_principal({"sub": "\ud800"})
    frame = lab.claims_to_principal({"sub": "user_1", "exp": float("nan")})
    assert frame.attrs["token"]["expired"] is None
