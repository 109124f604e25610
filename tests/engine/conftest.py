from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As in a search, which keeps numerical libraries to one thread."""
    with threadpool_limits(1):
        yield
