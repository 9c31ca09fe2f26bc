"""`llmops demo`: the main job played, or a month of it."""

import os
from pathlib import Path
from typing import Annotated

import typer

from llmops_assets.cli.options import Agent, Column, DateOrder, Encoding, Form, TimeZone, quiet, reading


def demo(
    data: Annotated[
        Path | None, typer.Option(help="JSONL, CSV or Parquet file of conversations; none: the sample")
    ] = None,
    form: Form = "",
    column: Column = None,
    encoding: Encoding = "",
    time_zone: TimeZone = "",
    date_order: DateOrder = "",
    agent: Agent = None,
    vllm: Annotated[
        Path | None,
        typer.Option(help="the program vllm of a build for CPUs (`make vllm`): it answers in place of llama.cpp"),
    ] = None,
    act: Annotated[
        str, typer.Option(help="month: a month of the sample without anybody at the wheel; none: all four")
    ] = "",
    days: Annotated[int, typer.Option(min=3, help="length of that month, its events in proportion")] = 30,
    questions: Annotated[int, typer.Option(min=60, help="that customers ask on each day of it")] = 120,
    base_model: Annotated[str, typer.Option(help="of that month: name, folder or hub id; none: the sample's")] = "",
) -> None:
    """Play the main job: release, normal days, a new topic, a poisoned candidate."""
    quiet()
    given = reading(column, form, encoding, time_zone, date_order, agent)
    if vllm is not None and not os.access(vllm, os.X_OK):
        raise typer.BadParameter(f"{vllm} is no program: `make vllm` installs one")
    if act not in ("", "month"):
        raise typer.BadParameter(f"{act!r}: write --act month, or leave it out for all four acts")
    if act and data is not None:
        raise typer.BadParameter("the month is the sample's: leave --data out")
    import dagster as dg

    from llmops_assets.commands.demo import Demo, on_cpu
    from resources import home_folder

    if vllm is not None:
        given["vllm"] = on_cpu(vllm)

    if act:
        from llmops_assets.commands import month

        if base_model:
            given["base_model"] = base_model
        month.play(home_folder(), days, questions, given)
        return
    with dg.DagsterInstance.get() as instance:
        Demo(home_folder(), instance, data=data, settings=given).run()
