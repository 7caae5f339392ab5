"""`@runwood.trace`: a function of the app's own as a run, nested with LangChain's runs both ways.

The run goes through LangChain's callback manager, as every Runnable's does. So all handlers of the app see
the same tree, and what the function calls finds its parent where LangChain looks for it.
"""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import (
    AsyncGenerator,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
)
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar, overload

from langchain_core.callbacks import AsyncCallbackManager, CallbackManager
from langchain_core.messages import BaseMessageChunk
from langchain_core.runnables.config import ensure_config, patch_config, var_child_runnable_config

from runwood.default import wanted_handler
from runwood.handler import RunwoodCallbackHandler
from runwood.log import warn
from runwood.scope import texts, thread_of

if TYPE_CHECKING:
    from langchain_core.callbacks.base import BaseCallbackManager
    from langchain_core.runnables import RunnableConfig

Function = TypeVar("Function", bound=Callable[..., Any])

MAX_ITEMS = 10_000  # of a generator, that are remembered for the run's output


@overload
def trace(function: Function, /) -> Function: ...


@overload
def trace(
    *,
    name: str | None = None,
    run_type: str = "chain",
    tags: str | Iterable[str] = (),
    metadata: Mapping[str, Any] | None = None,
    handler: RunwoodCallbackHandler | None = None,
    reduce: Callable[[list[Any]], Any] | None = None,
) -> Callable[[Function], Function]: ...


def trace(
    function: Any = None,
    /,
    *,
    name: str | None = None,
    run_type: str = "chain",
    tags: str | Iterable[str] = (),
    metadata: Mapping[str, Any] | None = None,
    handler: RunwoodCallbackHandler | None = None,
    reduce: Callable[[list[Any]], Any] | None = None,
) -> Any:
    """Record every call of a function: sync, async, generator or async generator. It stays what it is.

    Args:
        function: where the decorator is used bare.
        name: of the run; default the function's.
        run_type: `chain`, `tool`, `llm`, `retriever`, … as LangSmith has them.
        tags: of the run.
        metadata: of the run.
        handler: what records it where no handler of Runwood is at work already; default the one that the
            environment describes, if it sets RUNWOOD_TRACING, RUNWOOD_ENDPOINT or RUNWOOD_API_KEY.
        reduce: makes the run's output of the items of a generator, 10,000 at most; default: texts and message
            chunks joined, all else as a list.

    Inputs are the arguments by their names, without `self` and `cls`.
    """
    traced = _Traced(name, run_type, texts(tags), dict(metadata or {}), handler, reduce)
    return traced.wrap if function is None else traced.wrap(function)


class _Traced:
    """How one function is recorded."""

    def __init__(
        self,
        name: str | None,
        run_type: str,
        tags: tuple[str, ...],
        metadata: dict[str, Any],
        handler: RunwoodCallbackHandler | None,
        reduce: Callable[[list[Any]], Any] | None,
    ) -> None:
        self.name = name
        self.run_type = run_type
        self.tags = tags
        self.metadata = metadata
        self.handler = handler
        self.reduce = reduce or _join
        self.signature: inspect.Signature | None = None

    def wrap(self, function: Any) -> Any:
        """Return the function that records its calls."""
        if isinstance(function, (staticmethod, classmethod)):
            return type(function)(self.wrap(function.__func__))
        self.name = self.name or getattr(function, "__name__", None) or type(function).__name__
        try:
            self.signature = inspect.signature(function)
        except (TypeError, ValueError):  # some functions of C have none
            self.signature = None
        if inspect.isasyncgenfunction(function):
            wrapper = self._async_generator
        elif inspect.isgeneratorfunction(function):
            wrapper = self._generator
        elif inspect.iscoroutinefunction(function):
            wrapper = self._coroutine
        else:
            wrapper = self._function
        return functools.wraps(function)(wrapper(function))

    # --- one for each kind of function ------------------------------------------------------------
    def _function(self, function: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            config, manager = self._prepare(CallbackManager)
            if manager is None:
                return function(*args, **kwargs)
            run = manager.on_chain_start(None, self._inputs(args, kwargs), **self._start())
            try:
                with _inside(config, run.get_child()):
                    result = function(*args, **kwargs)
            except BaseException as error:
                run.on_chain_error(error)
                raise
            run.on_chain_end(result)
            return result

        return call

    def _coroutine(self, function: Any) -> Any:
        async def call(*args: Any, **kwargs: Any) -> Any:
            config, manager = self._prepare(AsyncCallbackManager)
            if manager is None:
                return await function(*args, **kwargs)
            run = await manager.on_chain_start(None, self._inputs(args, kwargs), **self._start())
            try:
                with _inside(config, run.get_child()):
                    result = await function(*args, **kwargs)
            except BaseException as error:
                await run.on_chain_error(error)
                raise
            await run.on_chain_end(result)
            return result

        return call

    def _generator(self, function: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            config, manager = self._prepare(CallbackManager)
            if manager is None:
                return (yield from function(*args, **kwargs))
            run = manager.on_chain_start(None, self._inputs(args, kwargs), **self._start())
            generator = function(*args, **kwargs)
            step, items = functools.partial(next, generator), _Items()
            try:
                while True:
                    with _inside(config, run.get_child()):
                        item = step()
                    items.add(item)
                    try:
                        step = functools.partial(generator.send, (yield item))
                    except GeneratorExit:
                        generator.close()
                        raise
                    except BaseException as thrown:  # noqa: BLE001  the consumer's, for the generator
                        step = functools.partial(generator.throw, thrown)
            except StopIteration as end:
                run.on_chain_end(self._output(items))
                return end.value
            except BaseException as error:
                run.on_chain_error(error, outputs=self._output(items))
                raise

        return call

    def _async_generator(self, function: Any) -> Any:
        async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
            config, manager = self._prepare(AsyncCallbackManager)
            if manager is None:
                manager = AsyncCallbackManager([])
            run = await manager.on_chain_start(None, self._inputs(args, kwargs), **self._start())
            generator = function(*args, **kwargs)
            step, items = generator.__anext__, _Items()
            try:
                while True:
                    with _inside(config, run.get_child()):
                        item = await step()
                    items.add(item)
                    try:
                        step = functools.partial(generator.asend, (yield item))
                    except GeneratorExit:
                        if not generator.ag_running:  # at its end, the loop closes both at once
                            await generator.aclose()
                        raise
                    except BaseException as thrown:  # noqa: BLE001  the consumer's, for the generator
                        step = functools.partial(generator.athrow, thrown)
            except StopAsyncIteration:
                await run.on_chain_end(self._output(items))
            except BaseException as error:
                await run.on_chain_error(error, outputs=self._output(items))
                raise

        return call

    # --- what they share --------------------------------------------------------------------------
    def _prepare(self, kind: Any) -> tuple[RunnableConfig, Any]:
        """Return the config around the call, and a callback manager of this kind: None where nobody listens."""
        config = ensure_config()
        try:
            manager = kind.configure(
                config.get("callbacks"),
                inheritable_tags=config.get("tags"),
                inheritable_metadata=config.get("metadata"),
            )
            if not any(isinstance(item, RunwoodCallbackHandler) for item in manager.handlers):
                handler = self.handler or wanted_handler()
                if handler is not None:
                    manager.add_handler(handler)
            manager.add_tags(list(self.tags), inherit=False)
            manager.add_metadata(self.metadata, inherit=False)
            manager.add_metadata(thread_of(self.metadata))  # of what is below it too
        except Exception as error:  # noqa: BLE001  the function has to run all the same
            warn("trace", "a call of %s could not be traced: %r", self.name, error)
            return config, None
        return config, manager if manager.handlers else None

    def _start(self) -> dict[str, Any]:
        return {"name": self.name, "run_type": self.run_type}

    def _inputs(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments by name; by position where they do not fit, which the call itself will say."""
        try:
            if self.signature is None:
                return {"args": list(args), **kwargs}
            arguments = self.signature.bind(*args, **kwargs).arguments
        except TypeError:
            return {"args": list(args), **kwargs}
        inputs: dict[str, Any] = {}
        for position, (name, value) in enumerate(arguments.items()):
            if self.signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
                inputs.update(value)
            elif position > 0 or name not in ("self", "cls"):
                inputs[name] = value
        return inputs

    def _output(self, items: _Items) -> Any:
        try:
            return self.reduce(items.kept)
        except Exception as error:  # noqa: BLE001  the app's own function
            warn("trace reduce", "the items of %s are recorded as a list: %r", self.name, error)
            return items.kept


class _Items:
    """What a generator has given so far, up to a bound."""

    def __init__(self) -> None:
        self.kept: list[Any] = []

    def add(self, item: Any) -> None:
        if len(self.kept) < MAX_ITEMS:
            self.kept.append(item)


def _join(items: list[Any]) -> Any:
    """Return texts as one text and message chunks as one message; anything else as it is."""
    if items and all(type(item) is str for item in items):
        return "".join(items)
    if items and all(isinstance(item, BaseMessageChunk) for item in items):
        return functools.reduce(operator.add, items)
    return items


@contextmanager
def _inside(config: RunnableConfig, child: BaseCallbackManager) -> Iterator[None]:
    """Let what is called now find the run as its parent, as LangChain does for a Runnable's body."""
    token = var_child_runnable_config.set(patch_config(config, callbacks=child))
    try:
        yield
    finally:
        with suppress(ValueError):  # a generator that the end of its loop finds in another context
            var_child_runnable_config.reset(token)
