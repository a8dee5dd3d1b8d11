"""Chat templates of every kind: each grows turn after turn, or is refused.

The templates here behave as those of the models they are named after, and are ours.
"""

import dataclasses
from datetime import datetime
from itertools import pairwise

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from transformers.utils import chat_template_utils  # noqa: E402

from selfplay_kit.games.deal.protocol import STYLES, Line, Position  # noqa: E402
from selfplay_kit.games.deal.rules import SEMI  # noqa: E402
from selfplay_kit.learn import tiny  # noqa: E402
from selfplay_kit.lm import chat  # noqa: E402
from selfplay_kit.lm.chat import DIALOGUES, NO_SYSTEM, WORDS, ChatFormat  # noqa: E402
from selfplay_kit.lm.dialogue import dialogue  # noqa: E402
from selfplay_kit.lm.models import load_model, save_model  # noqa: E402

from .conftest import small_model  # noqa: E402

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
DEFAULT_SYSTEM = (
    "{% if messages[0].role != 'system' %}<|im_start|>system\nYou are helpful."
    "<|im_end|>\n{% endif %}" + CHATML
)
TRIMS = CHATML.replace("m.content", "m.content | trim")
WRITES_BOS = "{{ bos_token }}" + CHATML
ALTERNATE = (
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/...') }}"
    "{% endif %}{% endfor %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0].role == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}" + ALTERNATE + "{% "
    "for m in messages %}<start_of_turn>{{ 'model' if m.role == 'assistant' else "
    "m.role }}\n{{ m.content | trim }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
DROPS_SYSTEM = GEMMA.replace(
    "{{ raise_exception('System role not supported') }}",
    "{% set messages = messages[1:] %}",
)
GEMMA_3 = (
    "{{ bos_token }}{% if messages[0].role == 'system' %}"
    "{% set first = messages[0].content + '\n\n' %}{% set messages = messages[1:] %}"
    "{% else %}{% set first = '' %}{% endif %}" + ALTERNATE + "{% for m in messages %}"
    "<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n"
    "{% if loop.first %}{{ first }}{% endif %}{{ m.content | trim }}<end_of_turn>\n"
    "{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
LLAMA_2 = (
    "{% if messages[0].role == 'system' %}{% set system = messages[0].content %}"
    "{% set messages = messages[1:] %}{% endif %}" + ALTERNATE + "{% for m in "
    "messages %}{% set said = '<<SYS>>\n' + system + '\n<</SYS>>\n\n' + m.content if "
    "loop.first and system is defined else m.content %}{% if m.role == 'user' %}"
    "{{ bos_token + '[INST] ' + said | trim + ' [/INST]' }}{% else %}"
    "{{ ' ' + said | trim + ' ' + eos_token }}{% endif %}{% endfor %}"
)
MISTRAL = (  # the instructions go before the last user's turn
    "{{ bos_token }}{% if messages[0].role == 'system' %}{% set system = "
    "messages[0].content %}{% set messages = messages[1:] %}{% endif %}"
    + ALTERNATE
    + ""
    "{% for m in messages %}{% if m.role == 'user' %}[INST] {% if loop.last and system "
    "is defined %}{{ system + '\n\n' }}{% endif %}{{ m.content }}[/INST]{% else %}"
    "{{ ' ' + m.content + eos_token }}{% endif %}{% endfor %}"
)
LLAMA_3 = (
    "{% if not date_string is defined %}"
    "{% set date_string = strftime_now('%d %b %Y') %}{% endif %}"
    "{{ bos_token }}<|start_header_id|>system<|end_header_id|>\n\nToday "
    "Date: {{ date_string }}\n\n{% if messages[0].role == 'system' %}"
    "{{ messages[0].content | trim }}{% set messages = messages[1:] %}{% endif %}"
    "<|eot_id|>{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>"
    "\n\n{{ m.content | trim }}<|eot_id|>{% endfor %}{% if add_generation_prompt %}"
    "<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
QWEN_3 = (  # earlier thoughts are dropped
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' %}"
    "{{ m.content.split('</think>')[-1].lstrip('\n') }}{% else %}{{ m.content }}"
    "{% endif %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>"
    "assistant\n{% if enable_thinking is defined and enable_thinking is false %}"
    "<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
SMOL_3 = (  # thoughts stay, and there is a date
    "<|im_start|>system\nToday: {{ strftime_now('%d %B %Y') }}\n"
    "{% if not enable_thinking is defined %}{% set enable_thinking = true %}"
    "{% endif %}{{ '/think' if enable_thinking else '/no_think' }}\n"
    "{{ messages[0].content if messages[0].role == 'system' }}<|im_end|>\n"
    "{% for m in messages if m.role != 'system' %}<|im_start|>"
    "{{ m.role }}\n{% if m.role == 'assistant' and not enable_thinking %}<think>\n\n"
    "</think>\n\n{% endif %}{{ m.content }}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant\n{% if not enable_thinking %}"
    "<think>\n\n</think>\n\n{% endif %}"
)
GLM_4_5 = (  # thoughts stay, and a word of the user's switches them off
    "{% for m in messages %}<|{{ m.role }}|>\n{% if m.role == 'assistant' %}"
    "<think></think>\n{{ m.content | trim }}{% else %}{{ m.content }}{% endif %}"
    "{{ '/nothink' if m.role == 'user' and enable_thinking is defined and not "
    "enable_thinking and not m.content.endswith('/nothink') }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{{ '<think></think>' if "
    "enable_thinking is defined and not enable_thinking }}{% endif %}"
)
DEEPSEEK = (  # a reply is opened after a user's turn alone
    "{% if not thinking is defined %}{% set thinking = true %}{% endif %}{% set ns = "
    "namespace(user=false) %}{{ bos_token }}{% for m in messages %}{% if m.role == "
    "'assistant' %}{{ '<|assistant|></think>' if ns.user }}{% endif %}{{ '<|user|>' if "
    "m.role == 'user' }}{{ m.content }}{% if m.role == 'assistant' %}{{ eos_token }}"
    "{% endif %}{% set ns.user = m.role == 'user' %}{% endfor %}{% if ns.user and "
    "add_generation_prompt %}<|assistant|>{{ '<think>' if thinking else '</think>' }}"
    "{% endif %}"
)
ENDS_IN_THE_NEXT_ROLE = (  # GLM 4
    "[gMASK]{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
THINKS_FIRST = CHATML.replace(
    "assistant\n{% endif %}", "assistant\n<think>\n{% endif %}"
)
CHANNELS = CHATML.replace(
    "{{ m.role }}\n",
    "{{ m.role }}{{ '<|channel|>final' if m.role == 'assistant' }}\n",
)
DROPS_THE_FIRST = (
    "{% set messages = messages[:1] + messages[-1:] if messages | length > 2 else "
    "messages %}" + CHATML
)
NO_PROMPT = CHATML.partition("{% if add")[0]
NUMBERED = CHATML.replace("{{ m.role }}", "{{ m.role }} {{ messages | length }}")
BY_CONTENT = CHATML.replace(
    "{{ m.content }}", "{{ m.content.replace('[message]', 'Message:') }}"
)
CAPITALS = CHATML.replace("m.content", "m.content | upper")
TEXT_ENDS = (
    "{% for m in messages %}### {{ m.role }}: {{ m.content }}\n{% endfor %}"
    "### assistant:"
)


@pytest.fixture(scope="module")
def tokenizer_of():
    """A small tokenizer with a template of one's choice."""

    def make(template):
        made = tiny.make_tokenizer()
        special = ["<s>", "</s>", "<|im_end|>", "<end_of_turn>", "<|eot_id|>"]
        special += ["<|user|>", "<|assistant|>", "<|im_start|>"]
        made.add_special_tokens({"additional_special_tokens": special})
        made.bos_token, made.eos_token = "<s>", "</s>"
        made.chat_template = template
        return made

    return make


def clock(*day):
    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(*day, 12)

    return Clock


def system_in_user(roles, texts):
    """The messages of a dialogue whose instructions open the user's first turn."""
    names = {"u": "user", "a": "assistant"}
    said = [{"role": "user", "content": texts[0]}]
    for role, text in zip(roles[1:], texts[1:], strict=False):
        if role == "u" and len(said) == 1:
            said[0]["content"] += "\n\n" + text
        else:
            said.append({"role": names[role], "content": text})
    return said


def with_system(roles, texts):
    names = {"s": "system", "u": "user", "a": "assistant"}
    return [
        {"role": names[r], "content": t} for r, t in zip(roles, texts, strict=False)
    ]


def assembled(pieces, roles, texts):
    """The text of a dialogue by the pieces of a format."""
    text = pieces.before_system + texts[0]
    for i, role in enumerate(roles[1:], 1):
        name = {"su": "system_to_user", "sa": "system_to_assistant"}
        name |= {"ua": "user_to_assistant", "au": "assistant_to_user"}
        text += getattr(pieces, name[roles[i - 1] + role]) + texts[i]
    last = "system_to_assistant" if roles == "s" else "user_to_assistant"
    return text + getattr(pieces, last)


PLAYED = [
    pytest.param(CHATML, True, [], id="chatml"),
    pytest.param(DEFAULT_SYSTEM, True, [], id="a default system turn"),
    pytest.param(TRIMS, True, [], id="trims"),
    pytest.param(WRITES_BOS, True, [], id="writes a bos"),
    pytest.param(ENDS_IN_THE_NEXT_ROLE, True, [], id="ends in the next role"),
    pytest.param(LLAMA_3, True, ["26 July 2024"], id="llama 3"),
    pytest.param(SMOL_3, True, ["26 July 2024", "switched off"], id="smol 3"),
    pytest.param(GEMMA, False, [], id="gemma"),
    pytest.param(GEMMA_3, False, [], id="gemma 3"),
    pytest.param(DROPS_SYSTEM, False, [], id="drops the system turn"),
    pytest.param(MISTRAL, False, [], id="mistral"),
    pytest.param(LLAMA_2, False, [], id="llama 2"),
    pytest.param(GLM_4_5, True, ["switched off"], id="glm 4.5"),
    pytest.param(DEEPSEEK, False, ["switched off"], id="deepseek 3.1"),
    pytest.param(QWEN_3, True, ["switched off", "earlier replies"], id="qwen 3"),
]


@pytest.mark.parametrize("template, system, told", PLAYED)
def test_the_pieces_make_up_what_the_template_renders(
    tokenizer_of, template, system, told, monkeypatch
):
    """Whole dialogues, with whichever seat speaks first. A space that the template
    puts round a reply, and an empty block of thoughts, are compared without."""
    tokenizer = tokenizer_of(template)
    pieces = ChatFormat.of(tokenizer)
    remarks = pieces.remark.split("; ") if pieces.remark else []
    assert (NO_SYSTEM in remarks) == (not system)
    remarks = remarks if system else remarks[1:]
    assert len(remarks) == len(told)
    assert all(t in r for t, r in zip(told, remarks, strict=True))
    messages = with_system if system else system_in_user
    how = {"enable_thinking": False, "thinking": False}
    monkeypatch.setattr(chat_template_utils, "datetime", clock(2024, 7, 26))
    for roles in DIALOGUES:
        whole = tokenizer.apply_chat_template(
            messages(roles, WORDS), tokenize=False, add_generation_prompt=True, **how
        )
        made = assembled(pieces, roles, WORDS)
        for plain in ("<think>\n\n</think>\n\n", " ", "\n"):
            made, whole = made.replace(plain, ""), whole.replace(plain, "")
        assert made == whole
    end = tokenizer.tokenize(pieces.assistant_to_user)[0]
    assert end in tokenizer.all_special_tokens


@pytest.mark.parametrize("template, system, told", PLAYED)
def test_it_is_the_same_game_tomorrow(
    tokenizer_of, template, system, told, monkeypatch
):
    seen = set()
    for day in ((2026, 11, 30), (2031, 1, 1)):
        monkeypatch.setattr(chat_template_utils, "datetime", clock(*day))
        pieces = ChatFormat.of(tokenizer_of(template))
        seen.add((pieces, pieces.digest, str(pieces)))
    assert len(seen) == 1
    assert not any(year in str(seen) for year in ("2026", "2031"))


REFUSED = [
    pytest.param(None, "has no chat template", id="none"),
    pytest.param(THINKS_FIRST, r"models do that think first", id="always thinks"),
    pytest.param(CHANNELS, "choose a channel", id="channels"),
    pytest.param(DROPS_THE_FIRST, "leaves out a turn", id="drops turns"),
    pytest.param(NUMBERED, "don't stay as they were", id="counts the turns"),
    pytest.param(NO_PROMPT, "begins a reply with", id="asks for no reply"),
    pytest.param(BY_CONTENT, "some words otherwise", id="changes words"),
    pytest.param(CAPITALS, "some words otherwise|leaves out", id="capitals"),
    pytest.param(TEXT_ENDS, "ends in ordinary text", id="no token ends a reply"),
    pytest.param("{{ nonsense.x.y }}", "can't render a dialogue", id="fails"),
    pytest.param("{% for %}", "can't render a dialogue", id="no template"),
    pytest.param("hello", "leaves out a turn", id="nothing of the messages"),
    pytest.param(
        "{{ raise_exception('tools are needed') }}", "tools are needed", id="raises"
    ),
]


@pytest.mark.parametrize("template, told", REFUSED)
def test_a_template_that_would_play_otherwise_is_refused(tokenizer_of, template, told):
    with pytest.raises(ValueError, match=told) as e:
        ChatFormat.of(tokenizer_of(template))
    assert "instruct version" in str(e.value) or "ChatML" in str(e.value)


@pytest.mark.parametrize("form", [*chat.DAY, "%A, %-d %B %Y", "%d/%m/%y at %H:%M"])
def test_the_fixed_day_is_written_as_strftime_writes_it(tokenizer_of, form):
    template = f"{{{{ strftime_now('{form}') }}}}"
    made = chat._Template(tokenizer_of(template), system=True).render("s", WORDS)
    assert made == datetime(2024, 7, 26, 12).strftime(form)


@pytest.mark.parametrize("start", ["\n", "  \n", "", " ", "{% set x = 1 %}\n"])
def test_fixing_the_day_changes_nothing_else(tokenizer_of, start, monkeypatch):
    template = start + CHATML + "{{ strftime_now('%Y') }}"
    monkeypatch.setattr(chat_template_utils, "datetime", clock(2024, 7, 26))
    tokenizer = tokenizer_of(template)
    made = chat._Template(tokenizer, system=True).render("suau", WORDS)
    assert made == tokenizer.apply_chat_template(
        with_system("suau", WORDS), tokenize=False, add_generation_prompt=True
    )


@pytest.fixture(scope="module")
def small():
    return small_model()


POSITIONS = [
    (),
    (Line("theirs", "hi !"),),
    (Line("mine", "[message] hi !"), Line("theirs", "no .")),
    (
        Line("theirs", "hi !"),
        Line("tried", "hi"),
        Line("correction", "no_prefix"),
        Line("mine", "[message] ok"),
        Line("proposed", ""),
    ),
]


@pytest.mark.parametrize("template, system, told", PLAYED)
@pytest.mark.parametrize("lines", POSITIONS)
def test_a_row_is_only_extended(small, tokenizer_of, template, system, told, lines):
    """The tokens of each prefix of a dialogue begin those of the whole, each own reply
    is ended by one stop token, and the instructions are read once."""
    lm = dataclasses.replace(small, tokenizer=tokenizer_of(template))
    position = [
        Position(0, 0, (3, 1, 1), (1, 3, 4), SEMI, lines[:n])
        for n in range(len(lines) + 1)
        if n == len(lines) or lines[n].by in ("mine", "tried")
    ]
    turns = [dialogue(lm, p) for p in position]
    for shorter, longer in pairwise(turns):
        assert longer[: len(shorter)] == shorter
    ids = [i for t in turns[-1] for i in t.ids]
    own = [t for t in turns[-1] if t.own]
    assert all(t.ids[-1] == lm.stop and t.ids.count(lm.stop) == 1 for t in own)
    assert (
        lm.tokenizer.convert_ids_to_tokens(lm.stop) in lm.tokenizer.all_special_tokens
    )
    words = lm.encode(STYLES["short"].system(position[-1]))
    starts = [i for i in range(len(ids)) if tuple(ids[i : i + len(words)]) == words]
    assert len(starts) == 1


@pytest.mark.parametrize("template", [CHATML, LLAMA_3, GEMMA, QWEN_3])
def test_of_several_templates_the_default_is_played(tokenizer_of, template):
    several = {"default": template, "tool_use": "{{ raise_exception('tools') }}"}
    one, other = (ChatFormat.of(tokenizer_of(t)) for t in (template, several))
    assert one == other


@pytest.mark.parametrize(
    "template, told",
    [
        (GEMMA, NO_SYSTEM),
        (LLAMA_3, "its date is always 26 July 2024"),
        (THINKS_FIRST, "no chat template to play by: "),
        (None, "has no chat template"),
    ],
)
def test_the_report_says_what_became_of_the_template(
    lm, tokenizer_of, tmp_path, template, told
):
    lm.tokenizer = tokenizer_of(template)
    save_model(lm, tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert told in str(again.report) and told in again.report.as_dict()["chat"]


def test_two_templates_have_two_digests(tokenizer_of):
    formats = [ChatFormat.of(tokenizer_of(p.values[0])) for p in PLAYED]
    same = [f for f in formats if f.digest == formats[0].digest]
    assert len(same) == 3, "ChatML, with a default that isn't used, and trimming"
    assert len({f.digest for f in formats}) == len(formats) - 2 - 2, "Gemma thrice"
