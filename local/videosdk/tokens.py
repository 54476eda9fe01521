"""Whether a request's token is one that the server API takes.

HS256 with the project's secret; `apikey`, `permissions` and `version: 2` are mandatory, `roles: ["rtc"]`
can not call server APIs, the header carries it raw, without "Bearer". [D API/intro,
API/start-track-recording] Other roles and a missing `exp` are taken: the official Python agents send no
roles [C PYA:utils.py]; the effect of a missing `exp` is unknown [U], and so is the wording of the 401 [U;
meaning C NPM:http/errors.ts].
"""

from typing import Any

import jwt

from local.videosdk.meetings import Refusal

PERMISSIONS = {"allow_join", "ask_join", "allow_mod"}
REFUSED = "Token is invalid or expired"


def check(authorization: str, api_key: str, secret: str) -> None:
    """Return when the token is good; refuse with 401 otherwise."""
    try:
        claims = jwt.decode(authorization, secret, algorithms=["HS256"])
    except jwt.InvalidTokenError:
        raise Refusal(401, REFUSED) from None
    if not _admitted(claims, api_key):
        raise Refusal(401, REFUSED)


def _admitted(claims: dict[str, Any], api_key: str) -> bool:
    permissions, roles = claims.get("permissions"), claims.get("roles") or []
    permitted = isinstance(permissions, list) and bool(permissions) and set(permissions) <= PERMISSIONS
    return claims.get("apikey") == api_key and permitted and claims.get("version") == 2 and "rtc" not in roles
