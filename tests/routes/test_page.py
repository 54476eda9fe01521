"""What the page may ask for, by its Content-Security-Policy."""

from tests.routes.gateway import Gateway


def sources(api: Gateway, headers: list[tuple[str, str]]) -> dict[str, list[str]]:
    """The policy that the page comes with, by directive."""
    policy = api.get("/", headers=headers, by=None).headers["Content-Security-Policy"]
    return {words[0]: words[1:] for directive in policy.split("; ") if (words := directive.split())}


def test_the_page_may_ask_nobody_but_us_and_the_output_bucket(
    api: Gateway, calls: list[tuple[str, str]]
) -> None:
    told = sources(api, [("Host", "abc123.execute-api.eu-central-1.amazonaws.com")])

    outputs = "https://output.s3.eu-central-1.amazonaws.com"
    assert told["connect-src"] == told["img-src"] == ["'self'", outputs]
    assert told["media-src"] == ["'self'", "blob:", outputs]
    assert told["script-src"] == told["style-src"] == ["'self'"]
    assert told["default-src"] == ["'none'"]
    assert calls == []
