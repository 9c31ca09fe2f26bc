import pytest
from gateway_support import Files, Gateway

from llmops_assets.lib.records import HostingOption


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


@pytest.fixture
def hosting() -> HostingOption:
    """Prices that are easy to reckon with."""
    return HostingOption(
        name="own",
        kind="self_hosted",
        currency_per_hour=3600.0,
        currency_per_million_input_tokens=1e6,
        currency_per_million_output_tokens=2e6,
        tokens_per_second=10,
        latency_p95_seconds=1,
        data_leaves_premises=False,
        source="a test",
    )
