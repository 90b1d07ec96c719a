"""Object stores for tests: servers that start once, and a bucket of its own for each test. And Ctrl-C."""

from __future__ import annotations

import os
import signal

import pytest

from tests import services

# A shell starts background jobs with Ctrl-C ignored, and what ignores it has children that ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def s3_server():
    with services.moto() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def azure_server():
    program = services.find_azurite()
    if program is None:
        pytest.skip("needs azurite-blob: npm install azurite")
    with services.azurite(program) as endpoint:
        yield endpoint


@pytest.fixture
def s3(s3_server, monkeypatch):
    """A proxy before an S3 server, with `url`, a place in a new bucket of it."""
    proxy = services.Proxy(s3_server)
    bucket = f"team-{os.urandom(4).hex()}"
    services.make_bucket(s3_server, bucket)
    proxy.url = f"s3://{bucket}/cache"
    for name, value in services.s3_environment(proxy.endpoint).items():
        monkeypatch.setenv(name, value)
    yield proxy
    proxy.close()


@pytest.fixture
def azure(azure_server, monkeypatch):
    """The same before an Azure server."""
    proxy = services.Proxy(azure_server)
    container = f"team-{os.urandom(4).hex()}"
    services.make_container(azure_server, container)
    proxy.url = f"az://{container}/cache"
    for name, value in services.azure_environment(proxy.endpoint).items():
        monkeypatch.setenv(name, value)
    yield proxy
    proxy.close()
