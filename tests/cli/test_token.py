"""Tests of `tutelage token`: what stands in a token, and what is refused."""

from pathlib import Path
from uuid import uuid4

import jwt
import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from api.authentication.authenticator import Authenticator
from cli.main import main
from config.settings import settings
from tests.api.identity_provider import pem, private_key

SECRET = "a secret of the tests that is long enough"


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"JWT_SECRET": SECRET, "JWT_AUDIENCE": "tutelage", "JWT_ISSUER": "tests"}.items():
        monkeypatch.setenv(name, value)


def invoke(*words: str) -> Result:
    return CliRunner().invoke(main, ["token", *words])


def claims(result: Result) -> dict[str, object]:
    """The claims of the printed token, verified."""
    assert result.exit_code == 0, result.output
    content: dict[str, object] = jwt.decode(
        result.output.strip(), SECRET, algorithms=["HS256"], audience="tutelage", issuer="tests"
    )
    return content


def test_a_user_s_token_holds_the_ids_and_twelve_hours() -> None:
    user, mentor = str(uuid4()), str(uuid4())
    content = claims(invoke("--user", user, "--mentor", mentor))
    assert (content["sub"], content["mentor_profile_id"], content["roles"]) == (user, mentor, [])
    assert int(str(content["exp"])) - int(str(content["iat"])) == 12 * 3600


def test_an_operator_s_token_needs_no_user() -> None:
    content = claims(invoke("--operator", "--subject", "olga", "--hours", "1"))
    assert (content["sub"], content["roles"]) == ("olga", ["operator"])
    assert "mentor_profile_id" not in content


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--user", "42"),
        ("--user", str(uuid4()), "--mentor", "42"),
        ("--user", str(uuid4()), "--operator"),
        ("--operator", "--mentor", str(uuid4())),
        ("--operator", "--hours", "0"),
    ],
)
def test_anything_else_is_refused(words: tuple[str, ...]) -> None:
    assert invoke(*words).exit_code == 2


def test_beside_public_keys_a_private_one_signs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_PUBLIC_KEY", pem("ES256"))
    refused = invoke("--operator")
    assert refused.exit_code == 2
    assert "JWT_SECRET verifies nothing" in refused.output
    file = tmp_path / "key.pem"
    file.write_bytes(private_key("ES256").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    printed = invoke("--operator", "--key", str(file), "--key-id", "today").output.strip()
    assert jwt.get_unverified_header(printed) == {"alg": "ES256", "kid": "today", "typ": "JWT"}
    claim = Authenticator(settings()).claim_of({"Authorization": f"Bearer {printed}"})
    assert claim.operator == "operator"
    file.write_text(pem("ES256"))
    assert "holds no private key" in invoke("--operator", "--key", str(file)).output


def test_a_setting_that_makes_no_sense_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET", "short")
    result = invoke("--operator")
    assert result.exit_code == 2
    sentence = "JWT_SECRET must hold at least 32 bytes; it has fewer. `openssl rand -base64 48` makes one."
    assert result.output == f"Error: {sentence}\n"
