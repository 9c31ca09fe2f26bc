import pytest
from gateway_support import Files


@pytest.fixture
def files(tmp_path) -> Files:
    return Files(tmp_path)
