"""What the tests of the pretend vendor share."""

from collections.abc import Iterator

import httpx2
import pytest

from tests.demo.vendor import Vendor, serving
from tests.services.plain import PLAIN


@pytest.fixture(scope="session")
def listening() -> Iterator[Vendor]:
    """One vendor for all tests with SDKs."""
    with serving() as vendor:
        yield vendor


@pytest.fixture
def vendor(listening: Vendor) -> Vendor:
    """The same vendor with empty books."""
    listening.books.reset()
    return listening


@pytest.fixture
def client(vendor: Vendor) -> Iterator[httpx2.Client]:
    """A client of that vendor, without a secret of its own."""
    with httpx2.Client(base_url=vendor.url, verify=PLAIN, trust_env=False) as found:
        yield found
