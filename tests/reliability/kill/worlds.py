"""The deployed world with a clock that can be moved, and worlds that are broken, to see that it shows."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self, cast

from chalicelib.adapters import dynamodb_items as items
from chalicelib.adapters.dynamodb import DynamoLedger
from chalicelib.adapters.dynamodb_work import DynamoLeases
from chalicelib.adapters.s3 import S3Shelf
from chalicelib.config import Config
from chalicelib.core.events import Event
from chalicelib.core.work import Lease
from chalicelib.ports import Leases, Ledger, Shelf, Writing
from chalicelib.wiring import AwsWorld

CLIENTS = ["ledger", "catalog", "leases", "recorder", "post", "inbox", "shelf", "bell", "work", "secrets"]


class Sound(AwsWorld):
    """As it is deployed."""

    def __init__(self, config: Config, now: Callable[[], int]) -> None:
        super().__init__(config)
        self._now = now

    def now(self) -> int:
        """The clock that the test moves."""
        return self._now()

    def warm(self) -> Self:
        """Make every client, and connect none."""
        for name in CLIENTS:
            getattr(self, name)
        return self


class Producing(Sound):
    """As it is deployed, with products whose steps make several files each."""

    def __init__(self, config: Config, now: Callable[[], int]) -> None:
        products = ("poster", "track", "av", "sprite", "stem", "peaks", "mix", "mix:aac")
        super().__init__(replace(config, products=products), now)


# --- broken on purpose ----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Overwriting(DynamoLedger):
    def append(self, subject: str, event: Event) -> bool:
        self.client.put_item(TableName=self.table, Item=items.fact_item(subject, event))
        return True


class Overwriting(Sound):
    """Facts are written without asking whether they are there."""

    @cached_property
    def ledger(self) -> Ledger:
        """Without the condition."""
        sound = cast("DynamoLedger", super().ledger)
        return _Overwriting(sound.client, sound.table)


@dataclass(frozen=True)
class _Scattering(S3Shelf):
    def write(self, key: str, content_type: str) -> Writing:
        return super().write(f"{key}.{secrets.token_hex(4)}", content_type)


class Scattering(Sound):
    """Every try writes under another key."""

    @cached_property
    def shelf(self) -> Shelf:
        """With keys of chance."""
        sound = cast("S3Shelf", super().shelf)
        return _Scattering(sound.client, sound.bucket, sound.url_seconds)


@dataclass(frozen=True)
class _InTwo(DynamoLeases):
    def commit(self, lease: Lease, subject: str, facts: Sequence[Event]) -> bool:
        self._done(lease)
        return self._told(subject, facts)

    def _told(self, subject: str, facts: Sequence[Event]) -> bool:
        ledger = DynamoLedger(self.client, self.table)
        return sum(ledger.append(subject, fact) for fact in facts) > 0

    def _done(self, lease: Lease) -> None:
        told = {
            "UpdateExpression": "SET done = :done",
            "ExpressionAttributeValues": {":done": {"BOOL": True}},
        }
        self.client.update_item(TableName=self.table, Key=items.work_key(lease.target), **told)


class InTwo(Sound):
    """Work is written off first and its fact written down second, in two writes."""

    @cached_property
    def leases(self) -> Leases:
        """Without the transaction."""
        sound = cast("DynamoLeases", super().leases)
        return _InTwo(sound.client, sound.table)


@dataclass(frozen=True)
class _Unfenced(_InTwo):
    def commit(self, lease: Lease, subject: str, facts: Sequence[Event]) -> bool:
        news = self._told(subject, facts)
        self._done(lease)
        return news


class Unfenced(Sound):
    """Who had the lease once may commit for ever."""

    @cached_property
    def leases(self) -> Leases:
        """Without the epoch."""
        sound = cast("DynamoLeases", super().leases)
        return _Unfenced(sound.client, sound.table)


WORLDS: dict[str, type[Sound]] = {
    world.__name__: world for world in (Sound, Producing, Overwriting, Scattering, InTwo, Unfenced)
}
