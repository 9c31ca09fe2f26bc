"""Every command has a test of its success and of its failure; a new one without them fails here."""

import re
from pathlib import Path

import pytest
from commands_support import commands_of, llmops

pytestmark = pytest.mark.slow

SUCCEEDS = {
    "init": "test_archives.py::test_init_asks_what_it_cannot_know_and_check_takes_what_it_writes",
    "check": "test_archives.py::test_check_says_what_is_there_and_what_is_left_out_and_writes_nothing",
    "demo": "test_own_data.py::test_the_acts_go_through",
    "build": "test_installation.py::test_build_ends_with_a_release_that_answers",
    "judge": "test_judges.py::test_a_judge_that_agrees_with_people_may_vote_and_one_that_does_not_may_not",
    "replay": "test_replays.py::test_a_window_is_asked_again_and_what_people_say_of_it_judges_the_next_candidate",
    "rollback": "test_installation.py::test_rollback_moves_what_serves_and_back_again",
    "approve": "test_approvals.py::test_what_waits_is_approved_and_rolled_out",
    "override": "test_approvals.py::test_what_was_stopped_is_let_pass_by_the_key_of_an_admin",
    "reject": "test_approvals.py::test_a_candidate_is_rejected_and_the_incumbent_serves_on",
    "rollout status": "test_rollouts.py::test_a_rollout_is_seen_held_resumed_and_let_go_on",
    "rollout advance": "test_rollouts.py::test_a_rollout_is_seen_held_resumed_and_let_go_on",
    "rollout hold": "test_rollouts.py::test_a_rollout_is_seen_held_resumed_and_let_go_on",
    "rollout resume": "test_rollouts.py::test_a_rollout_is_seen_held_resumed_and_let_go_on",
    "rollout abort": "test_rollouts.py::test_a_rollout_is_ended_with_a_name_in_the_audit_log",
    "shadow start": "test_shadows.py::test_a_release_is_put_into_the_shadow_compared_and_taken_out",
    "shadow stop": "test_shadows.py::test_a_release_is_put_into_the_shadow_compared_and_taken_out",
    "shadow report": "test_shadows.py::test_a_release_is_put_into_the_shadow_compared_and_taken_out",
    "dev": "test_until_interrupted.py::test_dev_starts_all_and_leaves_nothing_behind",
    "serve": "test_until_interrupted.py::test_an_interrupt_ends_it_without_a_trace",
    "mlflow": "test_until_interrupted.py::test_an_interrupt_ends_it_without_a_trace",
    "evidently": "test_until_interrupted.py::test_an_interrupt_ends_it_without_a_trace",
    "reproduce": "test_installation.py::test_the_release_is_made_again_byte_for_byte",
    "bisect": "test_installation.py::test_the_setting_that_hurt_a_slice_is_found",
    "explain": "test_installation.py::test_an_answer_is_explained",
    "lake page": "test_until_interrupted.py::test_an_interrupt_ends_it_without_a_trace",
    "lineage": "test_installation.py::test_lineage_of_the_release_leads_to_the_conversations_and_all_links_hold",
    "lake check": "test_lake.py::test_lake_check_names_the_damaged_object_and_fails",
    "lake collect": "test_lake.py::test_lake_collect_removes_what_no_commit_names_and_keeps_the_rest",
    "lake diff": "test_lake.py::test_lake_diff_shows_what_came_and_went_between_a_ref_and_a_tag",
    "cluster render": "test_clusters.py::test_render_prints_what_kustomize_makes",
    "cluster diff": "test_clusters.py::test_apply_installs_and_a_second_one_changes_nothing",
    "cluster apply": "test_clusters.py::test_apply_installs_and_a_second_one_changes_nothing",
    "cluster status": "test_clusters.py::test_status_counts_pods_that_are_ready",
    "cluster doctor": "test_clusters.py::test_doctor_has_nothing_to_say_of_what_runs",
    "keys create": "test_keys.py::test_a_key_is_made_used_rotated_and_revoked",
    "keys list": "test_keys.py::test_a_key_is_made_used_rotated_and_revoked",
    "keys rotate": "test_keys.py::test_a_key_is_made_used_rotated_and_revoked",
    "keys revoke": "test_keys.py::test_a_key_is_made_used_rotated_and_revoked",
    "releases list": "test_signing.py::test_releases_are_signed_listed_refused_and_signed_again",
    "releases bom": "test_signing.py::test_releases_are_signed_listed_refused_and_signed_again",
    "signing show": "test_signing.py::test_releases_are_signed_listed_refused_and_signed_again",
    "signing rotate": "test_signing.py::test_releases_are_signed_listed_refused_and_signed_again",
    "signing revoke": "test_signing.py::test_releases_are_signed_listed_refused_and_signed_again",
    "signing sign": "test_signing.py::test_releases_are_signed_listed_refused_and_signed_again",
    "audit verify": "test_keys.py::test_the_audit_log_tells_every_act_and_that_it_is_whole",
    "erase": "test_keys.py::test_a_person_is_erased_and_the_chain_of_the_audit_log_holds",
    "audit export": "test_keys.py::test_the_audit_log_tells_every_act_and_that_it_is_whole",
    "observability export": "test_observability.py::test_what_is_exported_is_what_the_package_holds",
    "observability figures": "test_observability.py::test_the_figures_of_an_installation_tell_release_and_drift",
    "observability serve": "test_until_interrupted.py::test_figures_are_served_as_they_are_whenever_they_are_asked_for",
    "findings list": "test_findings.py::test_findings_are_listed_with_what_follows_and_shown_with_examples",
    "findings show": "test_findings.py::test_findings_are_listed_with_what_follows_and_shown_with_examples",
    "findings export": "test_findings.py::test_articles_go_out_and_come_back_as_knowledge",
    "findings import": "test_findings.py::test_articles_go_out_and_come_back_as_knowledge",
    "findings close": "test_findings.py::test_a_person_closes_a_finding_in_the_audit_log",
    "labels export": "test_installation.py::test_labels_go_out_are_checked_taken_in_and_known_the_second_time",
    "labels import": "test_installation.py::test_labels_go_out_are_checked_taken_in_and_known_the_second_time",
    "labels check": "test_installation.py::test_labels_go_out_are_checked_taken_in_and_known_the_second_time",
    "labels ask": "test_installation.py::test_a_model_that_agrees_with_people_labels_the_queue",
    "feedback export": "test_feedback.py::test_feedback_goes_out_is_checked_taken_in_and_known_the_second_time",
    "feedback check": "test_feedback.py::test_feedback_goes_out_is_checked_taken_in_and_known_the_second_time",
    "feedback import": "test_feedback.py::test_feedback_goes_out_is_checked_taken_in_and_known_the_second_time",
}

FAILS = {
    "init": (("nowhere.csv", "--no-input"), 1, "nowhere.csv: no such file or folder"),
    "check": (("nowhere.csv",), 1, "nowhere.csv: no such file or folder"),
    "demo": (("--data", "nowhere.jsonl"), 1, "nowhere.jsonl"),
    "build": (("--day", "1999-01-01"), 1, "no conversations on or before 1999-01-01"),
    "judge": (("nowhere.csv",), 1, "the use case names no judge"),
    "replay": (("--from", "2026-03-09", "--to", "2026-03-08"), 1, "--from 2026-03-09 is after --to 2026-03-08"),
    "rollback": ((), 1, "roll_back failed at deployment: there is no previous release to roll back to"),
    "approve": (("r-1", "--reason", "read it"), 1, "the gate has judged nothing yet"),
    "override": (("r-1", "--reason", "read it"), 1, "the gate has judged nothing yet"),
    "reject": (("r-1", "--reason", "read it"), 1, "the gate has judged nothing yet"),
    "rollout status": (("--all",), 2, "No such option"),
    "rollout advance": (("--reason", "seen"), 1, "no rollout is under way"),
    "rollout hold": (("--reason", "seen"), 1, "no rollout is under way"),
    "rollout resume": (("--reason", "seen"), 1, "no rollout is under way"),
    "rollout abort": (("--reason", "seen"), 1, "no rollout is under way"),
    "shadow start": (("r-1",), 1, "r-1 was never released; beside the releases there is no candidate"),
    "shadow stop": ((), 1, "no release is in the shadow"),
    "shadow report": ((), 1, "no release is in the shadow"),
    "dev": (("--port", "1"), 2, "No such option"),
    "serve": (("--port", "1"), 2, "No such option"),
    "mlflow": (("--port", "1"), 2, "No such option"),
    "evidently": (("--port", "1"), 2, "No such option"),
    "lineage": (("nothing-of-that-name",), 1, "nothing is called 'nothing-of-that-name'"),
    "reproduce": (("r-never",), 1, "r-never was never released"),
    "bisect": (("faq", "r-1", "r-2"), 1, "r-1 was never released"),
    "explain": (("nothing",), 1, "the interaction log has no answer 'nothing'"),
    "lake page": (("--port", "1"), 2, "No such option"),
    "lake check": ((), 1, "LAKE=other: there is no such lake"),
    "lake collect": (("--days", "-1"), 2, "--days"),
    "lake diff": (("no-such-tag", "main"), 1, "no-such-tag"),
    "cluster render": (("staging",), 1, "staging: neither an overlay of k8s (gpu, local, production) nor a folder"),
    "cluster diff": (("staging",), 1, "staging: neither an overlay of k8s"),
    "cluster apply": (("staging",), 1, "staging: neither an overlay of k8s"),
    "cluster status": (("staging",), 1, "staging: neither an overlay of k8s"),
    "cluster doctor": (("staging",), 1, "staging: neither an overlay of k8s"),
    "keys create": (("shop", "--role", "king"), 1, "there is no role 'king'"),
    "keys list": (("--all",), 2, "No such option"),
    "keys rotate": (("000000000000",), 1, "there is no key '000000000000'"),
    "keys revoke": (("000000000000",), 1, "there is no key '000000000000'"),
    "releases list": (("--all",), 2, "No such option"),
    "releases bom": (("r-000000000000",), 1, "r-000000000000 was never released"),
    "signing show": (("--all",), 2, "No such option"),
    "signing rotate": (("--all",), 2, "No such option"),
    "signing revoke": (("0000",), 1, "trusted.pem: there are no trusted keys yet"),
    "signing sign": ((), 1, "nothing was deployed yet"),
    "audit verify": (("--all",), 2, "No such option"),
    "audit export": (("--all",), 2, "No such option"),
    "erase": ((), 2, "Missing argument"),
    "observability export": (("/dev/null",), 1, "/dev/null cannot be written: "),
    "observability figures": (("--all",), 2, "No such option"),
    "observability serve": (("--host", "203.0.113.1"), 1, "203.0.113.1:9730 cannot be listened at: "),
    "findings list": ((), 1, "no findings were reported yet"),
    "findings show": (("f-0000000001",), 1, "no findings were reported yet"),
    "findings export": (("articles.csv",), 1, "no findings were reported yet"),
    "findings import": (("nowhere.csv",), 1, "nowhere.csv: No such file or directory"),
    "findings close": (("f-0000000001", "--reason", "over"), 1, "no findings were reported yet"),
    "labels export": (("queue.csv",), 1, "the lake holds no labelled day"),
    "labels import": (("nowhere.csv",), 1, "nowhere.csv: No such file or directory"),
    "labels check": (("nowhere.csv",), 1, "nowhere.csv: No such file or directory"),
    "labels ask": (("--url", "http://127.0.0.1:9/v1", "--model", "m"), 1, "the lake holds no labelled day"),
    "feedback export": (("held.csv",), 1, "no feedback was held back yet"),
    "feedback check": (("nowhere.csv",), 1, "no feedback was held back yet"),
    "feedback import": (("nowhere.csv",), 1, "no feedback was held back yet"),
}
"""Command to what makes it fail, its status and what it says; wrong settings are in test_settings.py."""


@pytest.mark.parametrize("command", list(commands_of()))
def test_its_success_is_tested(command):
    module, _, name = SUCCEEDS[command].partition("::")
    assert re.search(rf"^def {name}\(", (Path(__file__).parent / module).read_text(), re.MULTILINE)


@pytest.mark.parametrize("command", list(commands_of()))
def test_its_failure_has_a_status_and_a_sentence(home, command, monkeypatch):
    arguments, status, told = FAILS[command]
    if command == "lake check":
        monkeypatch.setenv("LAKE", "other")
    failed = llmops(*command.split(), *arguments)
    assert failed.exit_code == status, failed.output
    assert told in failed.stderr
    assert "Traceback" not in failed.output + failed.stderr
    if status == 1:
        assert len(failed.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("command", list(commands_of()))
def test_its_help_says_what_it_does(command):
    shown = llmops(*command.split(), "--help")
    assert shown.exit_code == 0
    assert "Usage" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("build", "--day", "8 March"), "write a day as 2026-03-08"),
        (("replay", "--from", "8 March", "--to", "2026-03-08"), "write a day as 2026-03-08"),
        (("replay", "--from", "2026-03-08", "--to", "2026-03-08", "--format", "xlsx"), "write --format csv"),
        (("demo", "--column", "question"), "write our=theirs"),
        (("check", "--date-order", "day first"), "write --date-order DMY"),
        (("labels", "ask", "--url", "x", "--model", "m", "--floor", "2"), "--floor"),
        (("labels", "export", "queue.csv", "--limit", "0"), "--limit"),
    ],
)
def test_an_option_that_does_not_fit_is_status_2(home, arguments, told):
    failed = llmops(*arguments)
    assert failed.exit_code == 2
    assert told in failed.stderr
