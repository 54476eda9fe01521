"""Mint a bearer token for an app.

python -m ops.token --stack tracklane-prod --subject my-app [--days 30]
"""

import argparse
import time

import boto3
import jwt

from ops.stacks import Stack

ALGORITHM = "HS256"
AUDIENCE = "tracklane"
DAY_S = 86_400


def mint(secret: str, *, subject: str, days: int, now: int, audience: str = AUDIENCE) -> str:
    """A token that names its app, says for whom it is, and ends."""
    claims = {"iss": "tracklane", "sub": subject, "aud": audience, "iat": now, "exp": now + days * DAY_S}
    return jwt.encode(claims, secret, ALGORITHM)


def main() -> None:
    """Print a token that is signed with the stack's own secret."""
    parser = argparse.ArgumentParser(prog="python -m ops.token", description=__doc__.split("\n")[0])
    parser.add_argument("--stack", required=True, help="the CloudFormation stack")
    parser.add_argument("--subject", required=True, help="the app's name, as it will stand in the ledger")
    parser.add_argument("--audience", default=AUDIENCE, help="the stack's TokenAudience, if it was changed")
    parser.add_argument("--days", type=int, default=30)
    asked = parser.parse_args()
    name = Stack(asked.stack).outputs["AppTokenSecret"]
    secret = boto3.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"]
    now = int(time.time())
    print(mint(secret, subject=asked.subject, days=asked.days, now=now, audience=asked.audience))


if __name__ == "__main__":
    main()
