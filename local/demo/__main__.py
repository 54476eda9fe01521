"""`make demo`: start the stack, run the main job, show it; then serve until Ctrl-C, or end with EXIT=1."""

import argparse
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from local import stack
from local.demo.client import Bucket, Tracklane
from local.demo.play import Play, download
from local.demo.show import not_made, products, show, summary
from local.videosdk.client import Meeting

FILES = Path(".local/demo")
PLAIN_WIDTH = 110
INTERRUPTED = 130  # as a shell tells of Ctrl-C


def main() -> int:
    """0 only when every recording's verdict is complete and every product made."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--exit", action="store_true", help="end when the job is done, and stop the stack")
    leave = parser.parse_args().exit
    console = Console() if sys.stdout.isatty() else Console(width=PLAIN_WIDTH)
    was_up = stack.read() is not None
    told = stack.up()
    try:
        complete = perform(told, console)
        if not leave:
            serve(console)
        return 0 if complete else 1
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        if not was_up:
            stack.down()


def perform(told: dict[str, Any], console: Console) -> bool:
    """Run the meeting and print what came of it; whether all of it is complete and every product made."""
    room_id = f"demo-{int(time.time())}"
    tracklane = Tracklane(told["api"], told["token"])
    began = time.monotonic()
    display = show(console)
    try:
        play = Play(tracklane, Meeting(told["videosdk"]["api"], room_id), Bucket(told), room_id, display)
        recordings = play.run()
        manifest = play.session()
    finally:
        display.close()
    verdicts = {recording["recordingId"]: recording["verdict"] for recording in recordings}
    console.print(summary(manifest, verdicts))
    console.print(products(manifest))
    into = FILES / manifest["sessionId"]
    shutil.rmtree(into, ignore_errors=True)
    count = download(manifest, into)
    say = _sayer(console)
    met, took = manifest["durationMs"] / 1000, time.monotonic() - began
    say(f"{met:.0f} s of meeting, recorded and processed in {took:.0f} s")
    say(f"files: {count} in {into}/, and in s3://{told['outputBucket']}/sessions/{manifest['sessionId']}/")
    say(f"manifest: {tracklane.sessions(room_id)[0]['manifestKey']}")
    say(f"page:  {told['page']}")
    lacking = not_made(manifest)
    for line in lacking:
        say(f"MISSING: {line}")
    complete = all(verdict["complete"] for verdict in verdicts.values())
    ended = "every product made" if not lacking else "NOT every product made: see above"
    say(
        f"every recording is complete, {ended}"
        if complete
        else "NOT every recording is complete: see the verdicts above"
    )
    return complete and not lacking


def serve(console: Console) -> None:
    """Until Ctrl-C, or until somebody ends us politely."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console.print("serving; Ctrl-C ends it")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        console.print("ending")


def _sayer(console: Console) -> Any:
    """Addresses are printed whole, whatever the terminal's width."""
    return lambda line: console.print(line, soft_wrap=True, highlight=False, markup=False)


if __name__ == "__main__":
    sys.exit(main())
