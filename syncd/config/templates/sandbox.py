"""The sandbox that runs templates: plain data in, escaped text out, and access to nothing else.

Templates belong to the operator, but anybody may write the values that they insert. So the sandbox escapes
every inserted value for the target by default. It allows a fixed list of things and nothing else: reading
keys and items, the filters of `syncd.config.templates.filters`, `range`, and macros. Its limits are in
`syncd.config.templates.limits`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import wraps
from types import BuiltinMethodType, MethodType
from typing import Any

from jinja2 import StrictUndefined, nodes, pass_context
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError, TemplateRuntimeError
from jinja2.loaders import BaseLoader
from jinja2.runtime import BlockReference, Context, LoopContext, Macro, TemplateReference
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import missing
from markupsafe import Markup, escape

from syncd.config.problems import did_you_mean
from syncd.config.templates.filters import known
from syncd.config.templates.limits import check_time, joined, nested_call, sized
from syncd.domain.text import escape_wiki, strip_controls


class Target(StrEnum):
    """The form of a template's output, which decides how values are escaped."""

    WIKI = "wiki"
    HTML = "html"
    TEXT = "text"


_ESCAPES: dict[Target, Callable[[str], str]] = {
    Target.WIKI: escape_wiki,
    Target.HTML: lambda text: escape(strip_controls(text)),
    Target.TEXT: strip_controls,
}

_METHODS: dict[type, frozenset[str]] = {
    dict: frozenset({"items", "keys", "values", "get"}),
    str: frozenset(
        {"upper", "lower", "title", "capitalize", "strip", "lstrip", "rstrip", "startswith", "endswith"}
        | {"split", "splitlines"}
    ),
    LoopContext: frozenset(
        {"index", "index0", "revindex", "revindex0", "first", "last", "length", "previtem", "nextitem"}
        | {"cycle", "changed"}
    ),
    BlockReference: frozenset({"super"}),
}


class Unknown(StrictUndefined):
    """A name that a template does not have: every use of it is an error that suggests a similar name."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint:
            return self._undefined_hint
        name, owner = self._undefined_name, self._undefined_obj
        if owner is missing:
            return f"`{name}` is not a variable of this template"
        if isinstance(owner, dict):
            hint = did_you_mean(str(name), (key for key in owner if isinstance(key, str)))
            return f"there is no `{name}` here; {hint or 'it has ' + ', '.join(map(str, owner))}"
        return f"a {'text' if isinstance(owner, str) else 'value'} has no `{name}` in a template"


def turns(values: Any) -> Iterator[Any]:
    """Yield the values of a loop; check the time at each turn."""
    # a loop over a text would print its letters, which is a mistake in the template
    if isinstance(known(values), str):
        raise TemplateRuntimeError("a loop over a text; loop over a list")
    for value in values:
        check_time()
        yield value


class _Generator(CodeGenerator):
    """Compile `for` and `~` into calls of the sandbox, because Jinja has no hook for them."""

    def visit_For(self, node: nodes.For, frame: Frame) -> None:  # noqa: N802 - named for the node by Jinja
        """Compile a loop over `turns`, so that each turn checks the time."""
        node.iter = nodes.Call(nodes.EnvironmentAttribute("turns"), [node.iter], [], None, None)
        super().visit_For(node, frame)

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802 - as above
        """Compile `~` into `concatenated`: Jinja's own `~` has no limit and escapes for HTML only."""
        self.write("environment.concatenated([")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("])")

    def visit_ScopedEvalContextModifier(self, node: nodes.Node, frame: Frame) -> None:  # noqa: N802 - as above
        """Refuse `autoescape` blocks, so that no part of a template goes without escaping."""
        self.fail("`autoescape` is not supported; `| raw` marks trusted markup", node.lineno)


class Sandbox(SandboxedEnvironment):
    """The environment of templates for one target."""

    code_generator_class = _Generator
    turns = staticmethod(turns)
    concat = staticmethod(joined)
    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self, target: Target, loader: BaseLoader, filters: dict[str, Callable[..., Any]]) -> None:
        super().__init__(
            loader=loader,
            undefined=Unknown,
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            optimized=False,  # else Jinja computes constants when it compiles a template, without limits
            cache_size=-1,
            auto_reload=False,
            finalize=self.printable,
        )
        self.target = target
        self.globals = {"range": bounded_range}
        self.filters = {name: _limited(function) for name, function in filters.items()}

    def escaped(self, value: object) -> Markup:
        """Return a value escaped for the target; markup that the template made stays as it is."""
        value = known(value)
        if isinstance(value, Markup):
            return value
        if value is None:
            return Markup("")
        if isinstance(value, bool):
            value = "yes" if value else "no"
        if not isinstance(value, (str, int, float)):
            raise TemplateRuntimeError("prints a list or section; loop over it, or use `| join(', ')`")
        return Markup(_ESCAPES[self.target](str(value)))  # noqa: S704 - this is where values are escaped

    # Jinja calls a finalizer that takes the context at run time only; else it would escape constants as HTML.
    @pass_context
    def printable(self, _context: Context, value: object) -> Markup:
        """Return the text that `{{ value }}` prints."""
        check_time()
        return self.escaped(value)

    def concatenated(self, values: list[object]) -> str:
        """Return the texts joined; if one of them is markup, the others are escaped."""
        check_time()
        if any(isinstance(value, Markup) for value in values):
            return sized(Markup("").join(self.escaped(value) for value in values))
        return sized("".join("" if value is None else str(value) for value in values))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Return the result of an operator: `+` for numbers, texts and lists, all others for numbers only."""
        check_time()
        left, right = known(left), known(right)
        if operator == "+" and isinstance(left, str) and isinstance(right, str):
            return self.concatenated([left, right])
        if operator == "+" and isinstance(left, list) and isinstance(right, list):
            return sized(left + right)
        if operator == "**" or not all(isinstance(value, (int, float)) for value in (left, right)):
            raise SecurityError(f"`{operator}` does not work with these values; `~` joins texts")
        return sized(super().call_binop(context, operator, left, right))

    def call(self, context: Context, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call a macro, a block, `range` or one of the few methods that are allowed."""
        check_time()
        with nested_call():
            return sized(super().call(context, known(function), *args, **kwargs))

    def is_safe_callable(self, obj: Any) -> bool:
        """Return True if a template may call this object."""
        if isinstance(obj, (BuiltinMethodType, MethodType)):
            return self.is_safe_attribute(obj.__self__, obj.__name__, obj)
        return obj is bounded_range or obj is turns or isinstance(obj, (Macro, BlockReference))

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Return True if a template may read this attribute: only the methods in `_METHODS`."""
        return any(isinstance(obj, kind) and attr in allowed for kind, allowed in _METHODS.items())

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return `obj.attribute`: a key of the section, else an allowed method."""
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return `obj[argument]`: a key or an index, else an allowed method."""
        if isinstance(known(obj), (dict, list, tuple, str, TemplateReference)):
            try:
                return obj[argument]
            except (TypeError, LookupError):
                pass
        if isinstance(argument, str) and self.is_safe_attribute(obj, argument, None):
            return getattr(obj, argument)
        return self.undefined(obj=obj, name=argument)


def _limited(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def limited(*args: Any, **kwargs: Any) -> Any:
        check_time()
        return sized(function(*args, **kwargs))

    return limited


def bounded_range(*args: int) -> range:
    """Return a `range` of limited length, for templates."""
    if not all(isinstance(value, int) for value in args):
        raise TemplateRuntimeError("`range` takes whole numbers")
    return sized(range(*args))
