"""An example of the list of events."""

from collections.abc import Mapping

from soloist.events.model import OpportunityWon
from soloist.events.shapes import EXAMPLE_ID
from soloist.examples.parts import CHANGED, page
from soloist.infra.openapi import Example

EVENT: Mapping[str, object] = {
    "id": EXAMPLE_ID,
    "type": OpportunityWon.type,
    "timestamp": CHANGED,
    "data": OpportunityWon.sample().model_dump(mode="json", by_alias=True),
}
EXAMPLES: Mapping[str, Example] = {"searchEvents": Example(page("events", EVENT))}
