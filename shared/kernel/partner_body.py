"""What partners send as JSON: null says as much as nothing wherever nothing may be said."""

from typing import Any

from pydantic import BaseModel, model_validator


class PartnerBody(BaseModel):
    """A model whose fields with a default take null for absent: many serialisers write null for what is not set.

    A required field takes null only where its type does, and what no field is named after is kept as it came.
    """

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, value: Any) -> Any:  # noqa: ANN401 - anything that came
        if not isinstance(value, dict) or None not in value.values():
            return value
        optional = {field.alias or name for name, field in cls.model_fields.items() if not field.is_required()}
        return {name: item for name, item in value.items() if item is not None or name not in optional}
