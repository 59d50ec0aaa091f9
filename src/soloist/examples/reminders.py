"""Examples of reminders; the document's own where it has one."""

from collections.abc import Mapping

from soloist.examples.clients import CLIENT_ID
from soloist.examples.parts import CHANGED, NEWER, STAMPS, gone, page
from soloist.infra.openapi import Example

REMINDER_ID = "018d0a70-3c5d-7e91-8f2a-4b6c8d0e1f23"
SERIES_ID = "018d0a72-5e7f-7a13-9b4c-6d8e0f1a2b3c"
NEXT_ID = "018d0a74-7f91-7b25-8c6d-8e0f1a2b3c4d"

NEW: Mapping[str, object] = {
    "clientId": CLIENT_ID,
    "title": "Follow up on proposal",
    "description": "Check if they reviewed the proposal",
    "reminderType": "FOLLOW_UP",
    "priority": "HIGH",
    "dueDate": "2024-02-15T10:00:00Z",
    "isRecurring": False,
}
RECURRING: Mapping[str, object] = {
    "clientId": CLIENT_ID,
    "title": "Monthly check-in",
    "reminderType": "CHECK_IN",
    "dueDate": "2024-02-01T10:00:00Z",
    "isRecurring": True,
    "recurringPattern": {"frequency": "monthly", "interval": 1, "endDate": "2024-12-31"},
}
DUE = "2024-02-15T10:00:00.000Z"
REMINDER: Mapping[str, object] = {
    "id": REMINDER_ID,
    **NEW,
    "dueDate": DUE,
    "clientName": "Acme Corporation",
    "opportunityId": None,
    "interactionId": None,
    "status": "PENDING",
    "snoozedUntil": None,
    "effectiveDate": DUE,
    "isOverdue": False,
    "notifyBefore": None,
    "recurringPattern": None,
    "timeZone": None,
    "seriesId": None,
    "occurrence": None,
    "nextOccurrence": None,
    "skipped": 0,
    "completedAt": None,
    "completionNotes": None,
    **STAMPS,
}
SNOOZED_UNTIL = "2024-02-16T10:00:00.000Z"
CHECK_IN: Mapping[str, object] = {
    **REMINDER,
    "id": NEXT_ID,
    "title": "Monthly check-in",
    "description": None,
    "reminderType": "CHECK_IN",
    "priority": "MEDIUM",
    "dueDate": "2024-03-01T10:00:00.000Z",
    "effectiveDate": "2024-03-01T10:00:00.000Z",
    "isRecurring": True,
    "recurringPattern": {
        "frequency": "monthly",
        "interval": 1,
        "endDate": "2024-12-31",
        "count": None,
        "daysOfWeek": None,
    },
    "timeZone": "America/New_York",
    "seriesId": SERIES_ID,
    "occurrence": 2,
}
DONE: Mapping[str, object] = {
    **REMINDER,
    **NEWER,
    "status": "COMPLETED",
    "completedAt": CHANGED,
    "completionNotes": "Called and confirmed meeting",
}

EXAMPLES: Mapping[str, Example] = {
    "createReminder": Example(REMINDER, NEW, more={"recurring": RECURRING}),
    "searchReminders": Example(page("reminders", REMINDER)),
    "getUpcomingReminders": Example([CHECK_IN]),
    "getOverdueReminders": Example([{**REMINDER, "isOverdue": True}]),
    "getTodaysReminders": Example([REMINDER]),
    "getReminder": Example(REMINDER),
    "updateReminder": Example({**REMINDER, **NEWER, "priority": "URGENT"}, {"priority": "URGENT"}),
    "deleteReminder": gone(REMINDER_ID),
    "completeReminder": Example(DONE, {"notes": "Called and confirmed meeting"}),
    "snoozeReminder": Example(
        {**REMINDER, **NEWER, "status": "SNOOZED", "snoozedUntil": SNOOZED_UNTIL, "effectiveDate": SNOOZED_UNTIL},
        {"snoozeUntil": "2024-02-16T10:00:00Z"},
    ),
    "cancelReminder": Example({**REMINDER, **NEWER, "status": "CANCELLED"}),
    "reopenReminder": Example({**REMINDER, **NEWER, "version": 3}),
    "skipReminder": Example({**CHECK_IN, **NEWER, "dueDate": "2024-04-01T10:00:00.000Z", "occurrence": 3}),
}
