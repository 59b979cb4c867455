"""Token counts as OpenAI reports them: cached tokens are a part of the input, reasoning is a part of the output."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

# The cache reads in steps of so many tokens. Source: OpenAI guide, "Prompt caching".
_CACHE_STEP_TOKENS = 128


@dataclass(frozen=True)
class OpenAIUsage:
    """Counts of one answer; ``input`` holds ``cached`` and ``output`` holds ``reasoning``."""

    input: int
    cached: int
    output: int
    reasoning: int

    @classmethod
    def of(cls, usage: Mapping[str, Any]) -> Self:
        """Return what a message's usage comes to. What was written to the cache is input like any other."""
        read = usage["cache_read_input_tokens"]
        return cls(
            input=usage["input_tokens"] + read + usage["cache_creation_input_tokens"],
            cached=read - read % _CACHE_STEP_TOKENS,
            output=usage["output_tokens"],
            reasoning=usage["output_tokens_details"]["thinking_tokens"],
        )

    def as_chat(self) -> dict[str, Any]:
        """Return the counts by the names of chat completions."""
        return {
            "prompt_tokens": self.input,
            "completion_tokens": self.output,
            "total_tokens": self.input + self.output,
            "prompt_tokens_details": {"cached_tokens": self.cached, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": self.reasoning,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }

    def as_responses(self) -> dict[str, Any]:
        """Return the counts by the names of responses."""
        return {
            "input_tokens": self.input,
            "input_tokens_details": {"cached_tokens": self.cached},
            "output_tokens": self.output,
            "output_tokens_details": {"reasoning_tokens": self.reasoning},
            "total_tokens": self.input + self.output,
        }
