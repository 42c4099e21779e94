"""What OpenAPI has no words for: cursors, which only answers give, parameters that don't go together, and a list of one item."""

import schemathesis
from schemathesis import GenerationMode


def is_negative(case):
    return case.meta is not None and case.meta.generation.mode == GenerationMode.NEGATIVE


@schemathesis.hook
def filter_case(context, case):
    """One value where a list may be is a list of one item."""
    data = getattr(case.meta.phase, "data", None) if case.meta is not None else None
    description = (getattr(data, "description", "") or "").lower()
    parameter = getattr(data, "parameter", "") or ""
    return not (parameter.endswith("in]") and "incorrect type" in description)


@schemathesis.hook
def before_call(context, case, kwargs):
    if is_negative(case) or not case.query:
        return
    case.query.pop("cursor", None)
    if case.query.get("format") in ("ndjson", "csv"):
        case.query.pop("count", None)
