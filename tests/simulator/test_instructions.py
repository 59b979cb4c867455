"""What a caller may ask of the simulator, and where that ends."""

import pytest

from simulator.instructions import read_instructions, without_directives


def test_directives_are_read_and_taken_out() -> None:
    text = "Hello [[simulate: output_tokens=12 stop=refusal]]there [[simulate redacted]]"

    asked = read_instructions(header="", text=text, key_words="")

    assert (asked.output_tokens, asked.stop_reason, asked.is_redacted) == (12, "refusal", True)
    assert without_directives(text) == "Hello there "


@pytest.mark.parametrize(("name", "most"), [("searches", 64), ("pings", 1_000)])
def test_nobody_fills_the_memory_by_a_number(name: str, most: int) -> None:
    asked = read_instructions(header=f"{name}=999999999", text="", key_words="")

    assert getattr(asked, name) == most


@pytest.mark.parametrize("text", ["[[simulate" + " " * 200_000, "[[simulate " * 20_000, "[[call a {" * 50_000])
def test_what_only_begins_like_a_directive_stays(text: str) -> None:
    assert without_directives(text) == text


def test_a_call_is_read_whatever_lists_it_holds_and_half_a_one_before_it_is_text() -> None:
    text = 'Do [[call: Half {"a": 1 [[call: Read {"lists": [[1], [2]]} ]] now'

    [call] = read_instructions(header="", text=text, key_words="").calls

    assert (call.tool, call.input) == ("Read", {"lists": [[1], [2]]})
    assert without_directives(text) == 'Do [[call: Half {"a": 1  now'
