"""Who may call: an HS256 JWT of the app team's own backend. Runs as a function of its own."""

from chalice.app import AuthRequest, AuthResponse, Blueprint

from chalicelib import wiring
from chalicelib.core.errors import Unauthenticated

bp = Blueprint(__name__)
AT_MOST_MS = 10_000  # until Lambda ends this function: Chalice hands it nothing that could be asked


@bp.authorizer(ttl_seconds=300)
def authorize(request: AuthRequest) -> AuthResponse:
    """Let the bearer of a good token through every door: API Gateway keeps the answer for all of them."""
    try:
        with wiring.within(AT_MOST_MS):
            subject = wiring.callers().subject(request.token)
    except Unauthenticated:
        # API Gateway answers 401 to exactly this text, and 500 to any other failure.
        raise Exception("Unauthorized") from None
    return AuthResponse(routes=["*"], principal_id=subject)
