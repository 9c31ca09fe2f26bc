import pytest
from gateway_support import Files, Gateway


@pytest.fixture
def files(tmp_path) -> Files:
    return Files(tmp_path)


@pytest.fixture
def gateway(files, tmp_path):
    root = tmp_path / "gateway"
    root.mkdir()
    with Gateway(files, root) as running:
        yield running


@pytest.fixture
def one(gateway):
    """The gateway with release `one` live."""
    gateway.one = gateway.files.bundle(gateway.root, "one").release_id
    gateway.serve(1, live=gateway.one)
    return gateway
