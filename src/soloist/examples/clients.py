"""Examples of clients, their contacts, interactions and health; the document's own where it has one."""

from collections.abc import Mapping

from soloist.examples.parts import CHANGED, MADE, NEWER, STAMPS, gone, page
from soloist.infra.openapi import Example

CLIENT_ID = "018d0a4e-6c2f-7b31-9f5a-3d1c8e7b6a90"
CONTACT_ID = "018d0a52-1b7e-7c44-8a2d-5e9f0c3b7d12"
INTERACTION_ID = "018d0a5b-94d0-7e02-b6c8-7a1f2e4d9c35"
ADDRESS = {"street": "123 Main St", "city": "New York", "state": "NY", "country": "USA", "postalCode": "10001"}

NEW_CLIENT: Mapping[str, object] = {
    "clientType": "COMPANY",
    "source": "MANUAL",
    "companyName": "Acme Corporation",
    "email": "contact@acme.com",
    "phone": "+1234567890",
    "website": "https://acme.com",
    "industry": "Technology",
    "companySize": "MEDIUM",
    "timezone": "America/New_York",
    "notes": "Great client, referred by John",
    "tags": ["enterprise", "tech"],
    "address": ADDRESS,
}
SUMMARY: Mapping[str, object] = {
    "id": CLIENT_ID,
    **{name: value for name, value in NEW_CLIENT.items() if name not in ("notes", "address")},
    "firstName": None,
    "lastName": None,
    "status": "ACTIVE",
    "displayName": "Acme Corporation",
    "totalRevenue": 15000,
    "currency": "USD",
    "healthScore": 85,
    "lastInteractionAt": MADE,
    **STAMPS,
}
NEW_CONTACT: Mapping[str, object] = {
    "firstName": "John",
    "lastName": "Doe",
    "email": "john@acme.com",
    "phone": "+1234567890",
    "role": "DECISION_MAKER",
    "jobTitle": "CEO",
    "isPrimary": True,
    "preferredContactMethod": "email",
}
CONTACT: Mapping[str, object] = {"id": CONTACT_ID, "clientId": CLIENT_ID, **NEW_CONTACT, **STAMPS}
NEW_INTERACTION: Mapping[str, object] = {
    "interactionType": "MEETING",
    "subject": "Project Kickoff Meeting",
    "notes": "Discussed project requirements and timeline",
    "sentiment": "POSITIVE",
    "isOutbound": True,
    "duration": 60,
    "metadata": {"location": "Zoom", "attendees": ["John", "Jane"]},
}
INTERACTION: Mapping[str, object] = {
    "id": INTERACTION_ID,
    "clientId": CLIENT_ID,
    "contactId": None,
    "opportunityId": None,
    **NEW_INTERACTION,
    "sentimentSource": "USER",
    "outcome": None,
    "nextSteps": None,
    "followUpDate": None,
    "occurredAt": MADE,
    **STAMPS,
}
CLIENT: Mapping[str, object] = {
    **SUMMARY,
    "notes": NEW_CLIENT["notes"],
    "address": ADDRESS,
    "platformClientId": None,
    "archivedAt": None,
    "unconverted": [],
    "contacts": [CONTACT],
    "recentInteractions": [INTERACTION],
    "opportunities": [],
    "upcomingReminders": [],
    "recentDocuments": [],
}
CREATED = {
    **CLIENT,
    "totalRevenue": 0,
    "healthScore": 33,
    "lastInteractionAt": None,
    "contacts": [],
    "recentInteractions": [],
}

STATS: Mapping[str, object] = {
    "totalClients": 50,
    "activeClients": 35,
    "leads": 10,
    "prospects": 5,
    "inactiveClients": 0,
    "totalRevenue": 250000,
    "currency": "USD",
    "averageClientValue": 7142.86,
    "averageHealthScore": 72,
    "clientsNeedingAttention": 5,
    "bySource": {"MANUAL": 20, "MARKET_IMPORT": 25, "REFERRAL": 5},
    "unconverted": [],
    "recalculating": False,
}
HEALTH: Mapping[str, object] = {
    "overallScore": 85,
    "components": {"recency": 90, "frequency": 80, "monetary": 85, "satisfaction": 90, "responsiveness": 75},
    "recommendations": [
        "Replies came in 20 h at the median, faster than the 26 h before.",
        "The client is happy: a good moment to ask for a referral or a testimonial.",
    ],
    "lastCalculated": MADE,
    "inputs": {
        "daysSinceLastInteraction": 14,
        "interactionsPerMonth": 3.67,
        "interactionsLast90Days": 11,
        "totalRevenue": 20000,
        "currency": "USD",
        "satisfactionAverage": 90,
        "ratedInteractions": 9,
        "marketRatings": 1,
        "medianResponseHours": 20,
        "responsesCounted": 6,
    },
    "explanation": {
        "recency": "Last contact was 14 days ago: 90 of 100, a quarter of the score.",
        "frequency": "11 interactions in the last 90 days: 80 of 100.",
        "monetary": "Total revenue is 20000 USD: 85 of 100.",
        "satisfaction": "The mood of 9 interactions, newer ones weighing more: 90 of 100.",
        "responsiveness": "Replies took 20 h at the median: 75 of 100.",
    },
}
ENTRY: Mapping[str, object] = {
    "id": INTERACTION_ID,
    "type": "INTERACTION",
    "occurredAt": MADE,
    "title": "Project Kickoff Meeting",
    "detail": "Discussed project requirements and timeline",
    "kind": "MEETING",
    "opportunityId": None,
}
NEEDY: Mapping[str, object] = {
    **SUMMARY,
    "healthScore": 41,
    "reasons": ["Health score is 41, below 50", "Last contact was 45 days ago"],
}

EXAMPLES: Mapping[str, Example] = {
    "createClient": Example(CREATED, NEW_CLIENT),
    "searchClients": Example(page("clients", SUMMARY, 100, "kq3xUeJwbk0vT2lSVGZ5UQ")),
    "getClientStats": Example(STATS),
    "getClientsNeedingAttention": Example([NEEDY]),
    "getClient": Example(CLIENT),
    "updateClient": Example(
        {**CLIENT, **NEWER, "notes": "Updated notes", "tags": ["enterprise", "tech", "priority"]},
        {"notes": "Updated notes", "tags": ["enterprise", "tech", "priority"], "status": "ACTIVE"},
    ),
    "archiveClient": Example({**CLIENT, **NEWER, "status": "ARCHIVED", "archivedAt": CHANGED}),
    "restoreClient": Example({**CLIENT, **NEWER, "version": 3}),
    "getClientTimeline": Example(page("entries", ENTRY)),
    "addContact": Example(CONTACT, NEW_CONTACT),
    "listContacts": Example(page("contacts", CONTACT)),
    "getContact": Example(CONTACT),
    "updateContact": Example({**CONTACT, **NEWER, "jobTitle": "Chairman"}, {"jobTitle": "Chairman"}),
    "deleteContact": gone(CONTACT_ID),
    "addInteraction": Example(INTERACTION, NEW_INTERACTION),
    "listInteractions": Example(page("interactions", INTERACTION)),
    "getInteraction": Example(INTERACTION),
    "updateInteraction": Example(
        {**INTERACTION, **NEWER, "outcome": "Scope agreed", "nextSteps": "Send the proposal"},
        {"outcome": "Scope agreed", "nextSteps": "Send the proposal"},
    ),
    "deleteInteraction": gone(INTERACTION_ID),
    "getClientHealthScore": Example(HEALTH),
    "getClientHealthHistory": Example([{"date": "2024-01-08", "score": 78}, {"date": "2024-01-15", "score": 85}]),
}
