"""Finds what mypyc 2.4 miscompiles: a constant as left operand of `<<`, and integers that no i64 holds.

mypyc emits a constant as a 32-bit C int, so `i64(1) << 40` is 256. It sees constants through Final names
(also imported ones and class attributes), through conversions, arithmetic, and locals that are bound only
once. The lint follows the same paths by name, without types: a little too strict rather than too lax.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

CONVERSIONS = {"i64", "i32", "i16", "u8", "int"}
LARGEST = 2**63 - 1


def findings(sources: Mapping[str, str]) -> list[str]:
    """`name:line: what` for every suspicious place in the given texts, which may import from each other."""
    trees = {name: ast.parse(text) for name, text in sources.items()}
    finals = {final for tree in trees.values() for final in final_names(tree)}
    found = []
    for name, tree in trees.items():
        for scope in scopes(tree):
            constants = finals | once_bound_constants(scope, finals)
            for node in own_nodes(scope):
                if isinstance(node, ast.BinOp) and isinstance(node.op, ast.LShift):
                    folded = is_literal(node.left) and is_literal(node.right)  # mypy computes it itself
                    if is_constant(node.left, constants) and not folded:
                        found.append(f"{name}:{node.lineno}: constant << variable: {ast.unparse(node)}")
                elif isinstance(node, ast.Constant) and type(node.value) is int and node.value > LARGEST:
                    found.append(f"{name}:{node.lineno}: larger than 2**63 - 1: {ast.unparse(node)}")
    return found


def engine_sources(folder: Path) -> dict[str, str]:
    """The texts of all Python files below `folder`, by path."""
    return {str(path.relative_to(folder.parent)): path.read_text() for path in sorted(folder.rglob("*.py"))}


def final_names(tree: ast.AST) -> Iterator[str]:
    """Names annotated Final with a constant value, in modules and classes alike."""
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign) and "Final" in ast.unparse(node.annotation):
            target = node.target
            if isinstance(node.value, (ast.Constant, ast.BinOp, ast.UnaryOp, ast.Call, ast.Name)):
                if isinstance(target, ast.Name):
                    yield target.id
                elif isinstance(target, ast.Attribute):
                    yield target.attr


def scopes(tree: ast.AST) -> Iterator[ast.AST]:
    """The module and every function in it."""
    yield tree
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield node


def own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a scope without those of functions inside it."""
    for child in ast.iter_child_nodes(scope):
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield child
            yield from own_nodes(child)


def once_bound_constants(scope: ast.AST, finals: set[str]) -> set[str]:
    """Locals that are bound exactly once, to a constant: mypyc puts the constant in their place."""
    bound: dict[str, list[ast.expr | None]] = {}
    for node in own_nodes(scope):
        for name, value in bindings(node):
            bound.setdefault(name, []).append(value)
    constants = set(finals)
    while True:
        more = {
            name
            for name, values in bound.items()
            if len(values) == 1 and values[0] is not None and is_constant(values[0], constants)
        }
        if more <= constants:
            return constants
        constants |= more


def bindings(node: ast.AST) -> Iterator[tuple[str, ast.expr | None]]:
    """The names that a node binds, each with its value where that is known."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield from unpacked(target, node.value)
    elif (isinstance(node, ast.AnnAssign) and node.value is not None) or isinstance(node, ast.NamedExpr):
        yield from unpacked(node.target, node.value)
    elif isinstance(node, (ast.AugAssign, ast.For)):
        yield from unpacked(node.target, None)


def unpacked(target: ast.expr, value: ast.expr | None) -> Iterator[tuple[str, ast.expr | None]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, (ast.Tuple, ast.List)):
        known = value.elts if isinstance(value, (ast.Tuple, ast.List)) else None
        same = known is not None and len(known) == len(target.elts)
        values: Iterable[ast.expr | None] = known if known is not None and same else [None] * len(target.elts)
        for part, item in zip(target.elts, values, strict=True):
            yield from unpacked(part, item)


def is_constant(node: ast.expr, constants: set[str]) -> bool:
    """Whether mypyc may know the value of an expression."""
    if isinstance(node, ast.Constant):
        return type(node.value) is int
    if isinstance(node, ast.Name):
        return node.id in constants
    if isinstance(node, ast.Attribute):
        return node.attr in constants
    if isinstance(node, ast.UnaryOp):
        return is_constant(node.operand, constants)
    if isinstance(node, ast.BinOp):
        return is_constant(node.left, constants) and is_constant(node.right, constants)
    if isinstance(node, ast.NamedExpr):
        return is_constant(node.value, constants)
    if isinstance(node, ast.Call):
        called = node.func.id if isinstance(node.func, ast.Name) else ""
        return called in CONVERSIONS and len(node.args) == 1 and is_constant(node.args[0], constants)
    return False


def is_literal(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant)
