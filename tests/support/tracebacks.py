"""What a traceback that shows local variables, such as IPython's in its verbose mode, tells of an error."""

from traceback import TracebackException, format_exception


def shown(error: BaseException) -> str:
    """Return all of it, with the local variables of every frame but those of the tests."""
    trace = TracebackException(type(error), error, error.__traceback__, capture_locals=True)
    frames = [str(frame.locals) for frame in trace.stack if "/tests/" not in frame.filename]
    assert frames
    assert error.__cause__ is None
    assert error.__context__ is None or error.__suppress_context__
    return "\n".join([*format_exception(error), repr(error), str(vars(error)), *frames])
