import math

import pytest
from scipy.stats import spearmanr

from ktnas.record.ledger import read_ledger
from ktnas.report.knowledge import target_knowledge


def test_what_a_source_lent(write_run, evaluations):
    source = evaluations("cifar10", "source", 12)
    target = evaluations("cifar100", "target", 20, first=12)
    run = write_run("run", [*source, *target], transfer="rank")
    (known,) = target_knowledge(read_ledger(run))
    (lender,) = known.lenders

    assert (lender.task, lender.role, lender.evaluations) == ("cifar10", "source", 12)
    succeeded = {e.key: e.metrics["error"] for e in source if e.status == "ok"}
    assert lender.best_error == min(succeeded.values())
    pairs = [(succeeded[e.key], e.metrics["error"]) for e in target if e.key in succeeded]
    assert lender.common == len(pairs) > 5
    assert lender.correlation == pytest.approx(spearmanr(*zip(*pairs, strict=True)).statistic)
    assert (known.met, known.evaluations) == (12, 20)
    errors = [e.metrics.get("error", math.inf) for e in target]
    assert (known.best_met, known.best_new) == (min(errors[:12]), min(errors[12:]))
    assert 0 <= known.front_met <= known.front
    assert list(known.ways) == ["transfer=rank"]
    assert known.origin == "searched first, in this run"


def test_what_was_asked_later_was_not_lent(write_run, evaluations):
    first = evaluations("cifar100", "target", 6)
    later = evaluations("cifar10", "target", 6, first=6)
    knowledge = {
        known.target: known for known in target_knowledge(read_ledger(write_run("r", first + later)))
    }

    assert (knowledge["cifar100"].met, knowledge["cifar10"].met) == (0, 6)
    assert math.isnan(knowledge["cifar100"].best_met)
    assert knowledge["cifar100"].lenders[0].role == "target"


def test_too_few_common_architectures_have_no_correlation(write_run, evaluations):
    rows = [*evaluations("cifar10", "source", 4), *evaluations("cifar100", "target", 9, first=4)]
    ((lender,),) = (known.lenders for known in target_knowledge(read_ledger(write_run("r", rows))))

    assert lender.common == 3
    assert math.isnan(lender.correlation)


def test_a_target_alone(write_run, evaluations):
    (known,) = target_knowledge(read_ledger(write_run("r", evaluations("cifar100", "target", 9))))

    assert (known.lenders, known.ways, known.met) == ([], {}, 0)
