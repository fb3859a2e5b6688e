"""The place where templates run: plain data in, escaped text out, nothing else within reach.

Templates belong to the operator, what they insert belongs to anybody. So every value inserted is
escaped for the target by default, and what a template may do is a list of what is allowed, not of what
is forbidden: reading keys and items, the filters of `syncd.config.templates.filters`, `range`, macros.
Its limits are those of `syncd.config.templates.limits`.
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
    """Where a template's output goes, which decides how values are escaped."""

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
    """A name that is not there: an error wherever it is used, which says what is near it."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint:
            return self._undefined_hint
        name, owner = self._undefined_name, self._undefined_obj
        if owner is missing:
            return f"`{name}` is no variable of this template"
        if isinstance(owner, dict):
            hint = did_you_mean(str(name), (key for key in owner if isinstance(key, str)))
            return f"there is no `{name}` here; {hint or 'it has ' + ', '.join(map(str, owner))}"
        return f"a {'text' if isinstance(owner, str) else 'value'} has no `{name}` in a template"


def turns(values: Any) -> Iterator[Any]:
    """What a loop goes over; each turn checks the time."""
    if isinstance(known(values), str):
        raise TemplateRuntimeError("a text is looped over; loop over a list")
    for value in values:
        check_time()
        yield value


class _Generator(CodeGenerator):
    """Compiles `for` and `~` into calls of the sandbox, which has no hook of its own for them."""

    def visit_For(self, node: nodes.For, frame: Frame) -> None:  # noqa: N802 - named for the node by Jinja
        """Each turn of a loop checks the time."""
        node.iter = nodes.Call(nodes.EnvironmentAttribute("turns"), [node.iter], [], None, None)
        super().visit_For(node, frame)

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802 - as above
        """Jinja's own `~` has no limit and escapes for HTML."""
        self.write("environment.concatenated([")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("])")

    def visit_ScopedEvalContextModifier(self, node: nodes.Node, frame: Frame) -> None:  # noqa: N802 - as above
        """No block of a template goes without escaping."""
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
            optimized=False,  # else constants are computed while a template is compiled, without limits
            cache_size=-1,
            auto_reload=False,
            finalize=self.printable,
        )
        self.target = target
        self.globals = {"range": bounded_range}
        self.filters = {name: _limited(function) for name, function in filters.items()}

    def escaped(self, value: object) -> Markup:
        """A value as text of the target; markup of the target, which templates make, stays as it is."""
        value = known(value)
        if isinstance(value, Markup):
            return value
        if value is None:
            return Markup("")
        if isinstance(value, bool):
            value = "yes" if value else "no"
        if not isinstance(value, (str, int, float)):
            raise TemplateRuntimeError("a list or section is printed; loop over it, or use `| join(', ')`")
        return Markup(_ESCAPES[self.target](str(value)))  # noqa: S704 - this is where values are escaped

    # With the context as an argument it is never asked about constants, which Jinja would escape as HTML.
    @pass_context
    def printable(self, _context: Context, value: object) -> Markup:
        """What `{{ value }}` prints."""
        check_time()
        return self.escaped(value)

    def concatenated(self, values: list[object]) -> str:
        """Texts one after the other; with markup among them, all the others escaped."""
        check_time()
        if any(isinstance(value, Markup) for value in values):
            return sized(Markup("").join(self.escaped(value) for value in values))
        return sized("".join("" if value is None else str(value) for value in values))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Sums of numbers, of texts and of lists; everything else of numbers alone."""
        check_time()
        left, right = known(left), known(right)
        if operator == "+" and isinstance(left, str) and isinstance(right, str):
            return self.concatenated([left, right])
        if operator == "+" and isinstance(left, list) and isinstance(right, list):
            return sized(left + right)
        if operator == "**" or not all(isinstance(value, (int, float)) for value in (left, right)):
            raise SecurityError(f"`{operator}` is not for these values; `~` joins texts")
        return sized(super().call_binop(context, operator, left, right))

    def call(self, context: Context, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call a macro, a block, `range` or one of the few methods that are allowed."""
        check_time()
        with nested_call():
            return sized(super().call(context, known(function), *args, **kwargs))

    def is_safe_callable(self, obj: Any) -> bool:
        """Whether a template may call this."""
        if isinstance(obj, (BuiltinMethodType, MethodType)):
            return self.is_safe_attribute(obj.__self__, obj.__name__, obj)
        return obj is bounded_range or obj is turns or isinstance(obj, (Macro, BlockReference))

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Whether a template may read this attribute: the methods that are listed, and no other."""
        return any(isinstance(obj, kind) and attr in allowed for kind, allowed in _METHODS.items())

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`obj.attribute`: a key of a section first, then an allowed method."""
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """`obj[argument]`: a key or an index first, then an allowed method."""
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
    """`range` as templates have it, short."""
    if not all(isinstance(value, int) for value in args):
        raise TemplateRuntimeError("`range` takes whole numbers")
    return sized(range(*args))
