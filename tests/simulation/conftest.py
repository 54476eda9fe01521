"""A running simulation with room-1, and what surrounds it."""

from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from local.videosdk import Meeting, Simulation
from tests.simulation.stage import API_KEY, NOW, SECRET, Bucket, Call, Ear


@pytest.fixture(scope="session")
def key() -> rsa.RSAPrivateKey:
    """What the simulation signs with."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


@pytest.fixture
def ear(bucket: Bucket) -> Iterator[Ear]:
    ear = Ear(bucket)
    yield ear
    ear.close()


@pytest.fixture
def sim(key: rsa.RSAPrivateKey, bucket: Bucket) -> Iterator[Simulation]:
    with Simulation(API_KEY, SECRET, key, storage=bucket.put, now=lambda: NOW) as sim:
        yield sim


@pytest.fixture
def meeting(sim: Simulation) -> Iterator[Meeting]:
    meeting = Meeting(sim.url, "room-1")
    yield meeting
    meeting.close()


@pytest.fixture
def call(sim: Simulation) -> Call:
    return Call(sim.url)
