"""pymoo's NSGA-II on a task whose architectures are genotypes of categorical variables."""

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.evaluator import Evaluator
from pymoo.core.problem import Problem
from pymoo.core.termination import NoTermination
from pymoo.core.variable import Integer
from pymoo.operators.crossover.ux import UniformCrossover
from pymoo.operators.mutation.rm import ChoiceRandomMutation
from pymoo.problems.static import StaticProblem

from experiments.peers import TRIES, Memory
from experiments.tables import Table
from ktnas.arrays import FloatArray, IntArray

POPULATION = 10
"""And number of children."""


def pymoo_search(table: Table, budget: int, seed: int) -> FloatArray:
    """Error and latency (budget, 2) of the distinct architectures that NSGA-II evaluates, in order.

    Uniform crossover, and mutation of a variable to any of its choices. The first population is drawn from
    the table. pymoo eliminates duplicates within a generation and its parents; a child that was evaluated
    before them is answered from memory and does not count, nor does one that is no architecture of the table,
    which breaks a constraint. After ``TRIES`` generations that took no evaluation a random architecture takes
    the place of the first child.

    Args:
        table: what is searched.
        budget: evaluations.
        seed: of the algorithm and of the random architectures.
    """
    memory, problem = Memory(table, seed), _problem(table)
    algorithm = NSGA2(
        POPULATION,
        sampling=memory.draw(POPULATION),
        crossover=UniformCrossover(),
        mutation=ChoiceRandomMutation(),
    )
    algorithm.setup(problem, termination=NoTermination(), seed=seed, verbose=False)
    idle = 0
    while len(memory) < budget:
        children, before = algorithm.ask(), len(memory)
        genotypes = np.array(children.get("X"), dtype=np.int64)
        if idle >= TRIES:
            genotypes[0] = memory.draw_one()
            children[0].set("X", genotypes[0])
        points = _answers(memory, genotypes)
        absent = np.isinf(points[:, :1])
        answered = StaticProblem(problem, F=np.where(absent, 0.0, points), G=absent.astype(float))
        Evaluator().eval(answered, children)
        algorithm.tell(infills=children)
        idle = 0 if len(memory) > before else idle + 1
    return memory.points[:budget]


def _problem(table: Table) -> Problem:
    n_choices = table.task.space.n_choices
    problem = Problem(len(n_choices), n_obj=2, n_ieq_constr=1, xl=0, xu=n_choices - 1, vtype=int)
    problem.vars = {
        name: Integer(bounds=(0, n - 1))
        for name, n in zip(table.task.space.variables, n_choices.tolist(), strict=True)
    }
    return problem


def _answers(memory: Memory, genotypes: IntArray) -> FloatArray:
    """Error and latency (N, 2), infinite where the table has no such architecture."""
    points = [memory.answer(genotype) for genotype in genotypes]
    return np.array([[np.inf, np.inf] if point is None else point for point in points])
