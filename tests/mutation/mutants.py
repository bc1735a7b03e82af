"""Mutants: one planted change in one function, as a slip of a programmer would make it."""

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

ROOT = Path(__file__).parent.parent.parent
Node = ast.AST
Change = Callable[[], None]

COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE,
    ast.GtE: ast.Gt, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
COUNTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}  # fmt: skip


@dataclass(frozen=True, slots=True, order=True)
class Mutant:
    """One change: where it is, the function that holds it, and what it does there."""

    path: str  # from the root of the repository
    line: int
    function: str  # its qualified name, of the outermost function
    first: int  # the lines of that function, with its decorators
    last: int
    number: int  # among the changes of this module
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line} ({self.function}): {self.what}"


class _Outermost(ast.NodeVisitor):
    """Yield the outermost functions of a module, with their qualified names."""

    def __init__(self) -> None:
        self.found: list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]] = []
        self._inside: list[str] = []

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._inside.append(node.name)
        self.generic_visit(node)
        self._inside.pop()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.found.append((".".join((*self._inside, node.name)), node))

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.found.append((".".join((*self._inside, node.name)), node))


def mutants_of(path: Path) -> list[Mutant]:
    """Return every change that can be planted in a module, in a fixed order."""
    tree = ast.parse(path.read_text())
    name = path.relative_to(ROOT).as_posix()
    return [
        Mutant(name, line, function, *_lines(node), number, what)
        for number, (function, node, line, what, _) in enumerate(_changes(tree))
    ]


def _lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> tuple[int, int]:
    first = min((each.lineno for each in node.decorator_list), default=node.lineno)
    return first, node.end_lineno or node.lineno


def planted(mutant: Mutant) -> CodeType:
    """Compile a module with a change; return the code of the function that holds it."""
    path = ROOT / mutant.path
    tree = ast.parse(path.read_text())
    *_, change = list(_changes(tree))[mutant.number]
    change()
    whole = compile(ast.fix_missing_locations(tree), str(path), "exec")
    return _code_of(whole, mutant.function.split("."))


def _code_of(code: CodeType, names: list[str]) -> CodeType:
    for name in names:
        code = next(
            each for each in code.co_consts if isinstance(each, CodeType) and each.co_name == name
        )
    return code


Function = ast.FunctionDef | ast.AsyncFunctionDef


def _changes(tree: ast.Module) -> Iterator[tuple[str, Function, int, str, Change]]:
    visitor = _Outermost()
    visitor.visit(tree)
    for name, function in visitor.found:
        for statements, place, statement in _statements(function):
            for what, change in _of_statement(statements, place, statement):
                yield name, function, statement.lineno, what, change
            for node in _expressions(statement):
                for what, change in _of_expression(node):
                    yield name, function, getattr(node, "lineno", statement.lineno), what, change


def _statements(function: Node) -> Iterator[tuple[list[ast.stmt], int, ast.stmt]]:
    for node in ast.walk(function):
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if isinstance(block, list):
                for place, each in enumerate(block):
                    if not (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)):
                        yield block, place, each


def _expressions(statement: ast.stmt) -> Iterator[Node]:
    """Yield the expressions of a statement itself, not those of the blocks within it."""
    pending: list[Node] = [
        each
        for each in ast.iter_child_nodes(statement)
        if isinstance(each, ast.expr | ast.withitem)
    ]
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.AnnAssign):
        pending = (
            [statement.value] if isinstance(statement, ast.AnnAssign) and statement.value else []
        )
    while pending:
        node = pending.pop(0)
        yield node
        if not isinstance(node, ast.JoinedStr):
            pending += ast.iter_child_nodes(node)


def _of_statement(
    block: list[ast.stmt], place: int, statement: ast.stmt
) -> Iterator[tuple[str, Change]]:
    def instead(new: ast.stmt) -> Change:
        def change() -> None:
            block[place] = ast.copy_location(new, statement)

        return change

    if isinstance(statement, ast.Return) and statement.value is not None:
        if not (isinstance(statement.value, ast.Constant) and statement.value.value is None):
            yield "return None", instead(ast.Return(ast.Constant(None)))
        if isinstance(statement.value, ast.List | ast.ListComp) or _is_list(statement.value):
            yield "return []", instead(ast.Return(ast.List([], ast.Load())))
    elif isinstance(statement, ast.Raise):
        yield "no refusal", instead(ast.Pass())
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call | ast.Await):
        yield f"without {ast.unparse(statement)[:50]!r}", instead(ast.Pass())
    elif isinstance(statement, ast.Continue):
        yield "break for continue", instead(ast.Break())
    elif isinstance(statement, ast.AugAssign) and type(statement.op) in COUNTED:
        other = copy.deepcopy(statement)
        other.op = COUNTED[type(statement.op)]()
        yield "counts the other way", instead(other)
    elif isinstance(statement, ast.If | ast.While):
        test = statement.test

        def negate() -> None:
            statement.test = ast.copy_location(ast.UnaryOp(ast.Not(), test), test)

        yield f"not ({ast.unparse(test)[:50]})", negate


def _is_list(value: ast.expr) -> bool:
    called = value.func if isinstance(value, ast.Call) else None
    return isinstance(called, ast.Name | ast.Attribute) and (
        getattr(called, "id", getattr(called, "attr", "")) in {"list", "sorted", "rows_as", "rows"}
    )


def _of_expression(node: Node) -> Iterator[tuple[str, Change]]:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARED:
        other = COMPARED[type(node.ops[0])]
        yield (
            f"{ast.unparse(node)[:50]}: {other.__name__}",
            _set(node, "ops", [other(), *node.ops[1:]]),
        )
    elif isinstance(node, ast.BoolOp):
        swapped = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield f"{ast.unparse(node)[:50]}: {type(swapped).__name__}", _set(node, "op", swapped)
    elif isinstance(node, ast.BinOp) and type(node.op) in COUNTED and not _is_text(node):
        yield f"{ast.unparse(node)[:50]}: other sign", _set(node, "op", COUNTED[type(node.op)]())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        again = ast.UnaryOp(ast.Not(), node.operand)  # not not x: the truth of x
        yield f"{ast.unparse(node)[:50]}: without not", _set(node, "operand", again)
    elif isinstance(node, ast.IfExp):
        test = ast.UnaryOp(ast.Not(), node.test)
        yield f"{ast.unparse(node)[:50]}: the other branch", _set(node, "test", test)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield f"{not node.value} for {node.value}", _set(node, "value", not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield f"{node.value + 1} for {node.value}", _set(node, "value", node.value + 1)


def _is_text(node: ast.BinOp) -> bool:
    """Return whether two texts are joined: another sign would fail at once."""
    return any(
        isinstance(each, ast.JoinedStr)
        or (isinstance(each, ast.Constant) and isinstance(each.value, str))
        for each in ast.walk(node)
    )


def _set(node: Node, field: str, value: object) -> Change:
    def change() -> None:
        if isinstance(value, ast.expr):
            ast.copy_location(value, node)
        setattr(node, field, value)

    return change
