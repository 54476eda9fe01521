"""Secrets are read by name, kept for five minutes, and survive a Secrets Manager that does not."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws

from chalicelib.adapters.secrets import COOLDOWN_MS, TTL_MS, Secrets
from chalicelib.core.errors import Unavailable
from tests.adapters import vendor as v

NAME, CANARY = "tracklane/videosdk", "canary-7f3a9c"


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Secrets Manager; `client.asked` counts, and `client.down` turns it off."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client(
            "secretsmanager", region_name="eu-west-1", config=Config(retries={"total_max_attempts": 1})
        )
        client.asked, client.down = 0, False

        def listen(**_: Any) -> None:
            client.asked += 1
            if client.down:
                raise ClientError(
                    {"Error": {"Code": "InternalServiceError", "Message": CANARY}}, "GetSecretValue"
                )

        client.meta.events.register("before-call.secrets-manager.GetSecretValue", listen)
        client.create_secret(Name=NAME, SecretString='{"apiKey": "k", "secret": "one"}')
        yield client


@pytest.fixture
def hands() -> v.Hands:
    return v.Hands()


@pytest.fixture
def secrets(client: Any, hands: v.Hands) -> Secrets:
    return Secrets(client, hands.now)


def test_a_secret_is_read_by_name(secrets: Secrets) -> None:
    assert secrets.text(NAME) == '{"apiKey": "k", "secret": "one"}'
    assert secrets.fields(NAME) == {"apiKey": "k", "secret": "one"}


def test_a_new_value_is_seen_after_five_minutes(secrets: Secrets, client: Any, hands: v.Hands) -> None:
    secrets.text(NAME)
    client.put_secret_value(SecretId=NAME, SecretString="two")

    hands.at += TTL_MS - 1
    assert secrets.fields(NAME)["secret"] == "one"
    assert client.asked == 1

    hands.at += 1
    assert secrets.text(NAME) == "two"
    assert client.asked == 2


def test_a_secret_that_nobody_takes_is_read_anew_though_not_all_the_time(
    secrets: Secrets, client: Any, hands: v.Hands
) -> None:
    secrets.text(NAME)
    client.put_secret_value(SecretId=NAME, SecretString="two")

    secrets.forget(NAME)
    assert secrets.fields(NAME)["secret"] == "one"

    hands.at += COOLDOWN_MS
    secrets.forget(NAME)
    assert secrets.text(NAME) == "two"
    for _ in range(10):
        secrets.forget(NAME)
        secrets.text(NAME)
    assert client.asked == 2


def test_the_last_known_value_serves_while_none_can_be_read(
    secrets: Secrets, client: Any, hands: v.Hands
) -> None:
    secrets.text(NAME)
    client.down = True
    hands.at += TTL_MS

    for _ in range(10):
        assert secrets.fields(NAME)["secret"] == "one"
    assert client.asked == 2

    client.down = False
    client.put_secret_value(SecretId=NAME, SecretString="two")
    hands.at += COOLDOWN_MS
    assert secrets.text(NAME) == "two"


def test_a_secret_that_was_never_read_is_unavailable(secrets: Secrets, client: Any) -> None:
    client.down = True

    with pytest.raises(Unavailable, match="secret_unavailable") as told:
        secrets.text(NAME)

    assert CANARY not in str(told.value)


def test_a_secret_that_is_not_there_is_unavailable(secrets: Secrets) -> None:
    with pytest.raises(Unavailable, match="the secret nobody can not be read"):
        secrets.text("nobody")
    secrets.forget("nobody")


@pytest.mark.parametrize("value", [CANARY, f'["{CANARY}"]', f'"{CANARY}"', f'{{"a": "{CANARY}"', "null"])
def test_a_secret_that_is_no_object_is_not_quoted(value: str, secrets: Secrets, client: Any) -> None:
    client.put_secret_value(SecretId=NAME, SecretString=value)

    with pytest.raises(Unavailable, match="is not a JSON object") as told:
        secrets.fields(NAME)

    assert CANARY not in repr(told.value)
    assert CANARY not in repr(told.value.__context__)


def test_a_secret_of_bytes_is_unavailable(secrets: Secrets, client: Any) -> None:
    client.create_secret(Name="binary", SecretBinary=b"x")

    with pytest.raises(Unavailable, match="KeyError"):
        secrets.text("binary")
