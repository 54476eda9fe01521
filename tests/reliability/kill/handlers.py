"""The receiver's function in processes of its own, one for each connection, that anybody may kill.

    python -m tests.reliability.kill.handlers SOCKET [hasty]

A connection gets its process's id, then an answer for each event, both a line of JSON. The hasty ones answer
first and write afterwards: they are there to be caught.
"""

import json
import logging
import os
import signal
import socket
import sys

from chalicelib import wiring
from tests.reliability.receiver import Door


def main(path: str, *, hasty: bool) -> None:
    """Serve until killed. Nothing is connected before the fork."""
    logging.disable(logging.ERROR)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    door, world = Door(), wiring.world()
    _ = world.ledger, world.post, world.secrets
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        print("ready", flush=True)
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _serve(connection, door, hasty=hasty)
                os._exit(0)
            connection.close()


def _serve(connection: socket.socket, door: Door, *, hasty: bool) -> None:
    with connection, connection.makefile("rw") as lines:
        print(os.getpid(), file=lines, flush=True)
        for line in lines:
            event = json.loads(line)
            if hasty:
                print(200, file=lines, flush=True)
                door.send(event)
            else:
                print(door.send(event).status, file=lines, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], hasty="hasty" in sys.argv[2:])
