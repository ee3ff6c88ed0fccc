"""One deployment for all of these tests; those that end a process start it again."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.deploy.deployment import Deployment, deployed

KINDS = ["uvicorn", pytest.param("daphne", marks=pytest.mark.long)]


@pytest_asyncio.fixture(scope="package", loop_scope="session", params=KINDS)
async def deployment(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Deployment]:
    folder = tmp_path_factory.mktemp(request.param)
    async with deployed(folder, request.param) as deployment:
        yield deployment


@pytest_asyncio.fixture(loop_scope="session")
async def site(deployment: Deployment) -> AsyncIterator[Deployment]:
    """Two processes behind nginx, which take clients. There are no clients yet."""
    yield deployment
    await deployment.end_watchers()
