"""The tables, lists and numbers of the API document."""

ENDPOINTS = (
    "POST /clients",
    "POST /clients/import",
    "POST /clients/sync",
    "GET /clients",
    "GET /clients/:id",
    "GET /clients/:id/health-score",
    "PATCH /clients/:id",
    "POST /clients/:id/archive",
    "POST /clients/:id/restore",
    "POST /clients/:id/interactions",
    "POST /clients/:id/contacts",
    "GET /clients/stats",
    "GET /clients/needs-attention",
    "POST /opportunities",
    "GET /opportunities",
    "GET /opportunities/pipeline",
    "GET /opportunities/stats",
    "POST /opportunities/:id/stage",
    "GET /opportunities/:id/activities",
    "POST /reminders",
    "GET /reminders/upcoming",
    "GET /reminders/overdue",
    "GET /reminders/today",
    "POST /reminders/:id/complete",
    "POST /reminders/:id/snooze",
    "POST /reminders/:id/cancel",
    "POST /documents",
    "POST /documents/upload-url",
    "GET /documents/recent",
    "GET /documents/stats",
)
# Endpoint → its query parameters.
PARAMETERS = {
    "/clients": (
        "query", "status", "source", "clientType", "tags", "minTotalRevenue", "minHealthScore",
        "lastInteractionBefore", "sortBy", "sortOrder", "page", "limit",
    ),
    "/clients/needs-attention": ("limit",),
    "/opportunities": (
        "clientId", "source", "stage", "status", "priority", "minValue", "maxValue", "expectedCloseBefore",
        "expectedCloseAfter", "sortBy", "sortOrder", "page", "limit",
    ),
    "/opportunities/stats": ("startDate", "endDate"),
    "/reminders/upcoming": ("days",),
}  # fmt: skip
CLIENT_STATUSES = ("ACTIVE", "LEAD", "PROSPECT", "INACTIVE", "ARCHIVED")
CLIENT_TYPES = ("INDIVIDUAL", "COMPANY")
CLIENT_SORT_KEYS = ("name", "createdAt", "lastInteractionAt", "totalRevenue", "healthScore")
INTERACTION_TYPES = (
    "EMAIL", "CALL", "MEETING", "VIDEO_CALL", "MESSAGE", "PROPOSAL_SENT", "INVOICE_SENT", "PAYMENT_RECEIVED",
    "CONTRACT_SIGNED", "PROJECT_COMPLETED", "FEEDBACK_RECEIVED", "OTHER",
)  # fmt: skip
CONTACT_ROLES = ("OWNER", "DECISION_MAKER", "INFLUENCER", "TECHNICAL", "BILLING", "PROJECT_MANAGER", "OTHER")
OPPORTUNITY_SOURCES = (
    "MARKET_PROJECT", "MARKET_SERVICE", "REFERRAL", "COLD_OUTREACH", "INBOUND_INQUIRY", "REPEAT_CLIENT",
    "PARTNERSHIP", "OTHER",
)  # fmt: skip
OPPORTUNITY_STATUSES = ("OPEN", "ON_HOLD", "WON", "LOST")
STAGES = {"LEAD": 10, "QUALIFIED": 25, "PROPOSAL": 50, "NEGOTIATION": 75, "WON": 100, "LOST": 0}  # % probability
REMINDER_TYPES = ("FOLLOW_UP", "MEETING", "DEADLINE", "CHECK_IN", "BIRTHDAY", "RENEWAL", "CUSTOM")
DOCUMENT_TYPES = (
    "CONTRACT", "PROPOSAL", "INVOICE", "RECEIPT", "AGREEMENT", "BRIEF", "DELIVERABLE", "FEEDBACK", "OTHER",
)  # fmt: skip
ERROR_CODES = {
    "CLIENT_NOT_FOUND": 404,
    "CLIENT_ALREADY_EXISTS": 409,
    "CONTACT_NOT_FOUND": 404,
    "OPPORTUNITY_NOT_FOUND": 404,
    "OPPORTUNITY_CLOSED": 400,
    "INVALID_STAGE_TRANSITION": 400,
    "REMINDER_NOT_FOUND": 404,
    "REMINDER_ALREADY_COMPLETED": 400,
    "DOCUMENT_NOT_FOUND": 404,
    "INVALID_DOCUMENT_TYPE": 400,
    "FILE_TOO_LARGE": 400,
    "ACCESS_DENIED": 403,
    "SYNC_FAILED": 500,
    "INVALID_RECURRING_PATTERN": 400,
}
EVENTS = (
    "client.created", "client.updated", "client.archived", "interaction.created", "opportunity.created",
    "opportunity.stage_changed", "opportunity.won", "opportunity.lost", "reminder.due", "reminder.overdue",
)  # fmt: skip
RATES = {"GET": 100, "POST": 50, "PATCH": 50}  # requests a minute; POST and PATCH together
SYNC_RATE = 5
WEIGHTS = {"recency": 25, "frequency": 20, "monetary": 20, "satisfaction": 20, "responsiveness": 15}  # %
