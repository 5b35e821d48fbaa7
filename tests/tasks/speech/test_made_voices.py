"""Made voices: sound where the library says that words and phonemes are, and clear refusals."""

import subprocess
import sys

import pytest

from tasks.speech.made_voices import Voice, spoken
from zoo.errors import InputError

pytest.importorskip("espeakng_loader")


def test_words_and_phonemes_lie_where_there_is_sound():
    said = spoken("one two seven", Voice("en-us+m3", 120))
    assert [word.name for word in said.words] == ["one", "two", "seven"]
    starts = [unit.start for unit in said.phonemes]
    assert starts == sorted(starts)
    assert 0.9 < len(said.samples_S) / said.rate < 2.5
    assert said.samples_S.abs().max() <= 1
    vowel = next(unit for unit in said.phonemes if "u" in unit.name)
    at = round(vowel.start * said.rate)
    around = said.samples_S[at : at + said.rate // 20].square().mean()
    assert around > 5 * said.samples_S[-said.rate // 20 :].square().mean()


def test_pace_and_voice_change_the_sound():
    slow, fast = (len(spoken("nine eight", Voice("en", pace)).samples_S) for pace in (100, 300))
    assert slow > 1.7 * fast


def test_a_new_process_says_the_same_again():
    code = "from tasks.speech.made_voices import spoken; import hashlib; print(hashlib.md5(spoken('three four').samples_S.numpy().tobytes()).hexdigest())"
    one, two = (subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2))
    assert one == two


def test_refusals():
    with pytest.raises(InputError, match="voice: expected one of eSpeak NG's"):
        spoken("one", Voice("no-such"))
    with pytest.raises(InputError, match="expected text to speak"):
        spoken("  ")
