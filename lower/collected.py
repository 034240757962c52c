"""The elements of lists and dictionaries that a program filled before it made a container of them."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field

from hypocenter.ir.sources import Block, own_nodes
from hypocenter.lower.additions import Addition, additions, of_key
from hypocenter.lower.callees import objects, opened
from hypocenter.lower.scopes import UNKNOWN, Binding, Scope, Written, assigned, parameter_names

MAX_DEPTH = 16  # of lists made from lists

_COPIES = ("list", "tuple", "OrderedDict", "dict")
_HARMLESS = frozenset(
    {
        "len",
        "print",
        "enumerate",
        "range",
        "zip",
        "list",
        "tuple",
        "iter",
        "reversed",
        "Sequential",
        "ModuleList",
        "extend",
    }
)


@dataclass
class Items:
    """What a sequence holds.

    Args:
        ordered: The elements one by one, or None when their number or order depends on the run.
        bag: Otherwise everything that any element may be.
    """

    ordered: list[Binding] | None = None
    bag: list[Binding] = field(default_factory=list)

    @property
    def all(self) -> list[Binding]:
        """Everything that any element may be."""
        return self.bag if self.ordered is None else self.ordered

    @staticmethod
    def joined(parts: Sequence["Items"]) -> "Items":
        """The parts one after the other."""
        if all(part.ordered is not None for part in parts):
            return Items([item for part in parts for item in part.ordered or ()])
        return Items(None, [item for part in parts for item in part.all])

    def at(self, index: int, count: int) -> list[Binding]:
        """What element `index` may be if the sequence has `count` elements: nothing if it cannot have as many."""
        if self.ordered is None:
            return self.bag
        return [self.ordered[index]] if len(self.ordered) == count else []


def arguments(nodes: Sequence[ast.expr], scope: Scope, index: int, count: int) -> list[Binding]:
    """What element `index` of `count` may be when these, some of them starred, are written one after the other."""
    stars = [position for position, node in enumerate(nodes) if isinstance(node, ast.Starred)]
    if stars and index < stars[0]:
        return [Written(nodes[index], scope)]
    after = len(nodes) - 1 - stars[-1] if stars else 0
    if stars and index >= count - after:
        return [Written(nodes[index - count], scope)]
    middle = nodes[stars[0] : len(nodes) - after] if stars else nodes
    before = stars[0] if stars else 0
    return elements(ast.Tuple(list(middle), ast.Load()), scope).at(index - before, count - before - after)


def elements(node: ast.expr, scope: Scope, depth: int = 0) -> Items:
    """The elements of a sequence expression."""
    if depth > MAX_DEPTH:
        return Items(None, [UNKNOWN])
    match node:
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            return Items.joined([_part(part, scope, depth) for part in parts])
        case ast.ListComp(elt=element) | ast.GeneratorExp(elt=element):
            return Items(None, [Written(element, scope)])
        case ast.Call(func=ast.Name(id=name), args=[value]) if name in _COPIES:
            return elements(value, scope, depth + 1)
        case ast.Call():
            return Items(None, [found for part in _returned(node, scope, depth) for found in part.all])
        case ast.Name():
            return _named(node, scope, depth)
        case _:
            return _composed(node, scope, depth + 1)


def item(node: ast.expr, scope: Scope, key: str, depth: int = 0) -> list[Binding]:
    """What a mapping expression (a dictionary, or a sequence of pairs) may hold under a key."""
    if depth > MAX_DEPTH:
        return [UNKNOWN]
    match node:
        case ast.Dict(keys=keys, values=values):
            return _keyed([(k, Written(v, scope)) for k, v in zip(keys, values, strict=True)], key)
        case ast.DictComp(value=value):
            return [Written(value, scope)]
        case ast.List() | ast.Tuple() | ast.ListComp() | ast.GeneratorExp():
            return _keyed([_pair(found) for found in elements(node, scope, depth + 1).all], key)
        case ast.Call(func=func, args=args, keywords=keywords) if _is_mapping_type(func, scope):
            pairs: list[tuple[ast.expr | None, Binding]] = [
                (ast.Constant(k.arg) if k.arg else None, Written(k.value, scope)) for k in keywords
            ]
            written = _keyed(pairs, key) if pairs else []
            return written or [found for arg in args for found in item(arg, scope, key, depth + 1)]
        case ast.Name():
            return _item_of_name(node, scope, key, depth)
        case _:
            return [UNKNOWN]


def _composed(node: ast.expr, scope: Scope, depth: int) -> Items:
    match node:
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return Items.joined([elements(left, scope, depth), elements(right, scope, depth)])
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            repeated = right if isinstance(left, ast.Constant) else left
            return Items(None, elements(repeated, scope, depth).all)
        case ast.Subscript(value=value, slice=ast.Slice()):
            return Items(None, elements(value, scope, depth).all)
        case ast.IfExp(body=body, orelse=orelse):
            return Items(None, [*elements(body, scope, depth).all, *elements(orelse, scope, depth).all])
        case _:
            return Items(None, [UNKNOWN])


def _part(node: ast.expr, scope: Scope, depth: int) -> Items:
    if isinstance(node, ast.Starred):
        return elements(node.value, scope, depth + 1)
    return Items([Written(node, scope)])


def _returned(call: ast.Call, scope: Scope, depth: int) -> list[Items]:
    parts = []
    for callee in objects(call.func, scope):
        inner = opened(call, scope, callee)
        if inner is None:
            parts.append(Items(None, [UNKNOWN]))
        else:
            parts += [elements(value, inner, depth + 1) for value in returns(inner.block)]
    return parts


def returns(block: Block) -> list[ast.expr]:
    """The expressions that a function returns; a generator's are not its elements and are not given."""
    if isinstance(block, ast.Lambda):
        return [block.body]
    return [node.value for node in own_nodes(block) if isinstance(node, ast.Return) and node.value is not None]


def _named(node: ast.Name, scope: Scope, depth: int) -> Items:
    """A variable's elements: what it was assigned, and what was added to it before the line that reads it."""
    values = scope.values(node.id)
    first = [elements(v.node, v.scope, depth + 1) if isinstance(v, Written) else Items(None, [UNKNOWN]) for v in values]
    owner = _owner(node.id, scope)
    changes = [a for a in additions(owner.block) if _is_name(a.holder, node.id)]
    if owner.block is scope.block:
        changes = [a for a in changes if a.line < node.lineno or _in_loop(owner.block, node)]
    parts = [_added(change, owner, depth) for change in changes]
    if len(first) == 1 and not _escapes(owner.block, node.id) and all(_is_straight(owner.block, a) for a in changes):
        return Items.joined([*first, *parts])
    escaped: list[Binding] = [UNKNOWN] if _escapes(owner.block, node.id) else []
    return Items(None, [item for part in (*first, *parts) for item in part.all] + escaped)


def _added(change: Addition, scope: Scope, depth: int) -> Items:
    if change.how == "disturb":
        return Items(None, [])
    if change.value is None:
        return Items(None, [UNKNOWN])
    if change.how == "extend":
        return elements(change.value, scope, depth + 1)
    return Items([Written(change.value, scope)])


def _owner(name: str, scope: Scope) -> Scope:
    """The scope that the variable belongs to: this one, one around it, or the module's."""
    inner: Scope | None = scope
    while inner is not None:
        if name in assigned(inner.block) or name in parameter_names(inner.block):
            return inner
        inner = inner.parent
    return Scope(scope.source, scope.source.tree, scope.namespace)


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _is_straight(block: Block, change: Addition) -> bool:
    """True for a statement of the body itself, which runs once, that adds at the end."""
    body = [] if isinstance(block, ast.Lambda) else block.body
    simple = (ast.Expr, ast.AugAssign)
    direct = any(isinstance(s, simple) and s.lineno <= change.line <= (s.end_lineno or s.lineno) for s in body)
    return direct and change.how in ("append", "extend")


def _in_loop(block: Block, node: ast.AST) -> bool:
    loops = (inner for inner in own_nodes(block) if isinstance(inner, ast.For | ast.While | ast.AsyncFor))
    return any(inner is node for loop in loops for inner in ast.walk(loop))


def _escapes(block: Block, name: str) -> bool:
    """True when the list gets another name, or is handed to a function that could add to it."""
    for node in own_nodes(block):
        if isinstance(node, ast.Assign) and _is_name(node.value, name):
            return True
        if isinstance(node, ast.Call) and any(_is_name(arg, name) for arg in node.args):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called not in _HARMLESS:
                return True
    return False


def _is_mapping_type(func: ast.expr, scope: Scope) -> bool:
    return all(isinstance(found, type) and issubclass(found, dict) for found in objects(func, scope))


def _pair(found: Binding) -> tuple[ast.expr | None, Binding]:
    match found:
        case Written(node=ast.Tuple(elts=[key, value]) | ast.List(elts=[key, value]), scope=scope):
            return key, Written(value, scope)
        case _:
            return None, UNKNOWN


def _keyed(pairs: Sequence[tuple[ast.expr | None, Binding]], key: str) -> list[Binding]:
    found = [Addition(ast.Constant(None), "set", k, None, 0) for k, _ in pairs]
    chosen, _ = of_key(found, key)
    return [pairs[index][1] for index in chosen]


def _item_of_name(node: ast.Name, scope: Scope, key: str, depth: int) -> list[Binding]:
    owner = _owner(node.id, scope)
    found: list[Binding] = []
    for value in scope.values(node.id):
        found += item(value.node, value.scope, key, depth + 1) if isinstance(value, Written) else [UNKNOWN]
    changes = [a for a in additions(owner.block) if _is_name(a.holder, node.id)]
    sets: list[tuple[ast.expr | None, Binding]] = [
        (a.key, UNKNOWN if a.value is None else Written(a.value, owner)) for a in changes if a.how == "set"
    ]
    for change in changes:
        if change.how == "merge" and change.value is not None:
            found += item(change.value, owner, key, depth + 1)
    return found + _keyed(sets, key)
