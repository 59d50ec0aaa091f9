"""Makes records through the API, with what a test does not care about filled in."""

from typing import Any

from tests.people import Person, data


def client(person: Person, **fields: Any) -> dict[str, Any]:
    """A new client, as the API answers it."""
    body = {"clientType": "COMPANY", "source": "MANUAL", "companyName": "Acme Corporation", **fields}
    made: dict[str, Any] = data(person.post("/clients", body), 201)
    return made


def contact(person: Person, client_id: str, **fields: Any) -> dict[str, Any]:
    """A new contact of a client."""
    made: dict[str, Any] = data(person.post(f"/clients/{client_id}/contacts", {"firstName": "John", **fields}), 201)
    return made


def interaction(person: Person, client_id: str, **fields: Any) -> dict[str, Any]:
    """A new interaction with a client."""
    body = {"interactionType": "CALL", "subject": "Talked about the plan", **fields}
    made: dict[str, Any] = data(person.post(f"/clients/{client_id}/interactions", body), 201)
    return made
