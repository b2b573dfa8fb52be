"""Does what the kernel's timers do in a world: ends a node that was paused within a write until its lease was over."""

from cinder_lite.jobs.fence import Fence
from tests.simulation.world import node

#: Seconds for which a node is down that was ended.
DOWN = 30
#: Fence that a thread is within -> (its node, how often it was entered).
_entered = {}


def install():
    """Follow which fences are entered from now on."""
    enter, leave = Fence.__enter__, Fence.__exit__

    def entered(fence):
        enter(fence)
        _entered[fence] = node(), _entered.get(fence, (None, 0))[1] + 1

    def left(fence, *exception):
        leave(fence, *exception)
        on, times = _entered.get(fence, (None, 0))
        if times > 1:
            _entered[fence] = on, times - 1
        else:
            _entered.pop(fence, None)

    Fence.__enter__, Fence.__exit__ = entered, left


def is_ended(on):
    """Whether the kernel has ended the node by now."""
    return any(where is on and fence.is_lost() for fence, (where, _) in _entered.items())
