"""The JSON blocks of the API document, letter by letter.

`...` stands for more of the same, `uuid` for an id; `matching.parsed` reads them.
"""

CREATE_CLIENT = """{
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
  "address": {
    "street": "123 Main St",
    "city": "New York",
    "state": "NY",
    "country": "USA",
    "postalCode": "10001"
  }
}"""
CREATED_CLIENT = """{
  "success": true,
  "data": {
    "id": "uuid",
    "clientType": "COMPANY",
    "source": "MANUAL",
    "status": "ACTIVE",
    "companyName": "Acme Corporation",
    ...
  }
}"""
IMPORT_CLIENT = """{
  "platformClientId": "uuid-of-market-client"
}"""
IMPORTED_CLIENT = """{
  "success": true,
  "data": {
    "id": "uuid",
    "source": "MARKET_IMPORT",
    "platformClientId": "uuid-of-market-client",
    ...
  }
}"""
SYNCED_CLIENTS = """{
  "success": true,
  "data": {
    "synced": 15,
    "created": 3,
    "updated": 12
  }
}"""
FOUND_CLIENTS = """{
  "success": true,
  "data": {
    "clients": [...],
    "total": 100,
    "page": 1,
    "limit": 20
  }
}"""
CLIENT = """{
  "success": true,
  "data": {
    "id": "uuid",
    "clientType": "COMPANY",
    "companyName": "Acme Corporation",
    "contacts": [...],
    "recentInteractions": [...],
    "opportunities": [...],
    "healthScore": 85,
    ...
  }
}"""
HEALTH_SCORE = """{
  "success": true,
  "data": {
    "overallScore": 85,
    "components": {
      "recency": 90,
      "frequency": 80,
      "monetary": 85,
      "satisfaction": 90,
      "responsiveness": 75
    },
    "recommendations": [
      "Consider scheduling a follow-up meeting",
      "Response time has improved recently"
    ],
    "lastCalculated": "2024-01-15T10:30:00Z"
  }
}"""
UPDATE_CLIENT = """{
  "notes": "Updated notes",
  "tags": ["enterprise", "tech", "priority"],
  "status": "ACTIVE"
}"""
ADD_INTERACTION = """{
  "interactionType": "MEETING",
  "subject": "Project Kickoff Meeting",
  "notes": "Discussed project requirements and timeline",
  "sentiment": "POSITIVE",
  "isOutbound": true,
  "duration": 60,
  "metadata": {
    "location": "Zoom",
    "attendees": ["John", "Jane"]
  }
}"""
ADD_CONTACT = """{
  "firstName": "John",
  "lastName": "Doe",
  "email": "john@acme.com",
  "phone": "+1234567890",
  "role": "DECISION_MAKER",
  "jobTitle": "CEO",
  "isPrimary": true,
  "preferredContactMethod": "email"
}"""
CLIENT_STATS = """{
  "success": true,
  "data": {
    "totalClients": 50,
    "activeClients": 35,
    "leads": 10,
    "prospects": 5,
    "totalRevenue": 250000,
    "averageClientValue": 7142.86,
    "averageHealthScore": 72,
    "clientsNeedingAttention": 5,
    "bySource": {
      "MANUAL": 20,
      "MARKET_IMPORT": 25,
      "REFERRAL": 5
    }
  }
}"""
CREATE_OPPORTUNITY = """{
  "clientId": "uuid",
  "title": "Website Redesign Project",
  "description": "Complete redesign of corporate website",
  "source": "INBOUND_INQUIRY",
  "sourceDetails": "Via website contact form",
  "estimatedValue": 15000,
  "currency": "USD",
  "expectedCloseDate": "2024-03-01",
  "stage": "LEAD",
  "priority": "HIGH",
  "tags": ["web", "design"],
  "serviceType": "Web Development"
}"""
PIPELINE = """{
  "success": true,
  "data": {
    "stages": [
      {
        "stage": "LEAD",
        "opportunities": [...],
        "count": 5,
        "totalValue": 25000,
        "weightedValue": 2500
      },
      {
        "stage": "QUALIFIED",
        "opportunities": [...],
        "count": 3,
        "totalValue": 45000,
        "weightedValue": 11250
      },
      ...
    ],
    "summary": {
      "totalOpportunities": 15,
      "totalValue": 150000,
      "weightedValue": 67500,
      "avgDealSize": 10000
    }
  }
}"""
OPPORTUNITY_STATS = """{
  "success": true,
  "data": {
    "total": 50,
    "open": 15,
    "won": 25,
    "lost": 10,
    "winRate": 71,
    "totalWonValue": 375000,
    "totalLostValue": 100000,
    "totalOpenValue": 150000,
    "avgDealSize": 15000,
    "avgTimeToClose": 21,
    "bySource": {
      "INBOUND_INQUIRY": 20,
      "REFERRAL": 15,
      "MARKET_PROJECT": 10,
      ...
    },
    "byStage": {
      "LEAD": 5,
      "QUALIFIED": 4,
      "PROPOSAL": 3,
      "NEGOTIATION": 3
    }
  }
}"""
CHANGE_STAGE = """{
  "stage": "QUALIFIED",
  "notes": "Client confirmed budget"
}"""
CREATE_REMINDER = """{
  "clientId": "uuid",
  "title": "Follow up on proposal",
  "description": "Check if they reviewed the proposal",
  "reminderType": "FOLLOW_UP",
  "priority": "HIGH",
  "dueDate": "2024-02-15T10:00:00Z",
  "isRecurring": false
}"""
CREATE_RECURRING_REMINDER = """{
  "clientId": "uuid",
  "title": "Monthly check-in",
  "reminderType": "CHECK_IN",
  "dueDate": "2024-02-01T10:00:00Z",
  "isRecurring": true,
  "recurringPattern": {
    "frequency": "monthly",
    "interval": 1,
    "endDate": "2024-12-31"
  }
}"""
COMPLETE_REMINDER = """{
  "notes": "Called and confirmed meeting"
}"""
SNOOZE_REMINDER = """{
  "snoozeUntil": "2024-02-16T10:00:00Z"
}"""
CREATE_DOCUMENT = """{
  "clientId": "uuid",
  "opportunityId": "uuid",
  "documentType": "PROPOSAL",
  "fileName": "proposal_v2.pdf",
  "fileUrl": "https://storage.example.com/proposal_v2.pdf",
  "fileSize": 1048576,
  "mimeType": "application/pdf",
  "description": "Updated proposal with revised pricing",
  "tags": ["proposal", "v2"]
}"""
ASK_UPLOAD_URL = """{
  "clientId": "uuid",
  "fileName": "contract.pdf",
  "documentType": "CONTRACT"
}"""
UPLOAD_URL = """{
  "success": true,
  "data": {
    "uploadUrl": "https://storage.example.com/upload?...",
    "fileUrl": "https://storage.example.com/crm/..."
  }
}"""
