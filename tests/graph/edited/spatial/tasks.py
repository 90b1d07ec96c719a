"""Tasks that register themselves."""

from spatial.marks import times

TASKS = {}


def task(function):
    TASKS[function.__name__] = function
    return function


@task
def count_boxes(n):
    return n + OFFSET


@task
@times(2)
def nearest(n):
    return -n


def _helper(n):
    return n


OFFSET = 1
