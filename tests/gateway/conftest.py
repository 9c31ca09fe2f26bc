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
