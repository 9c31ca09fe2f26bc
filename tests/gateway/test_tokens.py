"""Tokens of identity providers: which let whom in, and that nothing else does; against real keys and a real server."""

import base64
import hashlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from gateway_support import KNOWN, Gateway, said, told, user
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from pydantic import ValidationError

from llmops_assets.gateway.callers import Callers
from llmops_assets.gateway.errors import RequestError
from llmops_assets.gateway.identity.denials import Denials
from llmops_assets.gateway.identity.jwks import COOLDOWN_SECONDS, LIFE_SECONDS, STALE_SECONDS, Jwks, KeysError, fetch
from llmops_assets.gateway.identity.keys import KeyStore
from llmops_assets.gateway.identity.providers import IdentityProvider, IdentityProviders
from llmops_assets.gateway.identity.tokens import FRESH_SECONDS, TokenError, Tokens

ISSUER = "https://login.shop.example/realms/shop"
NOW = 1_800_000_000.0
ROLES = {"llm-admins": "admin", "support": "operator", "apps": "caller"}


class Login:
    """An identity provider on this machine: it has key pairs, signs claims and serves its public keys."""

    def __init__(self) -> None:
        self.keys = {"first": rsa.generate_private_key(65537, 2048)}
        self.fetched = 0
        self.status = 200
        self.more: list[dict] = []

    def __enter__(self) -> "Login":
        login = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                login.fetched += 1
                self.send_response(login.status)
                if login.status == 302:
                    self.send_header("Location", f"{login.url}/elsewhere")
                self.end_headers()
                self.wfile.write(json.dumps({"keys": login.jwks()}).encode())

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/jwks"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def jwks(self) -> list[dict]:
        made = []
        for kid, key in self.keys.items():
            kind = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
            made.append({**kind.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"})
        return [*made, *self.more]

    def sign(
        self, *, kid: str | None = "first", key=None, alg: str = "RS256", head: dict | None = None, **claims
    ) -> str:
        headers = {**({"kid": kid} if kid else {}), **(head or {})}
        body = {**CLAIMS, **claims}
        body = {name: value for name, value in body.items() if value is not None}
        return jwt.encode(body, key or self.keys[kid or "first"], alg, headers)


CLAIMS = {
    "iss": ISSUER,
    "aud": ["account", "llmops"],
    "sub": "3f1a-anna",
    "azp": "web-shop",
    "groups": ["apps", "support"],
    "iat": NOW - 10,
    "nbf": NOW - 10,
    "exp": NOW + 300,
}


@pytest.fixture(scope="module")
def pair():
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def login():
    with Login() as running:
        yield running


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def tokens(self, login: Login, **parts) -> Tokens:
        return Tokens(
            (provider(login, **parts),),
            keys=lambda one: Jwks(one.jwks_url, clock=lambda: self.seconds),
            clock=lambda: self.seconds,
            now=lambda: NOW + self.seconds,
        )


def provider(login: Login | None = None, **parts) -> IdentityProvider:
    url = login.url if login else "https://login.example.com/keys"
    return IdentityProvider(**{"issuer": ISSUER, "audience": "llmops", "jwks_url": url, "roles": ROLES, **parts})


def why_not(tokens: Tokens, token: str) -> TokenError:
    with pytest.raises(TokenError) as refused:
        tokens.verify(token)
    return refused.value


def part(data: dict | bytes) -> str:
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


# -- who a token is of ------------------------------------------------------------------------------------------------


def test_a_token_is_its_application_with_the_first_role_that_its_groups_have_and_a_pseudonym(login):
    tokens = Clock().tokens(login, tokens_per_day=5000)
    found = tokens.verify(login.sign())
    assert (found.owner, found.role, found.allowance.tokens_per_day) == ("web-shop", "operator", 5000)
    assert "anna" not in found.name
    assert len(found.name) <= 40
    assert tokens.verify(login.sign(azp="other")).name == found.name
    assert tokens.verify(login.sign(sub="3f1a-bert")).name != found.name
    assert tokens.verify(login.sign(groups=["llm-admins", "apps"])).role == "admin"
    assert tokens.verify(login.sign(groups="apps")).role == "caller"


def test_claims_may_lie_deeper_or_have_dots_in_their_names(login):
    deeper = Clock().tokens(login, groups_claim="realm_access.roles", owner_claim="https://shop.example/team")
    found = deeper.verify(login.sign(realm_access={"roles": ["support"]}, **{"https://shop.example/team": "desk"}))
    assert (found.owner, found.role) == ("desk", "operator")


@pytest.mark.parametrize("groups", [[], None, ["strangers"], [1], {"apps": True}, "app"])
def test_who_has_no_role_is_known_and_not_let_in(login, groups):
    refused = why_not(Clock().tokens(login), login.sign(groups=groups))
    assert (refused.status, refused.name[:4]) == (403, "jwt-")


def test_other_kinds_of_keys_where_the_provider_has_them(login):
    login.keys["curve"] = ec.generate_private_key(ec.SECP256R1())
    tokens = Clock().tokens(login, algorithms=["ES256"])
    assert tokens.verify(login.sign(kid="curve", alg="ES256")).owner == "web-shop"
    assert "of a kind that is not taken" in str(why_not(tokens, login.sign()))


# -- what lets nobody in ----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("claims", "why", "known"),
    [
        ({"exp": NOW - 31}, "has expired", True),
        ({"exp": None}, "has no end", True),
        ({"exp": "tomorrow"}, "times cannot be read", True),
        ({"exp": float("nan")}, "times cannot be read", True),
        ({"exp": float("inf")}, "times cannot be read", True),
        ({"exp": True}, "times cannot be read", True),
        ({"nbf": NOW + 31}, "not valid yet", True),
        ({"iat": NOW + 31}, "not valid yet", True),
        ({"aud": "another-service"}, "another audience", True),
        ({"aud": None}, "another audience", True),
        ({"aud": "llmops-other"}, "another audience", True),
        ({"iss": "https://login.evil.example"}, "another issuer", False),
        ({"iss": f"{ISSUER}/"}, "another issuer", False),
        ({"iss": None}, "another issuer", False),
        ({"sub": None}, "names no subject", False),
        ({"azp": None}, "names no owner", True),
        ({"azp": "a" * 201}, "names no owner", True),
        ({"azp": ["web-shop"]}, "names no owner", True),
    ],
)
def test_a_claim_that_is_not_right_is_named(login, claims, why, known):
    refused = why_not(Clock().tokens(login), login.sign(**claims))
    assert why in str(refused)
    assert (refused.status, bool(refused.name)) == (401, known)


def test_clocks_may_differ_by_the_leeway(login):
    tokens = Clock().tokens(login)
    assert tokens.verify(login.sign(exp=NOW - 29, nbf=NOW + 29, iat=NOW + 29)).owner == "web-shop"


def test_no_algorithm_and_a_public_key_as_a_secret_prove_nothing(login):
    tokens = Clock().tokens(login)
    public = login.keys["first"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    tokens.verify(login.sign())
    for alg in ("none", "None", "NONE", ""):
        body = f"{part({'alg': alg, 'typ': 'JWT', 'kid': 'first'})}.{part(CLAIMS)}"
        for signature in ("", part(b"x")):
            assert why_not(tokens, f"{body}.{signature}")
    for secret in (public, public.strip(), json.dumps(login.jwks()[0]).encode(), b""):
        for kid in ("first", "shared"):
            login.more = [{"kty": "oct", "kid": "shared", "k": part(secret), "alg": "HS256"}]
            body = f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': kid})}.{part(CLAIMS)}"
            forged = f"{body}.{part(hmac.new(secret, body.encode(), hashlib.sha256).digest())}"
            assert "of a kind that is not taken" in str(why_not(tokens, forged))


def test_a_key_in_the_token_itself_proves_nothing(login, pair):
    jwk = RSAAlgorithm.to_jwk(pair.public_key(), as_dict=True)
    forged = login.sign(kid="first", key=pair, head={"jwk": jwk, "jku": "https://evil.example/keys"})
    assert "signature is not its issuer's" in str(why_not(Clock().tokens(login), forged))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda t: t[:-2] + ("AA" if not t.endswith("AA") else "BB"), "signature"),
        (
            lambda t: ".".join([t.split(".")[0], part({**CLAIMS, "groups": ["llm-admins"]}), t.split(".")[2]]),
            "signature",
        ),
        (lambda t: ".".join(["e30", *t.split(".")[1:]]), "cannot be read|not taken"),
        (lambda t: "a.b.c", "cannot be read"),
        (lambda t: "..", "cannot be read"),
        (lambda t: f"{part({'alg': 'RS256'})}.{part(b'[1]')}.{part(b'x')}", "cannot be read"),
        (lambda t: "é.é.é", "cannot be read"),
        (lambda t: t + "a" * 20_000, "too long"),
    ],
)
def test_a_token_that_was_changed_or_is_none(login, change, why):
    with pytest.raises(TokenError, match=why):
        Clock().tokens(login).verify(change(login.sign()))


def test_kinds_of_tokens_that_are_for_something_else(login):
    tokens = Clock().tokens(login)
    assert tokens.verify(login.sign(head={"typ": "at+jwt"})).owner == "web-shop"
    for head in ({"typ": "logout+jwt"}, {"typ": "dpop+jwt"}, {"crit": ["exp"]}, {"alg": "RS512"}):
        with pytest.raises(TokenError, match=r"not taken|cannot be read"):
            tokens.verify(login.sign(head=head, alg=head.get("alg", "RS256")))


def test_a_key_that_is_for_encryption_or_another_algorithm_signs_nothing(login):
    login.more = [{**login.jwks()[0], "kid": "enc", "use": "enc"}, {**login.jwks()[0], "kid": "ps", "alg": "PS256"}]
    tokens = Clock().tokens(login)
    for kid in ("enc", "ps"):
        assert "signed by no key" in str(why_not(tokens, login.sign(kid=kid, key=login.keys["first"])))


def test_without_a_key_id_the_only_key_counts(login, pair):
    tokens = Clock().tokens(login)
    assert tokens.verify(login.sign(kid=None)).owner == "web-shop"
    login.keys["second"] = pair
    assert "signed by no key" in str(why_not(Clock().tokens(login), login.sign(kid=None)))


def test_a_token_that_was_verified_ends_all_the_same(login):
    clock = Clock()
    tokens = clock.tokens(login, leeway_seconds=0)
    token = login.sign(exp=NOW + 20)
    tokens.verify(token)
    clock.seconds = 19.9
    tokens.verify(token)
    clock.seconds = 20
    assert "has expired" in str(why_not(tokens, token))


# -- keys of the provider ---------------------------------------------------------------------------------------------


def test_a_new_key_is_known_at_its_first_token_and_an_old_one_goes_with_the_set(login, pair):
    clock = Clock()
    tokens = clock.tokens(login, leeway_seconds=300)
    old = login.sign()
    tokens.verify(old)
    login.keys["second"] = pair
    clock.seconds += COOLDOWN_SECONDS
    tokens.verify(login.sign(kid="second"))
    assert login.fetched == 2
    del login.keys["first"]
    clock.seconds += LIFE_SECONDS
    assert clock.seconds > FRESH_SECONDS
    assert "signed by no key" in str(why_not(tokens, old))


def test_invented_key_ids_have_the_keys_fetched_once_in_a_while(login):
    clock = Clock()
    tokens = clock.tokens(login)
    for number in range(50):
        assert why_not(tokens, login.sign(head={"kid": f"invented-{number}"}))
    assert login.fetched == 1
    clock.seconds += COOLDOWN_SECONDS
    assert why_not(tokens, login.sign(head={"kid": "invented"}))
    assert login.fetched == 2


def test_known_keys_outlive_a_provider_that_is_down_for_an_hour_and_no_more(login):
    clock = Clock()
    jwks = Jwks(login.url, clock=lambda: clock.seconds)
    assert jwks.find("first")
    login.status = 500
    for clock.seconds in (LIFE_SECONDS, STALE_SECONDS - 1):
        assert jwks.find("first")
    clock.seconds = STALE_SECONDS + COOLDOWN_SECONDS
    with pytest.raises(KeysError):
        jwks.find("first")
    login.status = 200
    clock.seconds += COOLDOWN_SECONDS
    assert jwks.find("first")


def test_no_redirect_is_followed_to_keys(login):
    login.status = 302
    with pytest.raises(KeysError):
        fetch(login.url)
    assert login.fetched == 1


# -- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"jwks_url": "http://login.example.com/keys"}, "use https"),
        ({"jwks_url": "file:///etc/passwd"}, "give an address"),
        ({"jwks_url": "https://169.254.169.254/keys"}, "give an address"),
        ({"jwks_url": "https://a:b@login.example.com/keys"}, "give an address"),
        ({"jwks_url": "https://login.example.com/ keys"}, "no blanks"),
        ({"algorithms": ["none"]}, "Input should be"),
        ({"algorithms": ["HS256"]}, "Input should be"),
        ({"algorithms": []}, "at least 1"),
        ({"roles": {}}, "at least 1"),
        ({"roles": {"apps": "king"}}, "Input should be"),
        ({"audience": ""}, "at least 1"),
    ],
)
def test_a_provider_that_would_let_anybody_in_is_refused(parts, why):
    with pytest.raises(ValidationError, match=why):
        provider(**parts)


def test_two_providers_of_one_issuer_are_refused():
    with pytest.raises(ValidationError, match="one issuer"):
        IdentityProviders(providers=(provider(), provider()))


# -- the gateway ------------------------------------------------------------------------------------------------------


def test_with_a_provider_nobody_is_let_in_unknown_and_keys_go_on(login, tmp_path):
    store = KeyStore(f"sqlite:///{tmp_path / 'keys.db'}")
    denied: list[dict] = []
    callers = Callers(
        store,
        tokens=Clock().tokens(login),
        denied=Denials(lambda action, detail, *, subject: denied.append(json.loads(detail))),
    )
    assert callers.closed
    _, key = store.create("shop")
    assert callers.authenticate(f"Bearer {key}").owner == "shop"
    assert callers.authenticate(f"Bearer {login.sign()}").may("preview")
    name = callers.authenticate(f"Bearer {login.sign()}").name
    for authorization, status in [
        ("", 401),
        (f"Bearer {login.sign(exp=NOW - 900)}", 401),
        (f"Bearer {login.sign(iss='https://evil.example')}", 401),
        (f"Bearer {login.sign(groups=[])}", 403),
    ]:
        with pytest.raises(RequestError) as refused:
            callers.authenticate(authorization, "/v1/models")
        assert refused.value.status == status
    told_of = [(one["caller"], one["status"], one["times"]) for one in denied]
    assert told_of == [("unknown", 401, 1), (name, 401, 1), (name, 403, 1)]
    callers.close()
    assert denied[-1] == {"caller": "unknown", "route": "/v1/models", "status": 401, "times": 1}
    store.close()


def test_a_token_asks_and_is_logged_by_its_pseudonym(files, tmp_path, login):
    with Gateway(files, tmp_path, tokens=Tokens((provider(login),))) as gateway:
        gateway.serve(1, live=files.bundle(tmp_path).release_id)
        times = {"iat": time.time(), "nbf": time.time(), "exp": time.time() + 60}
        token = login.sign(groups=["apps"], **times)
        assert said(gateway.ask(KNOWN, headers={"authorization": f"Bearer {token}"}))
        (row,) = gateway.rows()
        assert (row["owner"], row["caller"][:4]) == ("web-shop", "jwt-")
        assert "anna" not in json.dumps(row)
        preview = gateway.ask(KNOWN, headers={"authorization": f"Bearer {token}"}, model="assistant-preview")
        assert told(preview, 403)["code"] == "insufficient_permissions"
        stale = gateway.ask(KNOWN, headers={"authorization": f"Bearer {login.sign(exp=NOW - 2e9)}"})
        assert told(stale, 401)["code"] == "invalid_token"
        assert "authenticate" in str(stale.headers).lower()
        body = {"messages": user(KNOWN)}
        assert requests.post(f"{gateway.address}/v1/chat/completions", json=body, timeout=20).status_code == 401
