"""What becomes of each field that OpenAI's clients can send: it is used, refused by its name, or left out by rule.

The rules are told in docs/compatibility.md. Every field that the ``openai`` package knows stands in one of the three;
a test walks the package's types, so that a field it learns has to be decided on.
"""

from collections.abc import Collection
from typing import Any

import msgspec

from router.dialects.fields import Fields


class Refusal(msgspec.Struct, frozen=True):
    """A field that cannot be had: ``complaint`` says why, ``harmless`` are the values that ask for nothing."""

    name: str
    complaint: str
    harmless: tuple[Any, ...] = ()


class Fates(msgspec.Struct, frozen=True):
    """The fields of one kind of object. What is in none of the three is not known here, and left out too."""

    used: frozenset[str]
    refused: tuple[Refusal, ...] = ()
    left_out: frozenset[str] = frozenset()

    def refuse(self, fields: Fields) -> None:
        """Raise RequestRefused for the first field that asks for what cannot be had."""
        values = fields.values
        for refusal in self.refused:
            value = values.get(refusal.name)
            if value is not None and value not in refusal.harmless:
                raise fields.refuse(refusal.name, refusal.complaint)

    def left_out_of(self, fields: Fields, unused: Collection[str] = ()) -> list[str]:
        """Return the names of the fields that have no effect on the answer, in their order.

        ``unused`` are some that the model at hand has no use for.
        """
        used = self.used.difference(unused)
        return [name for name, value in fields.values.items() if value is not None and name not in used]


def names(listed: str) -> frozenset[str]:
    """Return the set of names in a text."""
    return frozenset(listed.split())


NOT_FROM_CLAUDE = "cannot be had from Claude."
# The fields that steer the gateway; docs/wire.md, sections 3 and 4.
_STEERING = "identity thread name tags fallbacks fallback_on_codes retry timeout load_balancer integration_id orq"
# Told to Claude in other words than OpenAI's.
_CLAUDES = "cache_control thinking"

GATEWAY_FIELDS = names(f"{_STEERING} thinking cache")
"""The body's own fields of the gateway, which an OpenAI-compatible upstream must not see.

``cache`` (Orq's cache of whole answers) has no effect here. ``metadata`` and ``user`` are OpenAI's own and stay, and so
does ``cache_control``, which servers that offer Claude heed.
"""

_BODY = f"model stream metadata temperature top_p top_k stop_sequences tools tool_choice parallel_tool_calls user \
    safety_identifier {_STEERING} {_CLAUDES}"
_BODY_LEFT_OUT = """
    frequency_penalty presence_penalty seed logit_bias service_tier store verbosity prompt_cache_key
    prompt_cache_retention prompt_cache_options cache speed
"""
_BODY_REFUSED = (
    Refusal("top_logprobs", NOT_FROM_CLAUDE, (0,)),
    Refusal("modalities", "can only be text.", (["text"],)),
    Refusal("moderation", "is not offered here: nothing would be moderated."),
    Refusal("guardrails", "are not offered here: nothing would be guarded.", ([],)),
    Refusal("plugins", "are not offered here.", ([],)),
    Refusal("variables", "are not filled in here; send the finished text.", ({},)),
)

# --- chat ---

CHAT_BODY = Fates(
    names(f"{_BODY} messages max_tokens max_completion_tokens stop stream_options response_format reasoning_effort"),
    (
        *_BODY_REFUSED,
        Refusal("n", "must be 1: Claude gives one answer per request.", (1,)),
        Refusal("logprobs", NOT_FROM_CLAUDE, (False,)),
        Refusal("audio", NOT_FROM_CLAUDE),
        Refusal("functions", "is the old form; send the functions as tools."),
        Refusal("function_call", "is the old form; send it as tool_choice."),
        Refusal("web_search_options", "is not offered here."),
    ),
    names(f"{_BODY_LEFT_OUT} prediction"),
)
_MESSAGE = "role content cache_control"
CHAT_MESSAGE = Fates(names(_MESSAGE), left_out=names("name"))
CHAT_ASSISTANT = Fates(
    names(f"{_MESSAGE} refusal tool_calls reasoning reasoning_signature redacted_reasoning reasoning_parts"),
    (
        Refusal("audio", "cannot be sent back: Claude neither speaks nor listens."),
        Refusal("function_call", "is the old form; send it as tool_calls."),
    ),
    names("name annotations citations provider_blocks"),
)
CHAT_TOOL_MESSAGE = Fates(names(f"{_MESSAGE} tool_call_id is_error"), left_out=names("name"))
CHAT_TEXT = Fates(names("type text cache_control"), left_out=names("prompt_cache_breakpoint"))
CHAT_REFUSAL = Fates(names("type refusal cache_control"))
CHAT_IMAGE_PART = Fates(names("type image_url cache_control"), left_out=names("prompt_cache_breakpoint"))
CHAT_IMAGE = Fates(names("url"), left_out=names("detail"))
CHAT_DOCUMENT_PART = Fates(names("type document citations cache_control"))
CHAT_DOCUMENT = Fates(names("type url filename"))
CHAT_FILE_PART = Fates(names("type file citations cache_control"), left_out=names("prompt_cache_breakpoint"))
_NO_FILES = Refusal("file_id", "cannot be used: no files are stored here. Send the data or a URL.")
CHAT_FILE = Fates(names("file_data uri filename mimeType mime_type"), (_NO_FILES,))
CHAT_TOOL_CALL = Fates(names("id type function cache_control"))
CHAT_FUNCTION_CALL = Fates(names("name arguments"))
CHAT_TOOL = Fates(names("type function cache_control"))
CHAT_FUNCTION = Fates(names("name description parameters strict cache_control"))
CHAT_TOOL_CHOICE = Fates(names("type function allowed_tools"))
CHAT_ALLOWED_TOOLS = Fates(names("mode tools"))
CHAT_FORMAT = Fates(names("type json_schema"))
CHAT_SCHEMA = Fates(names("schema"), left_out=names("name description strict"))
CHAT_STREAM_OPTIONS = Fates(names("include_usage"), left_out=names("include_obfuscation"))

# --- responses ---

_NOT_STORED = "responses are not stored here."
NOT_STORED_HERE = Fates(
    frozenset(),
    (
        Refusal("previous_response_id", f"cannot be used: {_NOT_STORED} Send the conversation as input."),
        Refusal("conversation", f"cannot be used: {_NOT_STORED} Send the conversation as input."),
        Refusal("background", f"must be false: {_NOT_STORED}", (False,)),
    ),
)
RESPONSES_BODY = Fates(
    names(f"{_BODY} input instructions max_output_tokens stop text reasoning"),
    (
        *_BODY_REFUSED,
        *NOT_STORED_HERE.refused,
        Refusal("prompt", "cannot be used: there are no stored prompts here."),
        Refusal("context_management", "is not offered here: the input is sent as it is.", ([],)),
        Refusal("memory", "is not offered here."),
        Refusal("security", "is not offered here: nothing would be secured."),
        Refusal("limits", "is not offered here: nothing would be limited."),
    ),
    names(f"""{_BODY_LEFT_OUT} include truncation max_tool_calls stream_options access_programs background_options image
        template_engine"""),
)
RESPONSES_MESSAGE = Fates(names(f"type {_MESSAGE}"), left_out=names("id status phase"))
RESPONSES_CALL = Fates(
    names("type call_id name arguments cache_control"), left_out=names("id status async caller namespace")
)
RESPONSES_CALL_OUTPUT = Fates(
    names("type call_id output is_error cache_control"), left_out=names("id status name caller namespace")
)
RESPONSES_REASONING_ITEM = Fates(names("type summary encrypted_content"), left_out=names("id status content"))
RESPONSES_SUMMARY = Fates(names("type text"))
RESPONSES_TEXT = Fates(names("type text cache_control"), left_out=names("annotations logprobs prompt_cache_breakpoint"))
RESPONSES_REFUSAL = Fates(names("type refusal cache_control"))
RESPONSES_IMAGE = Fates(names("type image_url cache_control"), (_NO_FILES,), names("detail prompt_cache_breakpoint"))
RESPONSES_FILE = Fates(
    names("type file_data file_url filename citations cache_control"),
    (_NO_FILES,),
    names("detail prompt_cache_breakpoint"),
)
RESPONSES_TOOL = Fates(
    names("type name description parameters strict cache_control"),
    (
        Refusal("async", "must be false: Claude waits for its tools.", (False,)),
        Refusal("allowed_callers", "can only be direct: programs do not run here.", (["direct"],)),
    ),
    names("defer_loading output_schema"),
)
RESPONSES_TOOL_CHOICE = Fates(names("type name mode tools"))
RESPONSES_REASONING = Fates(
    names("effort summary generate_summary"),
    (Refusal("mode", "can only be standard.", ("standard",)),),
    names("context"),
)
RESPONSES_TEXT_OPTIONS = Fates(names("format"), left_out=names("verbosity"))
RESPONSES_FORMAT = Fates(names("type schema"), left_out=names("name description strict"))
RESPONSES_CACHE_OPTIONS = Fates(
    frozenset(),
    (Refusal("prewarm", "must be false: Claude gives an answer to every request.", (False,)),),
    names("mode ttl comparison_response_id"),
)
RESPONSES_STREAM_OPTIONS = Fates(frozenset(), left_out=names("include_obfuscation"))
# What ``include`` may not ask for; the rest of its values are about tools that are refused, or come anyway.
UNAVAILABLE_INCLUDES = names("message.output_text.logprobs")
