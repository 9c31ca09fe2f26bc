"""The use case's judge measured against people: what it must pass before any of its votes counts."""

from pathlib import Path

from llmops_assets.evaluation.asking import endpoint_of
from llmops_assets.lib.judging import jury
from llmops_assets.lib.records import Agreed
from resources import home_folder, open_lake
from resources.use_case import UseCaseFiles
from resources.workspace import Workspace


def measure(file: Path) -> tuple[Agreed, str]:
    """How far the judge agrees with the answers of a file, kept in the lake; and why it may not vote, or "".

    JudgeError. Texts must be redacted: they are sent to the judge.
    """
    workspace = Workspace(home_folder())
    case = UseCaseFiles(workspace.settings).read()
    policy = case.judge
    if policy is None:
        raise jury.JudgeError("the use case names no judge: write url and model as `judge` into it")
    examples = jury.read_examples(file)
    agreed = jury.measure(endpoint_of(policy, case).ask, examples, policy)
    lake = open_lake(workspace)
    with lake.transaction("Measure the judge", {"model": policy.model}, name="judge") as draft:
        draft.put(jury.path_of(policy), agreed.model_dump_json().encode())
    return agreed, jury.may_vote(policy, agreed)
