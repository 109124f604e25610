import os
from multiprocessing import get_context

from ktnas.task.isolation import _kill


def test_child_that_another_thread_has_reaped_is_let_go() -> None:
    child = get_context("fork").Process(target=os.getpid)
    child.start()
    assert child.pid is not None
    os.waitpid(child.pid, 0)
    _kill(child)
