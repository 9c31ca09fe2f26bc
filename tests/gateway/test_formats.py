"""JSON instead of text: what the engine writes fits, what is handed over is refused, what cannot be held to is told."""

import asyncio
import json
from typing import ClassVar

import pytest
from gateway_support import GENERATED, HANDOVER, KNOWN, Files, post, streamed, told, user
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from llmops_assets.gateway.bundle import Bundle
from llmops_assets.gateway.engine import LlamaCppEngine
from llmops_assets.gateway.wishes import Wishes
from llmops_assets.lib.answering import grammar
from llmops_assets.lib.answering.prompting import build_messages
from llmops_assets.lib.records import GenerationSettings

TOPIC = {
    "type": "object",
    "properties": {"topic": {"enum": ["delivery", "returns"]}, "sure": {"type": "boolean"}},
    "required": ["topic", "sure"],
    "additionalProperties": False,
}
SCHEMAS = [
    TOPIC,
    {"type": "object"},
    {"type": "object", "additionalProperties": False},
    {
        "type": "object",
        "properties": {
            'a "quoted" \\ name\n': {"type": ["integer", "null"]},
            "żółć": {"const": 'say "no"\\\n'},
            "few": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 3},
            "none": {"type": "array", "maxItems": 0},
            "one": {"type": "array", "items": {"type": "boolean"}, "maxItems": 1},
            "either": {"anyOf": [{"type": "null"}, {"type": "object", "properties": {"x": {"const": 1.5}}}]},
            "any": {"type": "string", "description": "any text"},
        },
    },
]


def as_schema(schema) -> dict:
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}


# -- grammars -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("schema", SCHEMAS, ids=range(len(SCHEMAS)))
def test_what_an_engine_writes_by_a_grammar_fits_its_schema(tmp_path, tiny_gguf, schema):
    bundle = Bundle(tmp_path, Files(tmp_path).manifest(), tiny_gguf / "tiny.gguf", None, None)
    engine, messages = LlamaCppEngine(bundle, threads=1, slots=1), build_messages("Be brief.", "hello")

    async def ask():
        await engine.start()
        try:
            every = [Wishes(temperature=2.0, seed=seed, grammar=grammar.grammar(schema)) for seed in range(12)]
            return [await engine.generate(messages, GenerationSettings(max_tokens=900), wishes) for wishes in every]
        finally:
            await engine.stop()

    made = [found.text for found in asyncio.run(ask()) if not found.usage.cut]
    assert len(made) >= 6
    for text in made:
        Draft202012Validator(schema).validate(json.loads(text))


VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9)
)
TYPES = st.sampled_from(["string", "number", "integer", "boolean", "null"])
PARTS = st.recursive(
    st.builds(lambda kind: {"type": kind}, TYPES)
    | st.builds(lambda kinds: {"type": kinds}, st.lists(TYPES, min_size=1, max_size=3))
    | st.builds(lambda value: {"const": value}, VALUES)
    | st.builds(lambda values: {"enum": values}, st.lists(VALUES, min_size=1, max_size=4)),
    lambda inner: (
        st.builds(lambda items, most: {"type": "array", "items": items, "maxItems": most}, inner, st.integers(0, 16))
        | st.builds(lambda parts: {"anyOf": parts}, st.lists(inner, min_size=1, max_size=3))
        | st.builds(lambda parts: {"type": "object", "properties": parts}, st.dictionaries(st.text(max_size=9), inner))
    ),
    max_leaves=6,
)


@pytest.mark.slow
def test_no_schema_that_is_taken_fails_in_the_engine(tmp_path, tiny_gguf):
    bundle = Bundle(tmp_path, Files(tmp_path).manifest(), tiny_gguf / "tiny.gguf", None, None)
    engine, messages = LlamaCppEngine(bundle, threads=1, slots=1), build_messages("Be brief.", "hello")
    with asyncio.Runner() as runner:
        runner.run(engine.start())

        @settings(max_examples=60, deadline=None)
        @given(st.dictionaries(st.text(max_size=12), PARTS, max_size=4))
        def ask(properties):
            try:
                held = grammar.grammar({"type": "object", "properties": properties})
            except grammar.SchemaError:
                return
            made = runner.run(engine.generate(messages, GenerationSettings(max_tokens=40), Wishes(grammar=held)))
            if not made.usage.cut:
                json.loads(made.text)

        try:
            ask()
        finally:
            runner.run(engine.stop())


def deep(levels: int) -> dict:
    schema: dict = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"x": schema}}
    return schema


def wide(parts: int) -> dict:
    return {"type": "object", "properties": {f"p{n}": {"type": "null"} for n in range(parts)}}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({}, "its type must be object"),
        ({"type": "string"}, "its type must be object"),
        ({"type": "object", "properties": {"x": {"type": "string", "pattern": "(a+)+$"}}}, "schema.x: pattern is not"),
        ({"type": "object", "properties": {"x": {"$ref": "#"}}}, "schema.x: $ref is not taken"),
        ({"type": "object", "properties": {"x": {"type": "date"}}}, "schema.x: type must be one of"),
        ({"type": "object", "properties": {"x": {}}}, "schema.x: type must be one of"),
        ({"type": "object", "properties": {"x": {"type": []}}}, "schema.x: type must be one of"),
        ({"type": "object", "properties": {"x": {"type": [["string"]]}}}, "schema.x: type must be one of"),
        ({"type": "object", "properties": {"x": 5}}, "schema.x: it must be an object"),
        ({"type": "object", "properties": [1]}, "properties must be an object"),
        ({"type": "object", "required": ["x"]}, "required must list names"),
        ({"type": "object", "properties": {"x": {"enum": []}}}, "enum must list 1 to"),
        ({"type": "object", "properties": {"x": {"anyOf": [{"type": "null"}] * 51}}}, "anyOf must list 1 to"),
        ({"type": "object", "properties": {"x": {"const": {"y": 1}}}}, "fixed values"),
        ({"type": "object", "properties": {"x": {"const": "y" * 200}}}, "fixed values"),
        ({"type": "object", "properties": {"x" * 200: {"type": "null"}}}, "fixed values"),
        ({"type": "object", "properties": {"x": {"type": "array", "maxItems": 10**9}}}, "minItems and maxItems"),
        ({"type": "object", "properties": {"x": {"type": "array", "minItems": 3, "maxItems": 2}}}, "minItems and"),
        ({"type": "object", "properties": {"x": {"type": "array", "minItems": True}}}, "minItems and maxItems"),
        (deep(6), "at most 6 deep"),
        (wide(100), "at most 100 parts"),
    ],
)
def test_a_schema_that_is_not_taken_is_refused_with_the_part(one, schema, message):
    with pytest.raises(grammar.SchemaError) as refused:
        grammar.grammar(schema)
    assert message in str(refused.value)
    error = told(post(one, messages=user(GENERATED), response_format=as_schema(schema)))
    assert (error["code"], error["param"]) == ("invalid_schema", "response_format.json_schema")
    assert message in error["message"]
    assert len(error["message"]) < 400


def test_the_largest_schemas_are_taken():
    assert grammar.grammar(deep(5))
    assert grammar.grammar(wide(99))


# -- answers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "held"),
    [(as_schema(TOPIC), grammar.grammar(TOPIC)), ({"type": "json_object"}, grammar.any_object())],
    ids=["schema", "object"],
)
@pytest.mark.parametrize("question", [KNOWN, GENERATED])
def test_json_is_generated_even_where_an_article_is_known(one, form, held, question):
    one.engines[0].answer = '{"topic":"delivery","sure":true}'
    body = post(one, messages=user(question), response_format=form).json()
    assert body["choices"][0]["message"] == {"role": "assistant", "content": one.engines[0].answer, "refusal": None}
    assert (body["llmops"]["path"], body["llmops"]["ignored"]) == ("generated", [])
    assert [wishes.grammar for wishes in one.engines[0].wished] == [held]
    assert "delivery" in [cited["article"] for cited in body["llmops"]["citations"]]


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("zzz qqq", ""),
        (GENERATED, '{"topic":"ask anna@mail.example"}'),
        (GENERATED, '{"topic":"<b>"unclosed"}'),
        (GENERATED, "no JSON at all"),
    ],
    ids=["handed over", "personal data", "broken by a guard", "text"],
)
def test_a_handover_is_a_refusal_and_no_json(one, question, answer, streaming):
    one.engines[0].answer = answer
    response = post(one, messages=user(question), response_format=as_schema(TOPIC), stream=streaming)
    if streaming:
        got = streamed(response.text)
        refusal = "".join(c["choices"][0]["delta"].get("refusal", "") for c in got.chunks)
        assert (got.text, refusal, got.done) == ("", HANDOVER, True)
        assert got.chunks[-1]["choices"][0]["finish_reason"] == "stop"
    else:
        message = response.json()["choices"][0]["message"]
        assert message == {"role": "assistant", "content": None, "refusal": HANDOVER}
    (row,) = one.rows()
    assert (row["answer"], row["path"]) == (HANDOVER, "handover")


@pytest.mark.slow
def test_json_that_a_limit_cut_says_so(one):
    one.engines[0].answer = '{"topic":"delivery","sure":true}'
    choice = post(one, messages=user(GENERATED), response_format={"type": "json_object"}, max_tokens=3).json()[
        "choices"
    ]
    assert (choice[0]["message"]["content"], choice[0]["finish_reason"]) == ('{"topic":', "length")


@pytest.mark.parametrize(
    "form", [{"type": "xml"}, {"type": "json_schema"}, {}, "json_object", {"type": "text", "x": 1}]
)
def test_a_form_that_there_is_not_is_refused(one, form):
    assert told(post(one, messages=user(KNOWN), response_format=form))["param"].startswith("response_format")


class TestResponses:
    PATH: ClassVar = "/v1/responses"
    FORM: ClassVar = {"format": {"type": "json_schema", "name": "x", "schema": TOPIC}}

    def events(self, response) -> list[dict]:
        return [json.loads(e.split("\n")[1].removeprefix("data: ")) for e in response.text.split("\n\n") if e]

    def test_json_is_the_output(self, one):
        one.engines[0].answer = '{"topic":"delivery","sure":true}'
        body = post(one, self.PATH, input=KNOWN, text=self.FORM).json()
        assert body["output"][0]["content"][0]["text"] == one.engines[0].answer

    def test_a_handover_is_a_refusal(self, one):
        body = post(one, self.PATH, input="zzz qqq", text=self.FORM).json()
        assert body["output"][0]["content"] == [{"type": "refusal", "refusal": HANDOVER}]
        events = self.events(post(one, self.PATH, input="zzz qqq", text=self.FORM, stream=True))
        kinds = [event["type"] for event in events]
        assert "response.refusal.done" in kinds
        assert not any("output_text" in kind for kind in kinds)
        assert "".join(event.get("delta", "") for event in events) == HANDOVER
        parts = [event["part"] for event in events if "part" in event]
        assert parts == [{"type": "refusal", "refusal": ""}, {"type": "refusal", "refusal": HANDOVER}]
