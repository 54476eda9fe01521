"""The README's API section: its Python example runs, its curl calls and tables are the API's."""

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug import Request, Response
from werkzeug.serving import make_server

from app import app
from local.videosdk import Simulation
from tests.routes.gateway import DOCUMENT, Gateway, shape, takes
from tests.routes.stage import Ledger
from tests.routes.test_looking import unannounced

README = (Path(__file__).parents[2] / "README.md").read_text()
SECTION = README.partition("\n## The API\n")[2].partition("\n## ")[0]


@pytest.fixture
def served(api: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The API under a real address, which a `.local/stack.json` tells."""

    @Request.application
    def answer(request: Request) -> Response:
        path, query = request.path.removeprefix("/v1"), request.query_string.decode()
        told = api(request.method, path, request.get_data(), query=query, headers=list(request.headers))
        return Response(told.body, told.status, told.headers)

    server = make_server("127.0.0.1", 0, answer)
    thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)
    thread.start()
    (tmp_path / ".local").mkdir()
    stack = {"api": f"http://127.0.0.1:{server.server_port}/v1", "token": "x"}
    (tmp_path / ".local/stack.json").write_text(json.dumps(stack))
    monkeypatch.chdir(tmp_path)
    yield
    server.shutdown()
    thread.join()
    server.server_close()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", SECTION, re.DOTALL)


@pytest.mark.usefixtures("served")
def test_the_python_example_runs(
    simulation: Simulation, capsys: pytest.CaptureFixture[str], ledger: Ledger
) -> None:
    simulation.act(lambda meetings: meetings.join("jvsg-8rjn-j304", "ann", "Ann"))
    unannounced("session-1")
    (example,) = blocks("python")

    exec(compile(example.replace(', roomId=ann["roomId"]', ""), "README.md", "exec"), {})  # noqa: S102  # our own

    printed = capsys.readouterr().out
    assert printed.count("stopping") == 2
    assert "repaired ann http" in printed
    assert "FinishRequested" in {fact["type"] for fact in ledger.facts("session#session-1")}


def test_the_curl_calls_are_the_apis() -> None:
    called = re.findall(
        r'curl -s (-X POST )?"\$API(/[^"?]*)[^"]*"(.*?)(?=\ncurl|\n\n|\Z)', blocks("sh")[1], re.DOTALL
    )

    assert len(called) == 5
    for posts, path, rest in called:
        body = re.search(r"-d '(.*?)'", rest)
        route = next(
            told for told in sorted(app.routes) if re.fullmatch(re.sub(r"{\w+}", "[^/]+", told), path)
        )
        assert ("POST" if posts or body else "GET") in app.routes[route]
        assert body is None or takes(route, json.loads(body.group(1)))


def test_the_table_of_routes_is_the_apis() -> None:
    told = set(re.findall(r"`(GET|POST|DELETE) (/[^`]*)`", SECTION.partition("### ")[0]))
    pages = {"/", "/web/{release}/{name}"}
    have = {(m.upper(), path) for path, item in DOCUMENT["paths"].items() for m in item if path not in pages}

    assert told == have
    assert {shape(path) for _, path in told} <= {shape(route) for route in app.routes}


def test_the_table_of_errors_is_the_documents() -> None:
    told = re.findall(r"^\| (\S+) \| `(\w+)` \| (.*) \|$", SECTION, re.MULTILINE)
    codes = DOCUMENT["components"]["schemas"]["ErrorCode"]["oneOf"]

    assert [(f"{status}: {meaning}", code) for status, code, meaning in told] == [
        (row["description"], row["const"]) for row in codes
    ]
