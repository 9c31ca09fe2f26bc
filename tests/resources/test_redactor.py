"""The redactor of an installation, with a model behind an endpoint as a further reader."""

import json
from pathlib import Path

import pytest

from resources.redactor import Redactors
from resources.use_case import UseCaseFiles
from resources.workspace import ReaderEndpoint, Settings, SettingsError, Workspace
from tests.chat_server import ChatServer

OVERLOOKED = "het pakje ligt bij quillon vorb, niet bij mij"


def redactors(home: Path, endpoint: ReaderEndpoint | None) -> tuple[Redactors, UseCaseFiles]:
    files = UseCaseFiles(Settings())
    return Redactors(home / "subject.key", files, endpoint=endpoint), files


def test_the_endpoint_of_the_settings_is_asked_with_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ChatServer(lambda text, _: json.dumps(["quillon vorb"]))
    try:
        monkeypatch.setenv("NAMES_KEY", "k-17")
        (tmp_path / "settings.yaml").write_text(
            f"redaction_endpoint: {{url: '{server.address}', model: names-1, key_variable: NAMES_KEY}}\n"
        )
        made, files = redactors(tmp_path, Workspace(tmp_path).settings.redaction_endpoint)
        assert made.of(files.read()).redact([OVERLOOKED]) == ["het pakje ligt bij <PERSON_1>, niet bij mij"]
    finally:
        server.close()
    assert {(request["key"], request["model"]) for request in server.requests} == {("Bearer k-17", "names-1")}


def test_texts_with_personal_data_stay_on_the_premises(tmp_path: Path) -> None:
    outside = ReaderEndpoint(url="https://api.names.example/v1", model="names-1")
    allowed = outside.model_copy(update={"data_may_leave": True})
    made, files = redactors(tmp_path, outside)
    case = files.read()
    free = case.model_copy(update={"data_must_stay_on_premises": False})
    with pytest.raises(SettingsError, match="data_must_stay_on_premises"):
        redactors(tmp_path, allowed)[0].of(case)
    with pytest.raises(SettingsError, match="data_may_leave"):
        made.of(free)
    assert redactors(tmp_path, allowed)[0].of(free) is not None


@pytest.mark.parametrize(
    "entry",
    ["{url: 'file:///etc/passwd', model: m}", "{url: 'http://127.0.0.1/v1'}", "{url: 'http://h/v1', model: m, k: 1}"],
)
def test_an_endpoint_that_cannot_be_is_refused_by_its_field(tmp_path: Path, entry: str) -> None:
    (tmp_path / "settings.yaml").write_text(f"redaction_endpoint: {entry}\n")
    with pytest.raises(SettingsError, match="redaction_endpoint"):
        _ = Workspace(tmp_path).settings
