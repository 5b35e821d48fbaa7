"""`zoo predict RUN FILE...`: windows lose and repeat nothing, times are the file's, bad files are one line each."""

import json
import math

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from tasks.speech.alphabet import Alphabet
from tasks.speech.answers import answer, heard
from tasks.speech.audio_windows import LONGEST, checked_seconds, quietest, windows
from tasks.speech.data import SpeechData
from tasks.speech.features import Features
from tasks.speech.networks import BiLSTM, Causal
from tasks.speech.task import CTCRecognition
from zoo.cli.main import main
from zoo.errors import InputError

RATE = 8000
HERTZ = {"a": 600, "b": 1300, "c": 2600}


class Silent(SpeechData):
    """What a checkpoint gives back: an alphabet and features, no utterances."""

    def __init__(self, **kwargs):
        super().__init__(features=Features(rate=RATE, bands=20, normalise=False), **kwargs)
        self._alphabet = Alphabet.of(["abc ab"])

    def load(self):
        raise AssertionError("the set is not needed to hear a file")


class Bands(nn.Module):
    """Hears a tone by the loudest band; silence is the blank, the space a tone too."""

    def __init__(self):
        super().__init__()
        self.bands = {}

    def forward(self, features_BTD, frames_B):
        loud_BT = features_BTD.amax(-1) > -2
        hertz = torch.tensor([300.0, *HERTZ.values()])
        logits = torch.full((*features_BTD.shape[:2], 5), -9.0)
        which = self.nearest(hertz)[features_BTD.argmax(-1)]
        logits.scatter_(-1, torch.where(loud_BT, which + 1, 0)[..., None], 9.0)
        return logits, frames_B

    def nearest(self, hertz):
        centres = torch.linspace(0, 2595 * math.log10(1 + 4000 / 700), 22)[1:-1]
        return (700 * (10 ** (centres / 2595) - 1))[:, None].sub(hertz).abs().argmin(1)


def tone(letter, rate=RATE, seconds=0.1):
    at = np.arange(int(seconds * rate)) / rate
    return 0.4 * np.sin(2 * math.pi * {" ": 300, **HERTZ}[letter] * at)


def sound(text, rate=RATE, pause=0.1):
    return np.concatenate([part for letter in text for part in (np.zeros(int(pause * rate)), tone(letter, rate))])


def test_the_quietest_place_is_found_behind_the_shortest_window():
    samples = torch.ones(12 * 100)
    samples[100:150] = 0
    samples[600:625] = 0.1
    assert 602 <= quietest(samples, 100) <= 622


@pytest.mark.parametrize("rate", [8000, 11025, 44100])
def test_windows_lose_no_letter_and_repeat_none(tmp_path, rate):
    text = "".join("abc "[i] for i in np.random.default_rng(0).integers(0, 4, 160)).strip()
    soundfile.write(tmp_path / "long.wav", sound(text, rate), rate)
    assert len(text) * 0.2 > 2 * LONGEST
    assert all(len(window.audio.samples_S) <= LONGEST * RATE for window in windows(tmp_path / "long.wav", RATE))
    found = heard(Bands(), Silent(), tmp_path / "long.wav", 0.0)
    assert "".join(letter.text for letter in found.letters) == text
    assert found.text == " ".join(text.split())
    for n, letter in enumerate(found.letters):
        assert letter.start == pytest.approx(0.2 * n + 0.1, abs=0.03)
        assert letter.end == pytest.approx(0.2 * n + 0.2, abs=0.03)
    assert all(word.confidence > 0.99 for word in found.words)


def test_windows_of_silence_are_left_out(tmp_path):
    samples = np.concatenate([sound("a"), np.zeros(60 * RATE), sound("b")])
    soundfile.write(tmp_path / "a.wav", samples, RATE)
    some = list(windows(tmp_path / "a.wav", RATE))
    assert len(some) < 5
    found = heard(Bands(), Silent(), tmp_path / "a.wav", 0.0)
    assert [(letter.text, round(letter.start, 1)) for letter in found.letters] == [("a", 0.1), ("b", 60.3)]


def test_stereo_and_every_format_are_heard(tmp_path):
    samples = sound("ab c")
    for name in ("a.wav", "a.flac", "a.ogg", "a.mp3"):
        soundfile.write(tmp_path / name, np.stack([samples, samples], 1), RATE)
        assert checked_seconds(tmp_path / name) == pytest.approx(0.8, abs=0.2)
        assert heard(Bands(), Silent(), tmp_path / name, 0.0).text == "ab c"


def test_answers_on_the_terminal_and_in_a_file(tmp_path, capsys):
    files = [tmp_path / "one.wav", tmp_path / "two.flac"]
    for file, text in zip(files, ("ab", "c a"), strict=True):
        soundfile.write(file, sound(text), RATE)
    answer(Bands(), Silent(), {"files": files})
    said = capsys.readouterr().out.splitlines()
    assert said[1] == "ab" and said[2].split() == ["0.10", "0.41", "100%", "ab"]
    answer(Bands(), Silent(), {"files": files, "output": str(tmp_path / "out.jsonl")})
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["text"] for row in rows] == ["ab", "c a"]
    assert rows[1]["words"][1]["text"] == "a" and rows[1]["letters"][2]["start"] == pytest.approx(0.5, abs=0.03)


def test_streamed_words_are_those_of_the_whole_file(tmp_path, capsys):
    torch.manual_seed(0)
    data, net = Silent(), Causal(20, 5, 16, (1, 2), lookahead=3).eval()
    with torch.no_grad():
        net.output.weight.mul_(30)
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).normal(size=40_000) / 9, 16_000)
    whole = heard(net, data, tmp_path / "a.wav", 0.0)
    assert whole.text.count(" ") > 2
    answer(net, data, {"files": [tmp_path / "a.wav"], "stream": True})
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.split()[3] for line in lines] == [word.text for word in whole.words]
    assert [float(line.split()[0]) for line in lines] == pytest.approx([w.start for w in whole.words], abs=0.011)


def bad_files(folder):
    """File -> what is said about it."""
    soundfile.write(folder / "whole.wav", sound("abc" * 30), RATE)
    whole = (folder / "whole.wav").read_bytes()
    (folder / "text.wav").write_text("not a sound")
    (folder / "cut.wav").write_bytes(whole[:9000])
    (folder / "rate.wav").write_bytes(whole[:24] + bytes(4) + whole[28:])
    (folder / "none.wav").write_bytes(b"")
    soundfile.write(folder / "empty.wav", np.zeros(0), RATE)
    soundfile.write(folder / "silent.wav", np.zeros(9000), RATE)
    soundfile.write(folder / "clipped.wav", np.sign(sound("abc")), RATE)
    soundfile.write(folder / "nan.wav", np.full(900, np.nan), RATE, subtype="FLOAT")
    return {
        "text.wav": "expected a wav, flac, ogg or mp3 file",
        "cut.wav": "it is cut off",
        "rate.wav": "got a sample rate of 0",
        "none.wav": "expected a wav, flac, ogg or mp3 file",
        "empty.wav": "got 0 samples",
        "silent.wav": "silence throughout",
        "clipped.wav": "it is clipped",
        "nan.wav": "got NaN or infinity",
        "missing.wav": "no such file",
        ".": "got a folder",
    }


def test_bad_files_are_one_line_each_and_nothing_is_written(tmp_path, capsys):
    good = tmp_path / "whole.wav"
    for name, said in bad_files(tmp_path).items():
        for options in ({"output": str(tmp_path / "out.jsonl")}, {}):
            with pytest.raises(InputError, match=said) as error:
                answer(Bands(), Silent(), {"files": [good, tmp_path / name], **options})
            assert str(tmp_path / name) in str(error.value) and "\n" not in str(error.value)
    assert capsys.readouterr().out == "" and not list(tmp_path.glob("*.jsonl"))


def test_options_that_do_not_fit(tmp_path, capsys):
    soundfile.write(tmp_path / "a.wav", sound("a"), RATE)
    files = {"files": [tmp_path / "a.wav"]}
    for options, said in (
        ({"stream": True}, "--stream: expected sound files"),
        (files | {"stream": True, "output": "x.jsonl"}, "--stream: expected words on the terminal"),
        (files | {"output": "x.txt"}, r"--output: expected a file named \.jsonl"),
        (files | {"stream": True}, "expected a one-directional net such as Causal, got BiLSTM"),
        (files | {"output": str(tmp_path / "no" / "x.jsonl")}, "expected to write"),
    ):
        with pytest.raises(InputError, match=said):
            answer(BiLSTM(20, 5, 4), Silent(), options)
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_the_command(tmp_path, monkeypatch, capsys):
    """From a checkpoint alone: flags, several files, exit codes."""
    monkeypatch.chdir(tmp_path)
    net = "{class_path: tasks.speech.networks.Causal, init_args: {features: 20, labels: 11, channels: 8}}"
    data = "{train_size: 4, validation_size: 1, test_size: 1, features: {rate: 8000, bands: 20, normalise: false}}"
    (tmp_path / "r.yaml").write_text(
        f"trainer: {{max_steps: 1, threads: 1}}\nmodel: {{class_path: {CTCRecognition.__module__}.CTCRecognition, init_args: "
        f"{{net: {net}, optimizer: {{class_path: torch.optim.SGD, init_args: {{lr: 0.1}}}}}}}}\n"
        f"data: {{class_path: tasks.speech.data.made.MadeSpeech, init_args: {data[:-1]}, units: words, batch_size: 4}}}}\n"
    )
    assert main(["fit", "r.yaml"]) == 0
    run = next((tmp_path / "runs").rglob("config.yaml")).parent
    soundfile.write("a.wav", sound("ab"), RATE)
    soundfile.write("b.wav", sound("c"), 16_000)
    capsys.readouterr()
    assert main(["predict", str(run), "a.wav", "b.wav", "--output", "out.jsonl"]) == 0
    assert [json.loads(line)["file"] for line in (tmp_path / "out.jsonl").read_text().splitlines()] == [
        "a.wav",
        "b.wav",
    ]
    assert main(["predict", str(run), "a.wav", "--stream"]) == 0
    assert main(["predict", str(run), "a.wav"]) == 0
    assert main(["predict", str(run)]) == 0
    assert torch.load(run / "predictions.pt")["frames"].sum() == len(torch.load(run / "predictions.pt")["log_probs"])
    capsys.readouterr()
    assert main(["predict", str(run), "no.wav"]) == 2
    assert main(["predict", str(run), "a.wav", "--stream", "--output", "x.jsonl"]) == 2
    assert main(["predict", str(run), "--stream"]) == 2
    assert capsys.readouterr().err.count("\n") == 3
