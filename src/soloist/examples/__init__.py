"""An example of every operation for the OpenAPI document, by operation id; a module for each domain.

A test misses one that is not there, and holds each against its schema.
"""

from collections.abc import Mapping

from soloist.examples import accounts, clients, documents, events, market, opportunities, reminders, webhooks
from soloist.infra.openapi import Example

EXAMPLES: Mapping[str, Example] = {
    **accounts.EXAMPLES,
    **clients.EXAMPLES,
    **documents.EXAMPLES,
    **events.EXAMPLES,
    **market.EXAMPLES,
    **opportunities.EXAMPLES,
    **reminders.EXAMPLES,
    **webhooks.EXAMPLES,
}
