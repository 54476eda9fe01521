"""Tracklane's API as an app's backend would call it, and the bucket that VideoSDK delivers into."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import boto3
import requests

TIMEOUT_S = 60


class Tracklane:
    """`api` is the base address, `token` the app's bearer token; both are in `.local/stack.json`."""

    def __init__(self, api: str, token: str) -> None:
        self.api = api
        self.token = token
        self.http = requests.Session()
        self.http.headers["Authorization"] = f"Bearer {token}"

    def record(self, room_id: str, participant_id: str, kinds: tuple[str, ...]) -> list[str]:
        """Start recordings; their ids."""
        told = {"roomId": room_id, "participantId": participant_id, "kinds": list(kinds)}
        return [recording["recordingId"] for recording in self._post("/recordings/start", told)["recordings"]]

    def stop(self, room_id: str, participant_id: str, kinds: tuple[str, ...]) -> None:
        """Stop recordings."""
        self._post(
            "/recordings/stop", {"roomId": room_id, "participantId": participant_id, "kinds": list(kinds)}
        )

    def recording(self, recording_id: str) -> dict[str, Any]:
        """One recording with segments and verdict."""
        return self._get(f"/recordings/{recording_id}")

    def sessions(self, room_id: str) -> list[dict[str, Any]]:
        """The room's sessions, newest first."""
        found: list[dict[str, Any]] = self._get("/sessions", roomId=room_id)["sessions"]
        return found

    def session(self, session_id: str) -> dict[str, Any]:
        """A session's manifest."""
        return self._get(f"/sessions/{session_id}")

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._told(self.http.post(f"{self.api}{path}", json=body, timeout=TIMEOUT_S))

    def _get(self, path: str, **params: str) -> dict[str, Any]:
        return self._told(self.http.get(f"{self.api}{path}", params=params, timeout=TIMEOUT_S))

    def _told(self, answer: requests.Response) -> dict[str, Any]:
        if not answer.ok:
            raise RuntimeError(f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text}")
        told: dict[str, Any] = answer.json()
        return told


class Bucket:
    """The recordings bucket of a stack, as `.local/stack.json` describes it."""

    def __init__(self, stack: Mapping[str, Any]) -> None:
        aws = stack["aws"]
        self._s3 = boto3.client(
            "s3",
            endpoint_url=aws["endpoint"],
            region_name=aws["region"],
            aws_access_key_id=aws["accessKeyId"],
            aws_secret_access_key=aws["secretAccessKey"],
        )
        self._where = {"Bucket": stack["bucket"], "Prefix": f"{stack['bucketDirPath']}/"}

    def files(self) -> dict[str, set[str]]:
        """The names of the files that were delivered, by recording."""
        found: dict[str, set[str]] = defaultdict(set)
        for page in self._s3.get_paginator("list_objects_v2").paginate(**self._where):
            for told in page.get("Contents", ()):
                parts = told["Key"].removeprefix(self._where["Prefix"]).split("/")
                found[parts[0]].add(parts[-1])
        return found
