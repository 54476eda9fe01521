"""A simulated VideoSDK: its REST API, its webhooks and its recorder, for this machine only.

It behaves as the public documentation and the vendor's own clients say; each behaviour names its source:
**[D]** official docs, **[C]** official client code, **[S]** third party, **[I]** inferred, **[U]** unknown.
What is unknown is a switch (`switches.py`); what may go wrong is a fault (`faults.py`).

    python -m local.videosdk --api-key KEY --secret SECRET --private-key PEM [--bucket … --aws-endpoint …]

serves on 127.0.0.1. In a test: `with Simulation("key", "secret", key, storage=put) as sim: …`.

Meetings are played through its control (JSON in, JSON out, no token). `client.Meeting` is this in Python.

| call | body | what happens |
|---|---|---|
| `POST /simulation/rooms/{roomId}/join` | `{participantId, name?}` | comes in; room and session are made |
| `POST …/leave` | `{participantId}` | goes; what is recorded of them ends |
| `POST …/unmute`, `POST …/mute` | `{participantId, kind}` | microphone, camera or share goes on, off |
| `POST …/fail` | `{participantId, kind}` | a running recording breaks down: webhook `failed` |
| `POST …/advance` | `{ms}` | the room's clock jumps ahead and stays ahead |
| `POST …/hold` | `{agoMs?}` | the room's clock stands still, perhaps some time ago; only `advance` moves it |
| `POST …/end` | | everybody goes, the session is over |
| `PUT …/webhook` | `{url}` | where joined, left, session started and ended are told; null for nowhere |
| `GET /simulation/rooms/{roomId}` | | the room; all of the above answer with it as well |
| `GET`, `PUT /simulation/switches` | `{name: value, …}` | see `switches.py` |
| `GET`, `POST`, `DELETE /simulation/faults` | `{fault, …}` | see `faults.py`; DELETE disarms all |
| `GET /simulation/webhooks` | | every webhook sent or lost: `[{type, url, status, body}]` |
| `POST /simulation/settle` | `{timeoutMs?}` | waits until nothing is under way: `{settled}` |

A room is `{roomId, sessionId, live, startAt, now, webhook, pending, participants, recordings}`; its clock
is the real one until it is advanced or held. So who unmutes, waits three seconds and mutes gets a file of
three seconds; a script that advances gets it at once. Beeps and flashes are on the full seconds since
`startAt` (`media.py`).
"""

from local.videosdk.client import Meeting
from local.videosdk.courier import Storage
from local.videosdk.simulation import Simulation, private_key
from local.videosdk.switches import Switches

__all__ = ["Meeting", "Simulation", "Storage", "Switches", "private_key"]
