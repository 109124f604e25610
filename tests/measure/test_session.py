import json
import math

import numpy as np
import pandas as pd
import pytest

from ktnas.errors import UserError
from ktnas.measure.files import RowFile, alone, file_name
from ktnas.measure.measuring import draw
from ktnas.measure.session import COLUMNS, Plan, Session
from ktnas.task.outcome import Outcome
from tests.measure.small import small_space

SPACE = small_space()
TEXTS = SPACE.format(draw(SPACE, 7, seed=1))
REFERENCE = SPACE.format(draw(SPACE, 1, seed=2))[0]
SETTINGS = {"space": "nasbench201", "runner": {"name": "torch", "threads": 1}}
MACHINE = {"cpu": "Z80", "memory_gib": 1}


class Scripted:
    """Stands for the task that times networks: says what a function says, and remembers what was asked."""

    space = SPACE

    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    def evaluate(self, genotypes):
        (text,) = SPACE.format(genotypes)
        self.asked.append("reference" if text == REFERENCE else TEXTS.index(text))
        answer = self.answer(self.asked[-1], self.asked.count("reference"))
        if isinstance(answer, str):
            return [Outcome("timeout" if "longer" in answer else "failed", message=answer)]
        figures = {"latency_ms": answer, "low_ms": answer, "high_ms": math.nan, "spread_ms": 0, "repeats": 9}
        return [Outcome("ok", figures)]


def steady(asked, references):
    return 10.0 if asked == "reference" else 1.0 + asked


def go(directory, answer=steady, texts=TEXTS, settings=SETTINGS, machine=MACHINE, said=None, **plan):
    timed = Scripted(answer)
    session = Session(
        directory / "board.csv",
        directory / "board.json",
        timed,
        Plan(**({"every": 3, "looks": 1} | plan)),
        (lambda _: None) if said is None else said.append,
    )
    session.open(settings, machine, lambda: REFERENCE)
    told = []
    session.measure_missing(texts, lambda done, total: told.append((done, total)))
    return session.close(), timed.asked, told


def test_reference_is_measured_first_in_between_and_last(tmp_path):
    measured, asked, told = go(tmp_path)
    assert asked == ["reference", 0, 1, 2, "reference", 3, 4, 5, "reference", 6, "reference"]
    assert told == [(done, 7) for done in range(1, 8)]
    assert measured.drift == 0
    assert measured.again == measured.suspect == ()
    table = pd.read_csv(measured.csv)
    assert tuple(table) == COLUMNS
    assert table["arch"].tolist() == TEXTS
    assert table["latency_ms"].tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert table["high_ms"].isna().all()
    assert table["block"].tolist() == [0, 0, 0, 1, 1, 1, 2]
    assert (table["reference"] == 1).all()
    description = json.loads(measured.json.read_text())
    assert description["settings"] == SETTINGS
    assert description["machine"] == MACHINE
    assert description["reference"] == {"arch": REFERENCE, "latency_ms": [10.0] * 4}
    assert description["started"] <= description["finished"]


def test_only_what_is_missing_is_measured(tmp_path):
    go(tmp_path, texts=TEXTS[:4])
    measured, asked, _ = go(tmp_path)
    assert asked == ["reference", 4, 5, 6, "reference"]
    assert list(measured.rows) == TEXTS
    assert go(tmp_path)[1] == []


def test_looks_go_in_turns_and_the_fastest_counts(tmp_path):
    looks = []

    def restless(asked, references):
        looks.append(asked)
        return 10.0 if asked == "reference" else 1.0 + asked + (looks.count(asked) + asked) % 3

    measured, asked, told = go(tmp_path, restless, looks=3)
    turn = [0, 1, 2, "reference", 3, 4, 5, "reference", 6, "reference"]
    assert asked == ["reference", *turn * 3]
    assert told == [(done, 21) for done in range(1, 22)]
    table = pd.read_csv(measured.csv)
    assert table["arch"].tolist() == TEXTS
    assert table["latency_ms"].tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert (table["looks"] == 3).all()
    assert measured.again == measured.suspect == ()
    assert go(tmp_path, looks=3)[1] == []
    assert len(go(tmp_path, looks=4)[1]) == 1 + len(turn)


def test_interrupted_looks_are_continued(tmp_path):
    def broken_off(asked, references):
        if references == 5 and asked == 4:
            raise KeyboardInterrupt
        return steady(asked, references)

    with pytest.raises(KeyboardInterrupt):
        go(tmp_path, broken_off, looks=2)
    assert pd.read_csv(tmp_path / "board.csv")["looks"].tolist() == [2, 2, 2, 2, 1, 1, 1]
    measured, asked, told = go(tmp_path, looks=2)
    assert asked == ["reference", 4, 5, 6, "reference"]
    assert told[-1] == (3, 3)
    assert [row["looks"] for row in measured.rows.values()] == ["2"] * 7


def test_what_was_disturbed_is_looked_at_again_once_the_device_is_itself(tmp_path):
    def slow_in_the_middle(asked, references):
        return steady(asked, references) * (1.5 if references == 2 else 1)

    said = []
    measured, asked, told = go(tmp_path, slow_in_the_middle, said=said)
    assert asked[-8:] == [0, 1, 2, "reference", 3, 4, 5, "reference"]
    assert told[-1] == (13, 13)
    assert measured.again == tuple(TEXTS[:6])
    assert measured.suspect == ()
    assert measured.drift == pytest.approx(0.5)
    table = pd.read_csv(measured.csv)
    assert sorted(table["latency_ms"]) == [1, 2, 3, 4, 5, 6, 7]
    assert "around 6 architectures: they are measured again" in said[-1]
    assert go(tmp_path)[1] == []


def test_looks_at_a_device_that_was_still_cold_do_not_count(tmp_path):
    def cold_at_first(asked, references):
        return steady(asked, references) * (0.7 if references == 1 else 1)

    measured, _, _ = go(tmp_path, cold_at_first)
    assert measured.again == tuple(TEXTS[:3])
    assert measured.suspect == ()
    assert [float(row["latency_ms"]) for row in measured.rows.values()] == [1, 2, 3, 4, 5, 6, 7]


def test_looks_come_to_an_end(tmp_path):
    def restless(asked, references):
        return 10 * 1.2**references if asked == "reference" else 1.0

    measured, asked, _ = go(tmp_path, restless, looks=2)
    assert asked.count("reference") + 28 >= len(asked)
    assert measured.suspect
    assert all(int(row["looks"]) <= 4 for row in measured.rows.values())
    assert go(tmp_path, restless, looks=2)[1] == []


def test_failures_are_rows_and_may_be_tried_again(tmp_path):
    def faulty(asked, references):
        return {1: "it\nbroke", 2: "took longer than 3 s"}.get(asked, 4.0)

    said = []
    measured, asked, _ = go(tmp_path, faulty, said=said)
    assert len(asked) == 11
    table = pd.read_csv(measured.csv).set_index("arch")
    assert table["status"][TEXTS[:4]].tolist() == ["ok", "failed", "timeout", "ok"]
    assert table["message"][TEXTS[1]] == "it broke"
    assert table["latency_ms"].isna().sum() == 2
    assert said == [f"{TEXTS[1]}: it\nbroke", f"{TEXTS[2]}: took longer than 3 s"]
    assert go(tmp_path)[1] == []
    measured, asked, _ = go(tmp_path, lambda *_: 4.0, retry=True)
    assert asked == ["reference", 1, 2, "reference"]
    assert (pd.read_csv(measured.csv)["status"] == "ok").all()


def test_nothing_is_measured_without_the_reference(tmp_path):
    with pytest.raises(UserError, match="cannot be measured, so no other was tried: no device"):
        go(tmp_path, lambda *_: "no device")
    assert not (tmp_path / "board.json").exists()


def test_a_reference_that_fails_in_between_is_passed_over(tmp_path):
    def interrupted(asked, references):
        return "unplugged" if asked == "reference" and references == 2 else 10.0

    measured, asked, _ = go(tmp_path, interrupted)
    assert len(asked) == 11
    assert np.isnan(measured.references).tolist() == [False, True, False, False]
    assert measured.drift == 0
    assert measured.suspect == ()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"settings": SETTINGS | {"runner": {"name": "torch", "threads": 2}}},
            "runner.threads was 1 and is 2",
        ),
        ({"settings": {"space": "nasbench201"}}, "runner was {.*} and is unset"),
        ({"machine": {"cpu": "6502"}}, "cpu was Z80 and is 6502"),
        ({"machine": MACHINE | {"torch": "3"}}, "torch was unset and is 3"),
    ],
)
def test_other_settings_are_another_device(tmp_path, changed, said):
    go(tmp_path)
    with pytest.raises(UserError, match=f"board was measured otherwise: {said}.*another name=.*board.csv"):
        go(tmp_path, **changed)
    go(tmp_path, machine=MACHINE | {"memory_gib": 2})


def test_a_row_that_was_cut_off_is_measured_again(tmp_path):
    measured, _, _ = go(tmp_path)
    whole = measured.csv.read_text()
    measured.csv.write_text(whole[:-5])
    assert go(tmp_path)[1] == ["reference", 6, "reference"]
    assert measured.csv.read_text().count("\n") == whole.count("\n")


@pytest.mark.parametrize(
    ("csv", "description", "said"),
    [
        ("arch,latency\nx,1\n", None, "columns arch, latency, expected arch, latency_ms"),
        (",".join(COLUMNS) + "\n" + "x," * 9 + "\n", None, "no description board.json"),
        (None, "{}", "no description by ktnas measure"),
        (None, "{", "cannot be read"),
    ],
)
def test_files_of_others_are_left_alone(tmp_path, csv, description, said):
    for name, content in (("board.csv", csv), ("board.json", description)):
        if content is not None:
            (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=f"{said}.*another name="):
        go(tmp_path)


def test_rows_may_hold_anything(tmp_path):
    file = RowFile(tmp_path / "rows.csv", ("a", "b"))
    rows = [{"a": 'say "hi"', "b": "x, y"}, {"a": "", "b": "ü"}]
    for row in rows:
        file.append(row)
    assert file.read() == rows
    file.replace(rows[1:])
    assert file.read() == rows[1:]


def test_one_process_at_a_time(tmp_path):
    path = tmp_path / "new" / "board.csv"
    with alone(path), pytest.raises(UserError, match=r"board\.csv is being measured by another"), alone(path):
        pass
    with alone(path):
        pass


@pytest.mark.parametrize(
    ("text", "name"), [("my host_cpu", "my-host_cpu"), ("../a/b", "a-b"), ("...", "device"), ("ok.1", "ok.1")]
)
def test_names_are_file_names(text, name):
    assert file_name(text) == name


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ({"looks": 0}, "looks=0"),
        ({"every": 0}, "every=0"),
        ({"tolerance": 0}, "drift=0"),
        ({"timeout": 0}, "timeout=0"),
    ],
)
def test_plans_that_make_no_sense(plan, said):
    with pytest.raises(UserError, match=said):
        Plan(**plan)
