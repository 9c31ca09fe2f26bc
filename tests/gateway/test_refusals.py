"""What is not signed is not served: the incumbent answers on, and the refusal is told with the file's name."""

import threading

import pytest
from gateway_support import KNOWN, Files, Gateway, wait_for
from signing_support import KEY, seal_of, trusted_file

from llmops_assets.gateway.bundle import bundle_folder, write_bundle
from llmops_assets.lib.signing import SIGNATURE


@pytest.fixture
def gateway(tmp_path):
    with Gateway(Files(tmp_path), tmp_path) as gateway:
        yield gateway


def put(gateway: Gateway, name: str) -> str:
    return gateway.files.bundle(gateway.root, name).release_id


def unsigned(gateway: Gateway, name: str) -> str:
    return write_bundle(gateway.root, gateway.files.manifest(name), gateway.files.fetch, gateway.files.base).release_id


@pytest.mark.parametrize("stage", ["live", "canary"])
def test_what_is_not_signed_is_refused_where_customers_are_answered_and_the_incumbent_serves_on(gateway, stage):
    one, two = put(gateway, "one"), unsigned(gateway, "two")
    gateway.serve(1, live=one)
    gateway.serve(2, **{"live": one, stage: two})
    assert (gateway.releases.failed_generation, gateway.releases.state.live) == (2, one)
    assert f"RefusedError: {two}: it is not signed" in gateway.releases.error
    assert [(error.release, error.file) for error in gateway.refusals] == [(two, SIGNATURE)]
    assert gateway.ask(KNOWN).json()["model"] == one


def test_a_shadow_which_nobody_sees_needs_no_signature_until_it_is_more(gateway):
    one, two = put(gateway, "one"), unsigned(gateway, "two")
    gateway.serve(1, live=one, shadow=two)
    assert gateway.releases.serving("shadow").bundle.signed_by == ""
    gateway.serve(2, live=two, previous=one)
    assert (gateway.releases.failed_generation, gateway.releases.state.live) == (2, one)


def test_a_candidate_under_judgement_is_asked_by_name_and_signed_before_it_is_more(gateway):
    one, two = put(gateway, "one"), unsigned(gateway, "two")
    gateway.serve(1, live=one, preview=two)
    assert gateway.ask(KNOWN, model="assistant-preview").json()["model"] == two
    gateway.serve(2, live=one, canary=two, canary_share=0.5, preview=two)
    assert gateway.releases.failed_generation == 2
    manifest = gateway.files.manifest("two")
    write_bundle(gateway.root, manifest, gateway.files.fetch, gateway.files.base, seal_of(manifest))
    gateway.serve(3, live=two, previous=one, preview=two)
    assert gateway.releases.serving("live").bundle.signed_by == KEY.id
    assert gateway.ask(KNOWN).json()["model"] == two


def test_a_changed_file_is_named_and_a_key_that_was_revoked_meanwhile_too(gateway):
    one, two, three = (put(gateway, name) for name in ("one", "two", "three"))
    gateway.serve(1, live=one)
    (bundle_folder(gateway.root, two) / "bom.json").write_bytes(b"{ }")
    gateway.serve(2, live=two)
    trusted_file(gateway.trusted, KEY, revoked={KEY.id: "2026-03-02"})
    gateway.serve(3, live=three)
    assert [(error.release, error.file) for error in gateway.refusals] == [(two, "bom.json"), (three, SIGNATURE)]
    assert "which was revoked on 2026-03-02" in gateway.releases.error
    # What serves already serves on.
    assert gateway.ask(KNOWN).json()["model"] == one


def test_a_refusal_that_cannot_be_audited_stops_no_later_release(gateway, monkeypatch):
    one, two, three = put(gateway, "one"), unsigned(gateway, "two"), put(gateway, "three")

    def away(_: object) -> None:
        raise OSError("the log is away")

    monkeypatch.setattr(gateway.releases, "_refused", away)
    gateway.serve(1, live=one)
    gateway.serve(2, live=two)
    assert gateway.releases.failed_generation == 2
    gateway.serve(3, live=three, previous=one)
    assert gateway.releases.state.live == three


@pytest.mark.slow
def test_promotions_and_rollbacks_under_load_fail_no_request_and_mix_no_answer(gateway):
    names = {put(gateway, name): name for name in ("one", "two", "three")}
    ids = list(names)
    gateway.serve(1, live=ids[0])
    answers: list[tuple[int, str, str]] = []
    done = threading.Event()

    def customer(number: int) -> None:
        # With a pause: the gateway is in this process too.
        while not done.wait(0.02):
            answer = gateway.ask("Which stocks should I buy?", metadata={"conversation": f"c{number}"})
            body = answer.json()
            text = body["choices"][0]["message"]["content"] if answer.status_code == 200 else ""
            answers.append((answer.status_code, body.get("model", ""), text))

    customers = [threading.Thread(target=customer, args=(number,)) for number in range(2)]
    for thread in customers:
        thread.start()
    moves = 6
    for move in range(moves):
        live = ids[move % 3]
        canary = {"canary": ids[(move + 1) % 3], "canary_share": 0.5} if move % 2 else {}
        gateway.serve(2 + move, live=live, previous=ids[move % 3 - 1], **canary)
        before = len(answers)
        wait_for(lambda before=before: len(answers) >= before + 3)
    done.set()
    for thread in customers:
        thread.join()
    assert gateway.releases.state.generation == moves + 1
    assert {status for status, _, _ in answers} == {200}
    wrong = [(model, text) for _, model, text in answers if f"A colleague of {names[model]} will" not in text]
    assert wrong == []
    assert {model for _, model, _ in answers} == set(ids)
