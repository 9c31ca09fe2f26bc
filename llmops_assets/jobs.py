"""Jobs by selection, and schedules. A job says what is run together; when, and why, say schedules and sensors.

Concept: https://docs.dagster.io/guides/build/jobs/asset-jobs. Every job but `roll_back`, `approve` and `reject` is
partitioned by day, the day it is about, or `digest_week` by week. Light jobs run in one process wherever they run;
those that train take the code location's executor, and say by a tag that they want a GPU where there are some.
"""

from datetime import timedelta

import dagster as dg

KNOWLEDGE = ["knowledge_base", "knowledge_index", "eval_suite", "augmented_conversations", "training_dataset"]
JUDGEMENT = ["candidate", "quality_report", "safety_report", "gate"]
ROLLOUT = ["release", "deployment"]
TRAINS = {"llmops/steps": "gpu"}
"""Tag of the jobs that train: a cluster runs as many of them at once as it has GPUs (`tag_concurrency_limits`)."""


def assets(*names: str) -> dg.AssetSelection:
    """The assets of these names. Texts would be parsed as expressions, which costs a process a tenth of a second."""
    return dg.AssetSelection.assets(*names)


ingest_day = dg.define_asset_job(
    "ingest_day",
    selection=assets("use_case", "redacted_conversations", "labelled_conversations"),
    description="One day of conversations, redacted and labelled.",
    executor_def=dg.in_process_executor,
)
build_release = dg.define_asset_job(
    "build_release",
    selection=assets(
        "use_case",
        "hosting_plan",
        "system_prompt",
        "base_model",
        "redacted_conversations",
        "labelled_conversations",
        "interactions",
        "feedback_examples",
        *KNOWLEDGE,
        "adapter",
        "quantized_model",
        *JUDGEMENT,
        *ROLLOUT,
    ),
    description="From the plan to a served release: the adapter is trained from the base model.",
    tags=TRAINS,
)
retrain = dg.define_asset_job(
    "retrain",
    selection=assets(
        "redacted_conversations",
        "labelled_conversations",
        "interactions",
        "feedback_examples",
        *KNOWLEDGE,
        "adapter",
        *JUDGEMENT,
        *ROLLOUT,
    ),
    config=dg.RunConfig(
        ops={
            "adapter": {"config": {"warm_start": True, "epochs": 1.0, "learning_rate": 7e-4, "max_tokens": 8_000}},
            "quality_report": {"config": {"ablations": False}},
        }
    ),
    description="A new candidate from the serving adapter, with the day's conversations, feedback and knowledge.",
    tags=TRAINS,
)
monitor_day = dg.define_asset_job(
    "monitor_day",
    selection=assets("interactions", "feedback_examples", "drift_report", "kpi_report", "cost_ledger", "findings"),
    description="One day of traffic: interactions, feedback, drift, KPIs, costs and findings.",
    executor_def=dg.in_process_executor,
)
digest_week = dg.define_asset_job(
    "digest_week",
    selection=assets("weekly_digest"),
    description="A week for the product owner: a page and a mail.",
    executor_def=dg.in_process_executor,
)
roll_back = dg.define_asset_job(
    "roll_back",
    selection=assets("deployment"),
    config=dg.RunConfig(ops={"deployment": {"config": {"roll_back": True}}}),
    description="Serve the release before the live one again, or the one that `roll_back_to` names.",
    executor_def=dg.in_process_executor,
)
roll_out = dg.define_asset_job(
    "roll_out",
    selection=assets("deployment"),
    description="The rollout under way goes on as `action` says: advance, withdraw, hold or resume.",
    executor_def=dg.in_process_executor,
)
approve = dg.define_asset_job(
    "approve",
    selection=assets("approval", *ROLLOUT),
    description="A person lets the candidate pass that waits at the gate, with name and reason; it is rolled out.",
    executor_def=dg.in_process_executor,
)
reject = dg.define_asset_job(
    "reject",
    selection=assets("approval"),
    config=dg.RunConfig(ops={"approval": {"config": {"verdict": "rejected"}}}),
    description="A person rejects the candidate at the gate, with name and reason; the incumbent serves on.",
    executor_def=dg.in_process_executor,
)
JOBS = [ingest_day, build_release, retrain, monitor_day, digest_week, roll_back, roll_out, approve, reject]


def day_before(context: dg.ScheduleEvaluationContext) -> str:
    """The day that is over at a tick: the last partition is the day that has just begun."""
    return str((context.scheduled_execution_time - timedelta(days=1)).date())


@dg.schedule(
    job=monitor_day,
    cron_schedule="15 1 * * *",
    execution_timezone="UTC",
    name="monitor_nightly",
    description="Every night, `monitor_day` of the day that is over.",
    default_status=dg.DefaultScheduleStatus.STOPPED,
)
def nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Every night, of the day that is over."""
    day = day_before(context)
    return dg.RunRequest(run_key=day, partition_key=day)


@dg.schedule(
    job=retrain,
    cron_schedule="30 2 * * 1",
    execution_timezone="UTC",
    name="retrain_weekly",
    description="Every Monday, `retrain` whatever drift says: slow changes stay below every threshold.",
    default_status=dg.DefaultScheduleStatus.STOPPED,
)
def weekly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Every Monday, whatever drift says: slow changes stay below every threshold."""
    day = day_before(context)
    return dg.RunRequest(run_key=f"weekly-{day}", partition_key=day, tags={"cause": "weekly"})


@dg.schedule(
    job=digest_week,
    cron_schedule="0 7 * * 1",
    execution_timezone="UTC",
    name="digest_weekly",
    description="Every Monday morning, the page and the mail about the week that is over.",
    default_status=dg.DefaultScheduleStatus.STOPPED,
)
def digest(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Every Monday morning, of the week that is over; nothing is in it of days that were not monitored."""
    monday = str((context.scheduled_execution_time - timedelta(days=7)).date())
    return dg.RunRequest(run_key=f"digest-{monday}", partition_key=monday, tags={"cause": "digest"})


SCHEDULES = [nightly, weekly, digest]
