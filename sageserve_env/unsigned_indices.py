"""Indices of kernels are counts from 0: a step of the compiler that lets Numba take them as such.

Python counts a negative index from the end, so Numba compares every signed index with 0 before it reads. The simulator does little
else than follow indices, none of which is negative, and spent a twelfth of its time on that.
"""

from __future__ import annotations

from typing import Any

from numba.core import ir
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import FunctionPass, register_pass
from numba.core.ir_utils import build_definitions
from numba.core.types import Integer, uintp
from numba.core.types.containers import BaseTuple, UniTuple
from numba.core.untyped_passes import ReconstructSSA
from numba.extending import intrinsic


@intrinsic
def unsigned(typing: Any, index: Any) -> Any:
    """An integer, or each of a tuple of integers, as an unsigned one; any other index as it is. Constants do not come here."""
    parts = tuple(index) if isinstance(index, BaseTuple) else (index,)
    kind = index
    if all(isinstance(part, Integer) for part in parts):
        kind = UniTuple(uintp, len(parts)) if isinstance(index, BaseTuple) else uintp

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.cast(builder, arguments[0], signature.args[0], kind)

    return kind(index), generate


@register_pass(mutates_CFG=False, analysis_only=False)
class UnsignedIndices(FunctionPass):
    """Rewrites ``array[index]`` to ``array[unsigned(index)]``, read or written."""

    _name = "unsigned_indices"

    def __init__(self) -> None:
        super().__init__()

    def run_pass(self, state: Any) -> bool:
        """Rewrite one function."""
        for block in state.func_ir.blocks.values():
            block.body = [statement for old in block.body for statement in rewritten(old, block.scope)]
        state.func_ir._definitions = build_definitions(state.func_ir.blocks)
        return True


def rewritten(statement: Any, scope: Any) -> list[Any]:
    """A statement, behind those that make its index unsigned if it has one."""
    item = statement.value if isinstance(statement, ir.Assign) else statement
    if not isinstance(item, ir.SetItem) and not (isinstance(item, ir.Expr) and item.op == "getitem"):
        return [statement]
    loc = statement.loc
    function, index = scope.make_temp(loc), scope.make_temp(loc)
    call = ir.Expr.call(function, (item.index,), (), loc)
    item.index = index
    return [ir.Assign(ir.Global("unsigned", unsigned, loc), function, loc), ir.Assign(call, index, loc), statement]


class KernelCompiler(CompilerBase):
    """Numba's own compiler with that step."""

    def define_pipelines(self) -> list[Any]:
        """Its one pipeline."""
        pipeline = DefaultPassBuilder.define_nopython_pipeline(self.state)
        pipeline.add_pass_after(UnsignedIndices, ReconstructSSA)
        pipeline.finalize()
        return [pipeline]
