"""The control of the simulation: what people and tests make happen in its meetings."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from local.videosdk.asked import Asked, need
from local.videosdk.meetings import Refusal

if TYPE_CHECKING:
    from local.videosdk.simulation import Simulation

ROOM = "/simulation/rooms/<room_id>"


class Control:
    """The controls of one simulation; those of a room answer with the room as it is after."""

    def __init__(self, simulation: "Simulation") -> None:
        self._sim = simulation

    def join(self, asked: Asked) -> Any:
        """Somebody comes in."""
        need(asked, "participantId")
        room, who = asked["room_id"], asked["participantId"]
        self._sim.act(lambda meetings: meetings.join(room, who, asked.get("name") or who))
        return self._sim.seen(room)

    def leave(self, asked: Asked) -> Any:
        """Somebody goes."""
        need(asked, "participantId")
        room = asked["room_id"]
        self._sim.act(lambda meetings: meetings.leave(room, asked["participantId"]))
        return self._sim.seen(room)

    def unmute(self, asked: Asked) -> Any:
        """A microphone, camera or share goes on."""
        room, who, kind = _track(asked)
        self._sim.act(lambda meetings: meetings.unmute(room, who, kind))
        return self._sim.seen(room)

    def mute(self, asked: Asked) -> Any:
        """It goes off."""
        room, who, kind = _track(asked)
        self._sim.act(lambda meetings: meetings.mute(room, who, kind))
        return self._sim.seen(room)

    def fail(self, asked: Asked) -> Any:
        """A running recording breaks down."""
        room, who, kind = _track(asked)
        self._sim.act(lambda meetings: meetings.fail(room, who, kind))
        return self._sim.seen(room)

    def advance(self, asked: Asked) -> Any:
        """The room's clock jumps ahead."""
        self._sim.meetings.room(asked["room_id"]).ahead_ms += _length_ms("ms", asked.get("ms"))
        return self._sim.seen(asked["room_id"])

    def hold(self, asked: Asked) -> Any:
        """The room's clock stands still until it is advanced, perhaps some time ago."""
        ago_ms = _length_ms("agoMs", asked.get("agoMs", 0))
        self._sim.meetings.hold(self._sim.meetings.room(asked["room_id"]), ago_ms)
        return self._sim.seen(asked["room_id"])

    def end(self, asked: Asked) -> Any:
        """The session is over."""
        self._sim.act(lambda meetings: meetings.end_session(asked["room_id"]))
        return self._sim.seen(asked["room_id"])

    def webhook(self, asked: Asked) -> Any:
        """Where the room's own events go."""
        self._sim.meetings.room(asked["room_id"]).webhook_url = asked.get("url")
        return self._sim.seen(asked["room_id"])

    def room(self, asked: Asked) -> Any:
        """The room as it is."""
        if asked["room_id"] not in self._sim.meetings.rooms:
            raise Refusal(404, "Room not found")
        return self._sim.seen(asked["room_id"])

    def switches(self, _: Asked) -> Any:
        """How the switches stand."""
        return self._sim.meetings.switches.told()

    def turn(self, asked: Asked) -> Any:
        """Set some of them."""
        self._sim.meetings.switches = self._sim.meetings.switches.turned(asked)
        return self.switches(asked)

    def faults(self, _: Asked) -> Any:
        """The armed faults."""
        return self._sim.faults.told()

    def arm(self, asked: Asked) -> Any:
        """Arm one more."""
        self._sim.faults.arm(asked)
        return self.faults(asked)

    def disarm(self, asked: Asked) -> Any:
        """Disarm all."""
        self._sim.faults.disarm()
        return self.faults(asked)

    def webhooks(self, _: Asked) -> Any:
        """Every webhook that was sent, or lost on purpose."""
        return [sent.told() for sent in list(self._sim.courier.sent)]


type Act = Callable[[Control, Asked], Any]

ACTS: tuple[tuple[str, str, Act], ...] = (
    ("GET", ROOM, Control.room),
    ("POST", f"{ROOM}/join", Control.join),
    ("POST", f"{ROOM}/leave", Control.leave),
    ("POST", f"{ROOM}/unmute", Control.unmute),
    ("POST", f"{ROOM}/mute", Control.mute),
    ("POST", f"{ROOM}/fail", Control.fail),
    ("POST", f"{ROOM}/advance", Control.advance),
    ("POST", f"{ROOM}/hold", Control.hold),
    ("POST", f"{ROOM}/end", Control.end),
    ("PUT", f"{ROOM}/webhook", Control.webhook),
    ("GET", "/simulation/switches", Control.switches),
    ("PUT", "/simulation/switches", Control.turn),
    ("GET", "/simulation/faults", Control.faults),
    ("POST", "/simulation/faults", Control.arm),
    ("DELETE", "/simulation/faults", Control.disarm),
    ("GET", "/simulation/webhooks", Control.webhooks),
)


def _length_ms(name: str, told: Any) -> int:
    if not isinstance(told, int) or told < 0:
        raise Refusal(400, f"{name} has to be a whole number of milliseconds, at least 0")
    return told


def _track(asked: Asked) -> tuple[str, str, str]:
    need(asked, "participantId", "kind")
    return asked["room_id"], asked["participantId"], asked["kind"]
