"""Circuits over HTTP (RES-03)."""

from functions.answering import ApiRequest, ApiResult
from shared.adapters.resilience.circuit import CLOSED, Circuit
from shared.adapters.resilience.policies import policy_of
from shared.hub import Hub
from shared.kernel.clock import to_iso


def list_all(hub: Hub, request: ApiRequest) -> ApiResult:  # noqa: ARG001 - every endpoint has it
    """List every partner's circuit: state, failures in a row, since when it is open, when it may be tried again."""
    return ApiResult([_shown(adapter_id, circuit) for adapter_id, circuit in hub.partners.circuits().items()])


def reset(hub: Hub, request: ApiRequest) -> ApiResult:
    """Close a circuit by hand. Idempotent."""
    adapter_id = request.path("adapterId")
    return ApiResult(_shown(adapter_id, hub.partners.reset(adapter_id, request.principal.subject)))


def _shown(adapter_id: str, circuit: Circuit) -> dict[str, object]:
    opened_at = circuit.opened_at if circuit.state != CLOSED else None
    retry_at = circuit.retry_at(policy_of(adapter_id).breaker)
    return {
        "adapterId": adapter_id,
        "state": circuit.state,
        "failures": circuit.failures,
        "openedAt": to_iso(opened_at) if opened_at else None,
        "retryAt": to_iso(retry_at) if retry_at else None,
    }
